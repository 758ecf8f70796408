/** Servers out of a git repository: how a commit is named, and what of it a person looks at. */
import { Closed } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';
import { type Static, Type } from './type.ts';

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOST = `${LABEL}(?:[.]${LABEL})+(?::[1-9][0-9]{0,4})?`;
const PATH = '(?:/[A-Za-z0-9_~][A-Za-z0-9._~+-]*)+';
/** On this machine alone without TLS. */
const ADDRESS = `https://${HOST}${PATH}|ssh://(?:[a-z_][a-z0-9_-]{0,31}@)?${HOST}${PATH}|http://(?:localhost|127[.]0[.]0[.]1)(?::[1-9][0-9]{0,4})?${PATH}`;
const COMMIT = '[0-9a-f]{40}(?:[0-9a-f]{24})?';
const TAG = '[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,127}';

export const GitSource = Type.String({
  pattern: `^git:(?:${ADDRESS})#(?:${TAG}@)?${COMMIT}$`,
  description: 'git:ADDRESS#COMMIT, or git:ADDRESS#TAG@COMMIT with the whole id of the commit',
  maxLength: 400,
});

export interface GitRef {
  readonly url: string;
  /** Null where the commit alone is named. */
  readonly tag: string | null;
  readonly commit: string;
}

export function isGitSource(source: string): boolean {
  return source.startsWith('git:');
}

/** `git:https://host/owner/name#v1.0.0@<commit>`. Throws SOURCE_INVALID. */
export function gitRefOf(source: string): GitRef {
  const pattern = new RegExp(`^git:(${ADDRESS})#(?:(${TAG})@)?(${COMMIT})$`);
  const [, url, tag, commit] = pattern.exec(source) ?? [];
  if (url !== undefined && commit !== undefined && (tag === undefined || isGitTag(tag)))
    return { url, tag: tag ?? null, commit };
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: 'git:https://<host>/<path>#<commit>, or #<tag>@<commit>, the commit by its whole id',
    found: quote(source, 400),
    next: 'lk publish resolves a tag to its commit: git:https://<host>/<path>#<tag>',
  });
}

/** What git itself takes as a name of a tag, and nothing that could be read as an option or a range. */
export function isGitTag(text: string): boolean {
  return (
    new RegExp(`^${TAG}$`).test(text) && !/\.\.|@\{|\/\/|\/\.|\.\/|(?:\/|\.|\.lock)$|\.lock\//.test(text)
  );
}

export function isGitAddress(text: string): boolean {
  return new RegExp(`^(?:${ADDRESS})$`).test(text);
}

export function gitSourceOf({ url, tag, commit }: GitRef): string {
  return `git:${url}#${tag === null ? '' : `${tag}@`}${commit}`;
}

/** The repository, as a name of a package. */
export function gitName(url: string): string {
  const last = (url.split('/').at(-1) ?? '').replace(/\.git$/, '').toLowerCase();
  return last.replace(/[^a-z0-9._-]+/g, '-').replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '') || 'repository';
}

export function gitPurl({ url, commit }: GitRef, version: string): string {
  return `pkg:generic/${gitName(url)}@${version.replaceAll('+', '%2B')}?vcs_url=git+${url.replaceAll('@', '%40')}%40${commit}`;
}

const Signed = Type.String({ maxLength: 300 });

/** What of a commit a person looks at. */
export const GitReport = Closed({
  url: Type.String({ maxLength: 400 }),
  commit: Type.String({ pattern: `^${COMMIT}$` }),
  tag: Type.Union([Type.Null(), Type.String({ maxLength: 128 })]),
  /** Who signed, or why nothing is known of it: a sentence each. Null without a tag. */
  tagSigned: Type.Union([Type.Null(), Signed]),
  commitSigned: Signed,
  /** When it says that it was committed. */
  committedAt: Type.String({ maxLength: 40 }),
  files: Type.Integer({ minimum: 0 }),
});
export type GitReport = Static<typeof GitReport>;
