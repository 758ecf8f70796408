/** Whether a runtime lives, and whether it may be sent calls. */
import { accessSync, constants, statfsSync } from 'node:fs';
import type { JournalObserver } from './observed.ts';

export interface Health extends JournalObserver {
  /** It answers: that is all. */
  live(): { readonly ok: true };
  /** Ready only where a call could be recorded and the lock permits it. */
  ready(): { readonly ok: boolean; readonly reasons: readonly string[] };
}

export interface HealthOptions {
  /** Folder of the journal. */
  readonly journalDir: string;
  /** End of the lock that is in force, milliseconds since the epoch; null: there is none. */
  readonly lockExpires: () => number | null;
  readonly now?: () => number;
}

/** Bytes below which a disk is full. */
const LEAST_FREE = 8 * 1024 * 1024;

/** Hears of the journal's failures by its records: a journal that failed once keeps nothing any more. */
export function health({ journalDir, lockExpires, now = Date.now }: HealthOptions): Health {
  let broken = false;
  return {
    settled: (_, __, failed) => {
      if (failed !== null) broken = true;
    },
    live: () => ({ ok: true }),
    ready: () => {
      const expires = lockExpires();
      const reasons = [
        broken ? 'a record could not be kept' : null,
        unwritable(journalDir),
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
