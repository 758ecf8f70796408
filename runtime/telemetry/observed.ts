/** A journal whose records others hear of, too. Whoever hears can neither hold a record up nor keep it away. */
import type { AuditBody } from '../../schemas/audit.ts';
import type { Journal } from '../journal/journal.ts';
import { bodyOf } from '../journal/noted.ts';

export interface JournalObserver {
  /** A record was handed to the journal, or made by it. `awaited`: its effect waits until it is durable. */
  recorded?(body: AuditBody, awaited: boolean): void;
  /** An awaited record is on the disk, or cannot be kept; so many ms after it was handed over. */
  settled?(body: AuditBody, ms: number, failed: unknown): void;
}

/** What a session tells besides its records. */
export interface SessionTelemetry {
  /** A client's message is about to be judged. */
  received(): void;
  /** It was judged, and what came of it was handed to the journal. */
  judged(): void;
}

/** The same journal, told to these. What an observer throws is dropped. */
export function observedJournal(journal: Journal, ...observers: readonly JournalObserver[]): Journal {
  const tell = (say: (observer: JournalObserver) => void): void => {
    for (const observer of observers) {
      try {
        say(observer);
      } catch {
        // A record does not depend on who hears of it.
      }
    }
  };
  return {
    ...journal,
    append: (body) => {
      const since = performance.now();
      tell((observer) => observer.recorded?.(body, true));
      const done = (failed: unknown): void =>
        tell((observer) => observer.settled?.(body, performance.now() - since, failed));
      const appended = journal.append(body);
      appended.then(() => done(null), done);
      return appended;
    },
    note: (noted) =>
      journal.note(() => {
        const body = bodyOf(noted);
        tell((observer) => observer.recorded?.(body, false));
        return body;
      }),
  };
}
