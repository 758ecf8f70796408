/** Notes in a folder. */
import { join } from 'node:path';
import { alone } from '../../../runtime/store/alone.ts';
import { createAtomic, writeAtomic } from '../../../runtime/store/atomic.ts';
import { assertFolders, readNoteFile } from '../../../runtime/store/note-file.ts';
import type { Shelf } from './shelf.ts';

/** Replicas that share a folder: nothing is laid over what was not read, whoever is faster. */
export function folderShelf(folder: string): Shelf {
  return {
    read: async (name) => {
      const note = await readNoteFile(folder, name);
      return note === null ? null : { note, tag: '' };
    },
    lay: async (name, note, over) => {
      await assertFolders(folder, name);
      const path = join(folder, name);
      if (over === null) return createAtomic(path, note);
      return alone(path, async () => {
        if ((await readNoteFile(folder, name)) !== over.note) return false;
        await writeAtomic(path, note);
        return true;
      });
    },
    unfinished: async () => [],
    finish: async () => undefined,
  };
}
