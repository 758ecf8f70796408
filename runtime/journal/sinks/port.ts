/** Whoever is told of the journal's records. */
import type { AuditRecord } from '../../../schemas/audit.ts';
import { LockkeeperError, quote } from '../../../schemas/errors.ts';

export interface Taken {
  /** Number of the last record that the other side now has. */
  readonly upTo: number;
  /** Records that it had and will not keep; offering them again would change nothing. */
  readonly refused?: { readonly count: number; readonly why: string };
}

export interface Sink {
  readonly name: string;
  /**
   * Hands records of one journal over, in order. Records may come again: whoever takes them knows each by its journal and
   * number. Rejects when nothing is known to have arrived.
   */
  deliver(records: readonly AuditRecord[]): Promise<Taken>;
  /** Lets go of connections; a delivery under way fails. */
  close(): Promise<void>;
}

/** A delivery that failed in a way that says how to go on. */
export class Undelivered extends LockkeeperError {
  /** Fewer records at once may pass. */
  readonly tooLarge: boolean;
  /** It is these records that are not taken, not the other side that is unwell: others may pass. */
  readonly unfit: boolean;
  /** The other side asked for so long a pause. */
  readonly retryMs: number;

  constructor(
    sink: string,
    found: string,
    hints: { tooLarge?: boolean; unfit?: boolean; retryMs?: number; cause?: unknown } = {},
  ) {
    super('SINK_FAILED', {
      expected: `the sink ${sink} to take the records`,
      found: quote(found, 300),
      next: 'They wait in the journal and are offered again; look at the receiver, its address and its certificate',
      cause: hints.cause,
    });
    this.tooLarge = hints.tooLarge ?? false;
    this.unfit = hints.unfit ?? this.tooLarge;
    this.retryMs = hints.retryMs ?? 0;
  }
}
