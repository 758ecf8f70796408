/** Whether a runtime lives, and whether it may be sent calls. */
import { accessSync, constants, statfsSync } from 'node:fs';
import type { Journal } from '../journal/journal.ts';

export interface Health {
  /** It answers: that is all. */
  live(): { readonly ok: true };
  /** Ready only where a call could be recorded and the lock permits it. */
  ready(): { readonly ok: boolean; readonly reasons: readonly string[] };
}

export interface HealthOptions {
  readonly journal: Pick<Journal, 'dir' | 'failure'>;
  /** End of the lock that is in force, milliseconds since the epoch; null: there is none. */
  readonly lockExpires: () => number | null;
  readonly now?: () => number;
}

/** Bytes below which a disk is full. */
const LEAST_FREE = 8 * 1024 * 1024;

export function health({ journal, lockExpires, now = Date.now }: HealthOptions): Health {
  return {
    live: () => ({ ok: true }),
    ready: () => {
      const expires = lockExpires();
      const reasons = [
        journal.failure() ? 'a record could not be kept' : null,
        unwritable(journal.dir),
        expires === null ? 'there is no lock' : null,
        expires !== null && now() >= expires ? 'the lock has expired' : null,
      ].filter((reason) => reason !== null);
      return { ok: reasons.length === 0, reasons };
    },
  };
}

function unwritable(dir: string): string | null {
  try {
    accessSync(dir, constants.W_OK);
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize < LEAST_FREE ? 'the journal’s disk is full' : null;
  } catch {
    return 'the journal’s folder cannot be written to';
  }
}
