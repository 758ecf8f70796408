/** Who writes a journal: whoever holds a file in its folder. */
import { join } from 'node:path';
import { type Hold, hold } from '../store/hold.ts';
import { broken } from './broken.ts';

export type Claim = Hold;

const FILE = 'writer.lock';

/** Null while somebody else has it. Throws JOURNAL_BROKEN where it cannot be known. */
export function claim(dir: string): Claim | null {
  const path = join(dir, FILE);
  try {
    return hold(path);
  } catch (cause) {
    throw broken(`a lock of ${path}`, (cause as Error).message, cause);
  }
}
