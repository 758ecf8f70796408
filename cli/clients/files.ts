/** The files in which the clients of this machine keep their servers, found and read; never written here. */
import { glob, lstat, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, parse, relative, resolve } from 'node:path';
import { type Entry, entriesOf, MAX_CLIENT_FILE_BYTES } from '../../scanner/targets/client-file.ts';
import { CLIENTS, type ClientId, machineFiles } from '../../scanner/targets/places.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import type { Context } from '../command.ts';
import { readOr } from '../project.ts';

/** One file that may be there. */
export interface Place {
  readonly path: string;
  /** Who reads it, by name. */
  readonly clients: readonly string[];
  /** The folder that its clients start servers in; null for a file of the whole machine. */
  readonly dir: string | null;
}

/** In the order of the table, those of folders first; each path once. */
export async function placesOf(
  { config }: Pick<Context, 'config'>,
  dirs: readonly string[],
  only: readonly ClientId[] = Object.keys(CLIENTS) as ClientId[],
): Promise<Place[]> {
  const { environment } = config;
  const machine = { home: environment.HOME || homedir(), platform: process.platform, environment };
  const found = new Map<string, Place>();
  const add = (id: ClientId, path: string, dir: string | null): void => {
    const known = found.get(path) ?? { path, clients: [], dir };
    found.set(path, { ...known, clients: [...known.clients, CLIENTS[id].title] });
  };
  for (const dir of dirs)
    for (const id of only) for (const file of CLIENTS[id].project) add(id, join(dir, file), dir);
  for (const id of only)
    for (const pattern of machineFiles(id, machine))
      for (const path of await matching(pattern)) add(id, path, null);
  return [...found.values()];
}

/** The pattern itself where it has no `*`. Folders above are taken as they are spelled. */
async function matching(pattern: string): Promise<string[]> {
  const at = pattern.indexOf('*');
  if (at < 0) return [pattern];
  const base = dirname(`${pattern.slice(0, at)}x`);
  const found: string[] = [];
  for await (const name of glob(relative(base, pattern), { cwd: base })) found.push(join(base, name));
  return found.sort();
}

export interface ReadFile {
  readonly bytes: Buffer;
  readonly text: string;
  readonly entries: readonly Entry[];
}

/** Of a client's file, all of them. Throws SYSTEM; NOT_FOUND where there is none. */
export async function bytesOf(path: string): Promise<Buffer> {
  const missing = (): LockkeeperError =>
    new LockkeeperError('NOT_FOUND', {
      expected: 'the file of an MCP client',
      found: `no ${path}`,
      next: 'See which there are: lk discover',
    });
  return readOr(path, missing, MAX_CLIENT_FILE_BYTES);
}

/** A client's file, whole. Throws DOCUMENT_INVALID too. */
export async function readClientFile(path: string): Promise<ReadFile> {
  const bytes = await bytesOf(path);
  const text = bytes.toString('utf8');
  return { bytes, text, entries: entriesOf(path, text) };
}

export interface Problem {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

/** Null where there is no such file; a problem where it cannot be read. */
export async function look(path: string): Promise<ReadFile | Problem | null> {
  try {
    return await readClientFile(path);
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    const { code, path: at } = (error.cause ?? {}) as NodeJS.ErrnoException;
    // A file where the folder of a client would be: it has none.
    if (error.code === 'NOT_FOUND' || (code === 'ENOTDIR' && at === path)) return null;
    return { file: path, code: error.code, message: error.message };
  }
}

/** Where a file really is, where that is elsewhere. Null for one that is where it is named. */
export async function ledTo(path: string): Promise<string | null> {
  if (!(await lstat(path).catch(() => null))?.isSymbolicLink()) return null;
  return realpath(path).catch(() => 'nowhere');
}

/**
 * That nothing on the way to a file is a link, from the folder of work, the home folder or its own on: what a repository
 * brings does not decide which file is written. Throws FILE_LINKED.
 */
export async function assertOwnPlace(path: string, roots: readonly string[]): Promise<void> {
  const root = roots.find((one) => isWithin(path, one)) ?? dirname(path);
  const really = await realpath(path);
  if (really === resolve(await realpath(root), relative(root, path))) return;
  throw new LockkeeperError('FILE_LINKED', {
    expected: `${path} to be a file of its own`,
    found: `a link that leads to ${really}`,
    next: 'Name the file that it leads to, if that is the one to be written',
  });
}

function isWithin(path: string, root: string): boolean {
  const way = relative(root, path);
  return root !== parse(root).root && way !== '' && !way.startsWith('..') && resolve(root, way) === path;
}
