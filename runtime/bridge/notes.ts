/** What a bridge writes down: questions and answers of a call, and whatever has no place in the other era. */
import type { AuditBody } from '../../schemas/audit.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { secretMark } from '../journal/redact.ts';
import type { Exchange } from '../session/exchange.ts';
import { Noise } from '../session/limits.ts';
import type { Peer } from '../session/peer.ts';
import * as records from '../session/records.ts';
import { notFoundOf, type Request } from '../wire/message.ts';

export interface Round {
  /** The client's request that asks, or is answered. */
  readonly call: string;
  /** The first request of the same call, where this is a later one. */
  readonly of?: string;
  readonly method: string;
  readonly target: string | undefined;
  readonly direction: NonNullable<AuditBody['direction']>;
  readonly round: number;
  /** What is asked for, or answered, in the protocol's words. */
  readonly asks: readonly string[];
  /** What joins question and answer. */
  readonly state: string | null;
  /** Of how many open calls it may have been; absent where it is known. */
  readonly amid?: number;
  /** Why nothing follows. */
  readonly over?: string;
}

export class Notes {
  readonly #x: Exchange;
  readonly #noise = new Noise();

  constructor(exchange: Exchange) {
    this.#x = exchange;
  }

  /** Said in one era, unknown to the other. Of too much of it one record says that the rest has none. */
  dropped(direction: 'to-server' | 'to-client', why: string): void {
    const told = this.#noise.told(why);
    if (told !== null) this.#x.note(records.unbound(this.#x.scribe, direction, told));
  }

  /** The server asked for what it does not get; it is told after the record. */
  refuse(peer: Peer, request: Request, error: LockkeeperError): void {
    const { scribe } = this.#x;
    this.#x.record(records.refused(scribe, request, { direction: 'to-client', error }), () =>
      peer.send(notFoundOf(request.id, error)),
    );
  }

  /** A state stands in it as its mark under the journal's key: whoever reads a record cannot use it. */
  round({ call, method, target, direction, state, over, ...rest }: Round): AuditBody {
    const { scribe } = this.#x;
    return records.body(scribe, 'call.round', {
      direction,
      method,
      ...(target === undefined ? {} : { target }),
      call,
      outcome: over === undefined ? 'ok' : 'lost',
      ...(over === undefined ? {} : { message: over }),
      detail: {
        ...rest,
        asks: [...rest.asks],
        state: state === null ? null : secretMark(state, scribe.journal.key),
      },
    });
  }
}

/** A refusal of the bridge itself. */
export function refusal(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('ROUND_REFUSED', { expected, found, next });
}
