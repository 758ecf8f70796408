/** Files that are whole or not there: written beside their place, renamed. */
import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { constants, type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Temp file, fsync, rename, fsync of the folder: a reader sees the old content or the new one, never half of it, and after
 * a crash it is there. Makes the folder if there is none. `mode`: of the file, if it is new.
 */
export async function writeAtomic(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await put(path, content, { mode, durable: true, place: rename });
  await syncFolder(dirname(path));
}

/** Whose a file is, and who may read it. */
export type Like = Pick<Stats, 'mode' | 'uid' | 'gid'>;

/** As `writeAtomic`, with owner and mode of the file that it takes the place of, whatever the mask. */
export async function replaceAtomic(path: string, content: Uint8Array, like: Like): Promise<void> {
  await put(path, content, { mode: 0o600, durable: true, place: rename, like });
  await syncFolder(dirname(path));
}

/** The same where nothing is yet: false, and nothing written, where something is. */
export async function createAtomic(
  path: string,
  content: string | Uint8Array,
  like?: Like,
): Promise<boolean> {
  const mode = like ? 0o600 : 0o644;
  const made = await put(path, content, { mode, durable: true, place: link, like }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (made) await syncFolder(dirname(path));
  return made;
}

/** What was renamed into it is there after a crash. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Without a sync, for its owner's view of what runs: readers see one whole file; a crash of the machine may lose it. */
export async function writeView(path: string, content: string | Uint8Array): Promise<void> {
  await put(path, content, { mode: 0o600, durable: false, place: rename });
}

interface Putting {
  readonly mode: number;
  readonly durable: boolean;
  /** How the whole file gets its name. */
  readonly place: (from: string, to: string) => Promise<void>;
  readonly like?: Like | undefined;
}

async function put(
  path: string,
  content: string | Uint8Array,
  { mode, durable, place, like }: Putting,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(content);
    if (like) await liken(file, like);
    if (durable) await file.sync();
    await file.close();
    await place(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function liken(file: FileHandle, { mode, uid, gid }: Like): Promise<void> {
  const own = await file.stat();
  if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
  await file.chmod(mode & 0o7777);
}
