/** Notes in a folder that others may write to: what lies there is a file of a note's size, or it is not read. */
import { constants, type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { nothingThere } from './there.ts';

/** Bytes of a note. */
export const MAX_NOTE = 64 * 1024;

/**
 * The note of that name under the folder, or null. A link is not followed, for it may lead to what is nobody's to see, and
 * nothing is waited for. Throws PUBLISHED_FOREIGN for anything but a file of at most 64 KiB in folders.
 */
export async function readNoteFile(folder: string, name: string): Promise<string | null> {
  await assertFolders(folder, name);
  const path = join(folder, name);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      if (error.code === 'ELOOP') throw foreign(path, 'a link');
      if (error.code === 'ENXIO') throw foreign(path, 'something else');
      throw error;
    },
  );
  if (file === null) return null;
  try {
    return await noteOf(file, path);
  } finally {
    await file.close();
  }
}

async function noteOf(file: FileHandle, path: string): Promise<string> {
  if (!(await file.stat()).isFile()) throw foreign(path, 'something else');
  const bytes = Buffer.alloc(MAX_NOTE + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, size, bytes.length - size);
    size += bytesRead;
    if (size > MAX_NOTE) throw foreign(path, `more than ${MAX_NOTE} bytes`);
    if (bytesRead === 0) return bytes.toString('utf8', 0, size);
  }
}

/** What is between the folder and the name is folders, or nothing yet: no link leads out of it. Throws PUBLISHED_FOREIGN. */
export async function assertFolders(folder: string, name: string): Promise<void> {
  for (let path = dirname(name); path !== '.'; path = dirname(path)) {
    const found = await lstat(join(folder, path)).catch(nothingThere);
    if (found !== null && !found.isDirectory())
      throw foreign(join(folder, path), found.isSymbolicLink() ? 'a link' : 'something else', 'a folder');
  }
}

function foreign(path: string, found: string, expected = 'a note'): LockkeeperError {
  return new LockkeeperError('PUBLISHED_FOREIGN', {
    expected: `${expected} at ${quote(path, 200)}`,
    found,
    next: 'Find out who may write there, and restore it from a copy',
  });
}
