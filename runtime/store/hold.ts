/**
 * Files that one process at a time holds. The kernel keeps that, as a lock of the file: it holds for whoever reaches the
 * file, in every namespace of the machine, and goes with its process, however that ends. Nothing else may open such a
 * file: a process that closes it again lets its own lock go. It is empty.
 */
import type { DatabaseSync } from 'node:sqlite';

export interface Hold {
  close(): void;
}

const SQLITE_BUSY = 5;

/** Null while somebody else has it. Throws where it cannot be known. The folder has to be there. */
export function hold(path: string): Hold | null {
  // Without a journal of its own beside it, which would take room on the disk and stay behind a kill.
  return locked(path, 'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE', false);
}

/** Whether somebody has it now; nobody is kept from it. Throws where it cannot be known, or there is no such file. */
export function isHeld(path: string): boolean {
  const seen = locked(path, 'SELECT 1 FROM sqlite_schema', true);
  seen?.close();
  return seen === null;
}

/** Node has no lock of files but that of its database. */
function locked(path: string, statement: string, readOnly: boolean): DatabaseSync | null {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const file = new DatabaseSync(path, { timeout: 0, readOnly });
  try {
    file.exec(statement);
    return file;
  } catch (error) {
    file.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
}
