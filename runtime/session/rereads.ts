/** Lists that the server says have changed: read again and judged before a call goes on. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
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

export class Rereading {
  readonly #x: Exchange;
  readonly #o: RereadingOptions;
  readonly #rereads = new limits.Rereads();

  constructor(exchange: Exchange, options: RereadingOptions) {
    this.#x = exchange;
    this.#o = options;
  }

  /** A list changed: calls wait until it is read again and judged; only then the client hears of it. */
  begin(sections: readonly Section[], notice: Notification): void {
    const read = (fresh: readonly Section[]): void =>
      void this.#read(fresh, notice).catch((error: unknown) => this.#x.fail(asLockkeeperError(error)));
    const asked = this.#rereads.ask(sections, read);
    if (asked === 'too often') this.#x.fail(limits.RESTLESS);
    if (asked === 'soon') this.#o.hold();
  }

  /** A server that is gone by then is read in whole when it is started again. */
  async #read(sections: readonly Section[], notice: Notification): Promise<void> {
    const { scribe, state, link } = this.#x;
    if (state && link) {
      const { entry, era, live } = state;
      const compare = { entry, era, live, timeoutMs: this.#o.relistMs };
      const drifts = await relist(link.peer, compare, sections).catch((error: unknown) => {
        if (this.#x.link === link) throw error;
        return [];
      });
      for (const drift of drifts) this.#x.note(records.drifted(scribe, drift));
      this.#x.note(records.forwarded(scribe, notice, { direction: 'to-client' }));
      this.#x.aside(notice.bytes, null);
    }
    this.#o.release();
  }
}
