/** A client's file replaced, with the one before beside it; and brought back. */
import { lstat, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createAtomic, replaceAtomic } from '../../runtime/store/atomic.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { bytesOf } from './files.ts';

const MARK = '.before-lk-';

/** Where the file from before stands: its name says which bytes took its place. */
function copyOf(path: string, now: Uint8Array): string {
  return `${path}${MARK}${sha256(now).slice(7, 23)}`;
}

/** Returns where the bytes from before are kept. Throws FILE_CHANGED, and writes nothing, where they are no longer there. */
export async function replace(path: string, before: Buffer, after: Buffer): Promise<string> {
  const like = await lstat(path);
  const copy = copyOf(path, after);
  if (!(await createAtomic(copy, before, like)) && !(await bytesOf(copy)).equals(before))
    throw changed(`${copy} to be a copy of ${basename(path)}`, 'one of another version', 'Move it away');
  if (!(await lstat(path)).isFile() || !(await bytesOf(path)).equals(before))
    throw changed(`${path} as it was shown`, 'other bytes', 'Run the command again');
  await replaceAtomic(path, after, like);
  return copy;
}

export interface Kept {
  readonly copy: string;
  readonly before: Buffer;
  readonly now: Buffer;
}

/** What stood in the place of the file as it is now. Throws NOT_FOUND, or FILE_CHANGED where it was changed since. */
export async function keptBefore(path: string): Promise<Kept> {
  const now = await bytesOf(path);
  const copy = copyOf(path, now);
  const found = await lstat(copy).catch(() => null);
  if (found?.isFile()) return { copy, before: await bytesOf(copy), now };
  const others = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}${MARK}`));
  const [other] = others;
  if (other !== undefined)
    throw changed(
      `${path} as lk adopt wrote it`,
      'a file that was changed since',
      `Compare it with ${join(dirname(path), other)} and put back by hand what is wanted`,
    );
  throw new LockkeeperError('NOT_FOUND', {
    expected: `a copy of ${path} from before`,
    found: 'none beside it',
    next: 'lk adopt keeps one whenever it writes',
  });
}

/** The copy is gone afterwards. Throws FILE_CHANGED, and writes nothing, where the file is no longer as it was. */
export async function bringBack(path: string, { copy, before, now }: Kept): Promise<void> {
  const like = await lstat(path);
  if (!like.isFile() || !(await bytesOf(path)).equals(now))
    throw changed(`${path} as it was read`, 'other bytes', 'Run the command again');
  await replaceAtomic(path, before, like);
  await rm(copy);
}

function changed(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('FILE_CHANGED', { expected, found, next });
}
