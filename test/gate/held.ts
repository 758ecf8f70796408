/** A journal whose records of one kind are not durable until they are let go. */
import type { AuditBody } from '../../schemas/audit.ts';
import { until } from '../helpers/wait.ts';
import type { Setup } from './faces.ts';

/** Of the runtime that was made last with it. */
export interface Held {
  readonly setup: Setup;
  /** Settles when a record waits. */
  waits(): Promise<void>;
  release(): void;
}

export function heldRecords(of: (body: AuditBody) => boolean): Held {
  let waiting: (() => void)[] = [];
  let seen = false;
  return {
    setup: {
      journal: (journal) => ({
        ...journal,
        append: (body) => {
          if (!of(body)) return journal.append(body);
          seen = true;
          return new Promise<void>((resolve) => waiting.push(resolve)).then(() => journal.append(body));
        },
      }),
    },
    waits: async () => void (await until(() => seen)),
    release: () => {
      for (const go of waiting) go();
      waiting = [];
    },
  };
}
