/** From `git:ADDRESS#TAG` to a submission: the tag is asked for once, and its commit is what is submitted. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveGit } from '../scanner/git/remote.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { type GitRef, gitName, gitRefOf, gitSourceOf, isGitAddress, isGitSource } from '../schemas/git.ts';
import type { Submission } from '../schemas/release.ts';
import { text, type Values } from './command.ts';
import { packageSubmission } from './submission.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Null for what is no repository. Throws SOURCE_INVALID and SOURCE_UNREACHABLE. */
export async function findCommit(word: string, environment: Environment): Promise<GitRef | null> {
  if (!isGitSource(word)) return null;
  const [, url = '', name = ''] = /^git:([^#]*)#(.+)$/s.exec(word) ?? [];
  if (!isGitAddress(url)) {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected: 'git:https://host/path#TAG, ssh://user@host/path#TAG, or # and the whole id of a commit',
      found: quote(word, 300),
      next: 'Name the address in full, and a tag or a commit of it',
    });
  }
  if (/^(?:.+@)?[0-9a-f]{40}(?:[0-9a-f]{24})?$/s.test(name)) return gitRefOf(word);
  const cwd = await mkdtemp(join(tmpdir(), 'lockkeeper-git-'));
  try {
    return await resolveGit({ url, name }, environment, cwd);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Its version is what the tag ends with, where that is one. */
export async function commitSubmission(ref: GitRef, values: Values): Promise<Submission> {
  const version = text(values, 'release') ?? versionIn(ref.tag);
  if (version === null) {
    throw new LockkeeperError('USAGE', {
      expected: '--release: a version for this commit, such as --release 1.0.0',
      found: ref.tag ?? 'a commit alone',
      next: 'See: lk publish --help',
    });
  }
  const { hostname, pathname } = new URL(ref.url);
  const above = pathname
    .split('/')
    .slice(1, -1)
    .map((part) => part.replace(/[^A-Za-z0-9-]+/g, '-'));
  const space = [...hostname.split('.').reverse(), ...above].join('.');
  const name = text(values, 'name') ?? `${space}/${gitName(ref.url)}`;
  const description = `${gitName(ref.url)}${ref.tag === null ? '' : ` ${ref.tag}`}, from its repository`;
  return packageSubmission({ name, version, source: gitSourceOf(ref), description }, values);
}

function versionIn(tag: string | null): string | null {
  return /(?:^|[@/_-])v?([0-9]+[.][0-9]+[.][0-9]+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag ?? '')?.[1] ?? null;
}
