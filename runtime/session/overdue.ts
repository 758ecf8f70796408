/** Calls that a server neither answers nor tells progress of: after a time they are over, for the client and for the server. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Pending } from '../gate/gate.ts';
import { encode, refusalOf } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';
import type { Recent } from './limits.ts';
import * as records from './records.ts';

/** How long a call may go without an answer or a sign of progress, ms. */
export const CALL_MS = 5 * 60_000;
const LOOK_MS = 5000;
/** Open for as long as its client wants. */
const LISTEN = 'subscriptions/listen';

export interface OverdueOptions {
  readonly callMs: number;
  /** Ids whose late answers belong to nobody. */
  readonly over: Recent;
}

export class Overdue {
  readonly #x: Exchange;
  readonly #o: OverdueOptions;
  #looking: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange, options: OverdueOptions) {
    this.#x = exchange;
    this.#o = options;
  }

  /** Something was asked: looks from time to time until nothing is in flight. */
  watch(): void {
    const { callMs } = this.#o;
    this.#looking ??= setInterval(() => this.#look(), Math.min(LOOK_MS, callMs / 4)).unref();
  }

  end(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  #look(): void {
    const { fromClient, fromServer } = this.#x;
    if (fromClient.size === 0) return this.end();
    const now = performance.now();
    for (const [key, pending] of fromClient) {
      if (pending.giveUp || pending.method === LISTEN || this.#waitsForTask(pending)) continue;
      // While the server waits for its client, nobody waits for the server.
      if (fromServer.size > 0) pending.heard = now;
      else if (now - (pending.heard ?? pending.since) > this.#o.callMs) this.#give(key, pending);
    }
  }

  /** A result is waited for as long as its task may live. */
  #waitsForTask({ method, task }: Pending): boolean {
    return method === 'tasks/result' && task !== undefined && this.#x.tasks.of(task.id) === task;
  }

  /** Its record, then the word to both sides. */
  #give(key: string, pending: Pending): void {
    const x = this.#x;
    const error = this.#silent(pending);
    x.fromClient.delete(key);
    this.#o.over.add(key);
    const { code, message } = error;
    const end = records.finished(x.scribe, pending, { outcome: 'lost', bytes: 0, code, message });
    x.record(end, () => {
      const params = { requestId: pending.id, reason: 'it took too long' };
      x.link?.peer.send(encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params }));
      x.toClient(refusalOf(pending.id, error), key);
    });
    x.settled();
  }

  #silent({ method, target }: Pending): LockkeeperError {
    const what = target === undefined ? method : `${method} of ${quote(target, 128)}`;
    return new LockkeeperError('SERVER_SILENT', {
      expected: `an answer to ${what}, or progress of it, within ${this.#o.callMs / 1000} s`,
      found: 'none; the server was told that it is over',
      next: 'Look whether it was done before asking again',
    });
  }
}
