/** A zip on the disk, read in places. */
import { open } from 'node:fs/promises';
import type { Source } from '../../runtime/store/zip.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export interface Archive extends Source {
  close(): Promise<void>;
}

/** `gone` is run when it is closed. Reading throws ARCHIVE_HOSTILE when the file shrinks meanwhile. */
export async function openArchive(
  file: string,
  gone: () => Promise<void> = async () => undefined,
): Promise<Archive> {
  const handle = await open(file, 'r');
  const { size } = await handle.stat();
  return {
    size,
    read: async (position, length) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
      if (bytesRead === length) return buffer;
      throw new LockkeeperError('ARCHIVE_HOSTILE', {
        expected: `${length} bytes of ${quote(file, 200)} at ${position}`,
        found: `${bytesRead}`,
        next: 'Do not change an archive while it is read',
      });
    },
    close: async () => {
      await handle.close();
      await gone();
    },
  };
}
