/** Notes in a folder. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import type { Shelf } from './shelf.ts';

/** Replicas that share a folder hold what they write against what lies there; the last of two that agree stays. */
export function folderShelf(folder: string): Shelf {
  return {
    read: async (name) => {
      const note = await readFile(join(folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      return note === null ? null : { note, tag: '' };
    },
    lay: async (name, note) => {
      await writeAtomic(join(folder, name), note);
      return true;
    },
    finish: async () => undefined,
  };
}
