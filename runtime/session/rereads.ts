/** Lists that the server says have changed: read again and judged before a call goes on. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import { MAX_IN_FLIGHT } from '../gate/gate.ts';
import type { Notification } from '../wire/message.ts';
import type { Exchange } from './exchange.ts';
import { relist } from './handshake.ts';
import * as limits from './limits.ts';
import * as records from './records.ts';

export interface RereadingOptions {
  readonly relistMs: number;
  /** Calls wait from `hold` to `release`. */
  readonly hold: () => void;
  readonly release: () => void;
}

interface Due {
  readonly notice: Notification;
  /** The subscription of the client that asked for it, where one did. */
  readonly about: string | null;
}

export class Rereading {
  readonly #x: Exchange;
  readonly #o: RereadingOptions;
  readonly #rereads = new limits.Rereads();
  /** Notices to be passed on once their lists are read: by method, then the newest for each subscription. */
  readonly #due = new Map<string, Map<string, Due>>();

  constructor(exchange: Exchange, options: RereadingOptions) {
    this.#x = exchange;
    this.#o = options;
  }

  /**
   * A list changed: calls wait until it is read again and judged; only then the client hears of it, once for each of
   * its subscriptions (`about`).
   */
  begin(sections: readonly Section[], notice: Notification, about: string | null): void {
    const due = this.#due.get(notice.method) ?? new Map<string, Due>();
    if (due.size >= MAX_IN_FLIGHT) return this.#x.fail(limits.TOO_LOUD);
    this.#due.set(notice.method, due.set(`${about}`, { notice, about }));
    const read = (fresh: readonly Section[]): void => {
      this.#due.delete(notice.method);
      void this.#read(fresh, due).catch((error: unknown) => this.#x.fail(asLockkeeperError(error)));
    };
    const asked = this.#rereads.ask(sections, read);
    if (asked === 'too often') this.#x.fail(limits.RESTLESS);
    if (asked === 'soon') this.#o.hold();
  }

  /** A server that is gone by then is read in whole when it is started again. */
  async #read(sections: readonly Section[], due: ReadonlyMap<string, Due>): Promise<void> {
    const { scribe, state, link } = this.#x;
    if (state && link) {
      const { entry, live } = state;
      const compare = { entry, era: link.era, live, timeoutMs: this.#o.relistMs };
      const drifts = await relist(link.peer, compare, sections).catch((error: unknown) => {
        if (this.#x.link === link) throw error;
        return [];
      });
      for (const drift of drifts) this.#x.note(records.drifted(scribe, drift));
      for (const { notice, about } of due.values()) {
        // Who listens in the stateless era has a subscription: without one, a notice is for nobody.
        if (about === null && state.era === 'stateless') continue;
        // Cancelled while the list was read: nobody is left to be told.
        if (about !== null && !this.#x.fromClient.has(about)) continue;
        this.#x.note(records.forwarded(scribe, notice, { direction: 'to-client' }));
        this.#x.aside(notice.bytes, about);
      }
    }
    this.#o.release();
  }
}
