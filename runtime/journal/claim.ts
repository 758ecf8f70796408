/**
 * Who writes a journal. The kernel keeps the claim, as a lock of a file in its folder: it holds for whoever reaches the
 * folder, in every namespace of the machine, and goes with its process, however that ends.
 */
import { join } from 'node:path';
import { broken } from './writer.ts';

export interface Claim {
  close(): void;
}

const FILE = 'writer.lock';
const SQLITE_BUSY = 5;

/** Null while somebody else has it. Throws JOURNAL_BROKEN where it cannot be known. */
export function claim(dir: string): Claim | null {
  // Node has no lock of files but that of its database, which stays empty.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const path = join(dir, FILE);
  try {
    const held = new DatabaseSync(path, { timeout: 0 });
    try {
      held.exec('BEGIN EXCLUSIVE');
      return held;
    } catch (cause) {
      held.close();
      throw cause;
    }
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw broken(`a lock of ${path}`, (cause as Error).message, cause);
  }
}
