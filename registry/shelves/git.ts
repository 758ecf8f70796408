/**
 * Notes in a work tree of git, each checkpoint a commit. Whoever can write into that repository's settings must not run
 * programs as the registry: no hook, filter, monitor, signer or transport of it is called. The commit is put together
 * from its parts, in an index of its own, so that what somebody else was about to commit there stays theirs.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { folderShelf } from './folder.ts';
import type { Shelf } from './shelf.ts';

const run = promisify(execFile);
/** Milliseconds for one word to git. */
const GIT_MS = 30_000;

/** What the repository says of these is not asked. */
const OWN = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'gc.auto=0',
  'user.name=Lockkeeper',
  'user.email=lockkeeper@localhost',
];
/** Missing objects are not fetched: a transport is a program. */
const CLOSED = ['GIT_ALLOW_PROTOCOL=none', 'GIT_NO_LAZY_FETCH=1', 'GIT_TERMINAL_PROMPT=0'];

type Git = (...words: string[]) => Promise<string>;

export function gitShelf(folder: string): Shelf {
  return { ...folderShelf(folder), finish: (names, size) => commit(folder, names, size) };
}

/** By way of `env`, which adds variables to this process's own. */
function gitIn(folder: string, index?: string): Git {
  const settings = OWN.flatMap((setting) => ['-c', setting]);
  const variables = index === undefined ? CLOSED : [...CLOSED, `GIT_INDEX_FILE=${index}`];
  return async (...words) => {
    const all = [...variables, 'git', '-C', folder, ...settings, ...words];
    return (await run('env', all, { timeout: GIT_MS })).stdout.trimEnd();
  };
}

const orNone = (said: Promise<string>): Promise<string> => said.catch(() => '');

/** A commit of these files alone. Nothing when the newest commit holds them as they are. */
async function commit(folder: string, names: readonly string[], size: number): Promise<void> {
  const git = gitIn(folder);
  await assertNoHooks(folder, git);
  const prefix = await git('rev-parse', '--show-prefix');
  const entries: string[] = [];
  for (const name of names) {
    const blob = await git('hash-object', '-w', '--no-filters', '--', name);
    entries.push('--cacheinfo', `100644,${blob},${prefix}${name}`);
  }
  const head = await orNone(git('rev-parse', '--quiet', '--verify', 'HEAD^{commit}'));
  const own = await mkdtemp(join(tmpdir(), 'lockkeeper-git-'));
  try {
    const aside = gitIn(folder, join(own, 'index'));
    if (head !== '') await aside('read-tree', head);
    await aside('update-index', '--add', ...entries);
    const tree = await aside('write-tree');
    if (head === '' || tree !== (await git('rev-parse', `${head}^{tree}`))) {
      const parent = head === '' ? [] : ['-p', head];
      const made = await git('commit-tree', tree, ...parent, '-m', `Checkpoint of ${size} entries`);
      // Only from the commit it was made on: of two that commit at once, one is told.
      await git('update-ref', '-m', 'checkpoint', 'HEAD', made, head || '0'.repeat(made.length));
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
  await git('update-index', '--add', ...entries);
}

/** Newer versions of git read hooks from settings too, and no option turns those off. Throws CONFIG_INVALID. */
async function assertNoHooks(folder: string, git: Git): Promise<void> {
  const found = await orNone(git('config', '--get-regexp', '--name-only', '^hook\\.'));
  if (found === '') return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `${quote(folder, 200)} to be in a repository without hooks in its settings`,
    found: quote(found.split('\n')[0] ?? '', 200),
    next: 'Take them out with: git config --unset',
  });
}
