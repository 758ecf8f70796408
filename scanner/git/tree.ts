/** The tree of one commit, read out of git's own objects: nothing is checked out, filtered or run. */
import { UNPACK_LIMITS, type UnpackedFile } from '../../runtime/store/unpack.ts';
import { placesIn, refusal, type Unzipping } from '../../runtime/store/unzip.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { GitRef } from '../../schemas/git.ts';
import { type Remote, unreachable } from './remote.ts';
import { type GitSaid, git, lastWords } from './run.ts';

const FETCH_MS = 180_000;
const LIST_BYTES = 64 * 1024 * 1024;
const LFS = Buffer.from('version https://git-lfs.github.com/spec/');

export interface Tree {
  readonly files: readonly UnpackedFile[];
  /** Links and submodules, by path, with what they are. */
  readonly leftOut: readonly string[];
  /** Files whose contents are kept elsewhere. */
  readonly pointers: readonly string[];
}

/** Makes a repository of the empty folder with this commit, and its tag, without their history. Throws SOURCE_INVALID and SOURCE_UNREACHABLE. */
export async function fetchCommit({ commit, tag }: GitRef, remote: Remote, cwd: string): Promise<void> {
  const init = [
    'init',
    '--quiet',
    '--bare',
    '--template=',
    `--object-format=${commit.length === 64 ? 'sha256' : 'sha1'}`,
    '.',
  ];
  assertDone(await git(init, { ...remote, cwd }), remote);
  const refs = [
    `${commit}:refs/lockkeeper/commit`,
    ...(tag === null ? [] : [`refs/tags/${tag}:refs/tags/${tag}`]),
  ];
  const words = [
    'fetch',
    '--quiet',
    '--depth=1',
    '--no-tags',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
  ];
  const said = await git([...words, '--end-of-options', remote.url, ...refs], {
    ...remote,
    cwd,
    ms: FETCH_MS,
  });
  if (said.code !== 0 && /not our ref|couldn't find remote ref/i.test(said.stderr)) {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected: `the commit ${commit} in ${remote.url}`,
      found: lastWords(said),
      next: 'Check the address and the commit',
    });
  }
  assertDone(said, remote);
  const kind = await git(['cat-file', '-t', commit], { ...remote, cwd });
  if (kind.code === 0 && kind.stdout.toString().trim() === 'commit') return;
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `${commit} as a commit`,
    found: quote(kind.stdout.toString().trim() || 'nothing', 60),
    next: 'Name a commit, or a tag of one',
  });
}

function assertDone(said: GitSaid, { url }: Remote): void {
  if (said.code !== 0) throw unreachable(url, lastWords(said));
}

interface Entry {
  readonly mode: string;
  readonly oid: string;
  readonly size: number;
  readonly path: string;
}

/** All plain files. Throws ARCHIVE_HOSTILE for paths that leave or collide, and for broken limits. */
export async function readTree(commit: string, remote: Remote, cwd: string): Promise<Tree> {
  const at = {
    label: `the tree of ${commit.slice(0, 12)}`,
    limits: UNPACK_LIMITS,
    next: 'Do not use this commit',
  };
  const list = await git(['ls-tree', '-r', '-z', '-l', '--full-tree', commit], {
    ...remote,
    cwd,
    maxBytes: LIST_BYTES,
  });
  assertDone(list, remote);
  const all = list.stdout
    .toString('utf8')
    .split('\0')
    .filter((one) => one !== '')
    .map((line) => entryIn(line, at));
  const plain = all.filter(isPlain);
  assertLimits(all, plain, at);
  const taken = placesIn(at);
  for (const { path } of plain) taken(path);
  const bytes = await blobsOf(plain, remote, cwd);
  const files = plain.map(({ path, mode }, index) => ({
    path,
    bytes: bytes[index] ?? Buffer.alloc(0),
    executable: mode === '100755',
  }));
  return {
    files,
    leftOut: all
      .filter((one) => !isPlain(one))
      .slice(0, 200)
      .map(({ mode, path }) => `${KINDS[mode] ?? mode} ${path}`),
    pointers: files.filter((file) => file.bytes.subarray(0, LFS.length).equals(LFS)).map(({ path }) => path),
  };
}

function isPlain({ mode }: Entry): boolean {
  return mode === '100644' || mode === '100755';
}

const KINDS: Readonly<Record<string, string>> = { '120000': 'link', '160000': 'submodule' };

function entryIn(line: string, at: Unzipping): Entry {
  const [, mode, oid, size, path] = /^(\d{6}) \w+ ([0-9a-f]+) +(\d+|-)\t(.+)$/s.exec(line) ?? [];
  if (mode === undefined || oid === undefined || path === undefined)
    throw refusal(at, 'entries as git lists them', quote(line));
  return { mode, oid, path, size: size === '-' ? 0 : Number(size) };
}

function assertLimits(all: readonly Entry[], plain: readonly Entry[], at: Unzipping): void {
  const { maxEntries, maxFileBytes, maxBytes } = at.limits;
  if (all.length > maxEntries) throw refusal(at, `at most ${maxEntries} entries`, `${all.length}`);
  const large = plain.find(({ size }) => size > maxFileBytes);
  if (large)
    throw refusal(at, `files of at most ${maxFileBytes} bytes`, `${quote(large.path)} with ${large.size}`);
  const total = plain.reduce((sum, { size }) => sum + size, 0);
  if (total > maxBytes) throw refusal(at, `at most ${maxBytes} bytes together`, `${total}`);
}

/** The contents, in the order that they were asked for. */
async function blobsOf(entries: readonly Entry[], remote: Remote, cwd: string): Promise<Buffer[]> {
  const total = entries.reduce((sum, { size }) => sum + size + 100, 0);
  const input = Buffer.from(entries.map(({ oid }) => `${oid}\n`).join(''));
  const said = await git(['cat-file', '--batch'], {
    ...remote,
    cwd,
    input,
    maxBytes: total + 1024,
    ms: FETCH_MS,
  });
  assertDone(said, remote);
  let at = 0;
  return entries.map(({ oid, size, path }) => {
    const end = said.stdout.indexOf(0x0a, at);
    const head = said.stdout.toString('latin1', at, end);
    if (head !== `${oid} blob ${size}`) throw unreachable(remote.url, `${quote(path)} as ${quote(head)}`);
    at = end + 1 + size + 1;
    return said.stdout.subarray(end + 1, end + 1 + size);
  });
}

/** Whether the default branch has it in its history; a string says why that is not known. */
export async function isReachable(
  commit: string,
  head: string | null,
  { remote, cwd }: { remote: Remote; cwd: string },
): Promise<boolean | string> {
  if (head === null) return 'the repository has no default branch';
  if (head === commit) return true;
  const format = commit.length === 64 ? 'sha256' : 'sha1';
  await git(['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, '.'], {
    ...remote,
    cwd,
  });
  await git(['remote', 'add', 'origin', remote.url], { ...remote, cwd });
  const words = [
    'fetch',
    '--quiet',
    '--filter=tree:0',
    '--no-tags',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
  ];
  const refs = [`${head}:refs/lockkeeper/head`];
  const said = await git([...words, '--end-of-options', 'origin', ...refs], { ...remote, cwd, ms: FETCH_MS });
  if (said.code !== 0) return `its history could not be fetched: ${lastWords(said)}`;
  const there = await git(['rev-list', '--quiet', '--no-walk', commit], { ...remote, cwd });
  if (there.code !== 0) return false;
  const { code } = await git(['merge-base', '--is-ancestor', commit, head], { ...remote, cwd });
  return code === 0;
}
