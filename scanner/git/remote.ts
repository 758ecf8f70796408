/** What a repository says that its names mean now. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { mayReach } from '../../runtime/remote/address.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type GitRef, isGitTag } from '../../schemas/git.ts';
import { type Environment, type GitSaid, git, lastWords } from './run.ts';

export interface Remote {
  readonly url: string;
  readonly protocol: string;
  readonly environment: Environment;
  /** Holds the name of the host to the address that was looked at. */
  readonly config: readonly string[];
}

const LIST_BYTES = 1024 * 1024;
/** Some 100,000 tags. */
const TAGS_BYTES = 16 * 1024 * 1024;
const LOOPBACK = /^(?:localhost|127[.]0[.]0[.]1)$/;

/**
 * The address is resolved once and kept: this machine itself, link-local and metadata addresses are nowhere that a repository is. Behind
 * a proxy, and over SSH, names are resolved by others. Throws SOURCE_UNREACHABLE.
 */
export async function remoteOf(url: string, environment: Environment): Promise<Remote> {
  const { protocol, hostname, port } = new URL(url);
  const scheme = protocol.slice(0, -1);
  const remote = { url, environment, protocol: scheme, config: [] };
  const proxied = /^https?_proxy$/i;
  const behind = Object.entries(environment).some(([name, value]) => proxied.test(name) && value);
  if (LOOPBACK.test(hostname) || (behind && scheme !== 'ssh')) return remote;
  const found = isIP(hostname)
    ? [{ address: hostname }]
    : await lookup(hostname, { all: true }).catch(() => []);
  const [first] = found;
  const bad = found.find(
    ({ address }) => /^(?:127[.]|::1$|::ffff:127[.])/.test(address) || !mayReach(address, 'private'),
  );
  if (bad !== undefined || first === undefined)
    throw unreachable(url, `${hostname}, which leads to ${bad?.address ?? 'nowhere'}`);
  if (scheme === 'ssh') return remote;
  return {
    ...remote,
    config: [
      `http.curloptResolve=${hostname}:${port || '443'}:${first.address.includes(':') ? `[${first.address}]` : first.address}`,
    ],
  };
}

export interface Names {
  readonly head: string | null;
  /** The object that the tag names, and the commit behind it. */
  readonly tag: { readonly object: string; readonly commit: string } | null;
  /** Of a branch with the name of the tag. */
  readonly branch: string | null;
}

/** In an empty folder. Throws SOURCE_UNREACHABLE. */
export async function namesAt(remote: Remote, tag: string | null, cwd: string): Promise<Names> {
  const wanted = tag === null ? [] : [`refs/tags/${tag}`, `refs/tags/${tag}^{}`, `refs/heads/${tag}`];
  const words = ['ls-remote', '--end-of-options', remote.url, 'HEAD', ...wanted];
  const said = await git(words, { ...remote, cwd, ms: 60_000, maxBytes: LIST_BYTES });
  if (said.code !== 0) throw unreachable(remote.url, lastWords(said));
  const names = namesIn(said);
  const object = names.get(`refs/tags/${tag}`);
  return {
    head: names.get('HEAD') ?? null,
    tag: object === undefined ? null : { object, commit: names.get(`refs/tags/${tag}^{}`) ?? object },
    branch: names.get(`refs/heads/${tag}`) ?? null,
  };
}

/** Every tag with the commit behind it. In an empty folder. Throws SOURCE_UNREACHABLE. */
export async function tagsAt(remote: Remote, cwd: string): Promise<Map<string, string>> {
  const words = ['ls-remote', '--tags', '--end-of-options', remote.url];
  const said = await git(words, { ...remote, cwd, ms: 60_000, maxBytes: TAGS_BYTES });
  if (said.code !== 0) throw unreachable(remote.url, lastWords(said));
  const names = namesIn(said);
  const tags = [...names.keys()].flatMap((name) => /^refs\/tags\/(.*[^}])$/.exec(name)?.[1] ?? []);
  return new Map(
    tags.map((tag) => [tag, names.get(`refs/tags/${tag}^{}`) ?? names.get(`refs/tags/${tag}`) ?? '']),
  );
}

function namesIn(said: GitSaid): Map<string, string> {
  return new Map(
    linesOf(said).flatMap((line) => {
      const [, oid, name] = /^([0-9a-f]{40}(?:[0-9a-f]{24})?)\t(\S+)$/.exec(line) ?? [];
      return oid === undefined || name === undefined ? [] : [[name, oid] as const];
    }),
  );
}

function linesOf({ stdout }: GitSaid): string[] {
  return stdout.toString('utf8').split('\n');
}

/** A tag, or a whole id of a commit. A branch means something else tomorrow. Throws SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function resolveGit(
  { url, name }: { url: string; name: string },
  environment: Environment,
  cwd: string,
): Promise<GitRef> {
  if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(name)) return { url, tag: null, commit: name };
  if (!isGitTag(name)) throw noName('a tag, or a whole id of a commit', name);
  const { tag, branch } = await namesAt(await remoteOf(url, environment), name, cwd);
  if (tag !== null) return { url, tag: name, commit: tag.commit };
  throw noName(
    `a tag ${name} in ${url}`,
    branch === null ? 'none' : 'a branch of that name, which is another commit tomorrow',
  );
}

function noName(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected,
    found: quote(found, 200),
    next: 'Name one that is there: git:ADDRESS#TAG or git:ADDRESS#COMMIT',
  });
}

export function unreachable(url: string, found: string): LockkeeperError {
  return new LockkeeperError('SOURCE_UNREACHABLE', {
    expected: `the repository ${url}`,
    found,
    next: 'Check the address, and that git on the machine that scans may read it without being asked; then try again',
  });
}
