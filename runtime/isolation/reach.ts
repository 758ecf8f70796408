/** Can the user that sandboxes run as reach a path? Only root's folders make this a question. */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

const CACHE = '/var/cache/lockkeeper';

interface Want {
  readonly uid: number;
  readonly write: boolean;
}

/** Throws MOUNT_REFUSED when the ordinary user could not use the path. Without root the caller is that user. */
export async function assertReachable(path: string, want: Want): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const wall = await firstWall(path, want);
  if (wall === null) return;
  throw new LockkeeperError('MOUNT_REFUSED', {
    expected: `${quote(path)} ${want.write ? 'writable' : 'readable'} by user ${want.uid}, as which servers run when root starts them`,
    found: `${quote(wall)} is closed to it`,
    next: 'Run lk as an ordinary user, or give that user access to the folder',
  });
}

/** The path, or a copy of the file in a folder that every user may read. */
export async function reachable(path: string, uid: number): Promise<string> {
  if (process.getuid?.() !== 0 || (await firstWall(path, { uid, write: false })) === null) return path;
  const { size, mtimeMs } = await stat(path);
  const key = createHash('sha256').update(`${path} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
  const copy = join(CACHE, `${key}-${basename(path)}`);
  if (
    await stat(copy).then(
      (facts) => facts.size === size,
      () => false,
    )
  )
    return copy;
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  await chmod(CACHE, 0o755);
  const temporary = `${copy}.${process.pid}`;
  await copyFile(path, temporary);
  await chmod(temporary, 0o755);
  await rename(temporary, copy);
  return copy;
}

/** The first part of a path that the user may not pass, by owner and mode bits; null when the way is free. */
async function firstWall(path: string, { uid, write }: Want): Promise<string | null> {
  const allows = async (at: string, need: number): Promise<boolean> => {
    const facts = await stat(at);
    const shift = facts.uid === uid ? 6 : facts.gid === uid ? 3 : 0;
    return ((facts.mode >> shift) & need) === need;
  };
  const parents: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    parents.unshift(at);
    if (at === '/') break;
  }
  for (const parent of parents) if (!(await allows(parent, 1))) return parent;
  const need = (write ? 2 : 0) | 4 | ((await stat(path)).isDirectory() ? 1 : 0);
  return (await allows(path, need)) ? null : path;
}
