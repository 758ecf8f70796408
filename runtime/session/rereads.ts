/** Lists that the server says have changed: read again and judged before a call goes on. */
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Notification } from '../wire/message.ts';
import { relist } from './handshake.ts';
import * as limits from './limits.ts';
import type { Link } from './link.ts';
import * as records from './records.ts';

export interface RereadingOptions {
  readonly scribe: records.Scribe;
  readonly toClient: (bytes: Buffer) => void;
  readonly relistMs: number;
  readonly fail: (error: LockkeeperError) => void;
  /** Calls wait from `hold` to `release`. */
  readonly hold: () => void;
  readonly release: () => void;
}

export class Rereading {
  readonly #o: RereadingOptions;
  readonly #rereads = new limits.Rereads();

  constructor(options: RereadingOptions) {
    this.#o = options;
  }

  /** A list changed: calls wait until it is read again and judged; only then the client hears of it. */
  begin(link: Link, sections: readonly Section[], notice: Notification): void {
    const { fail, hold } = this.#o;
    const read = (fresh: readonly Section[]): void =>
      void this.#read(link, fresh, notice).catch((error: unknown) => fail(asLockkeeperError(error)));
    const asked = this.#rereads.ask(sections, read);
    if (asked === 'too often') fail(limits.RESTLESS);
    if (asked === 'soon') hold();
  }

  async #read({ state, peer }: Link, sections: readonly Section[], notice: Notification): Promise<void> {
    const { scribe, toClient, relistMs, release } = this.#o;
    const compare = { entry: state.entry, era: state.era, live: state.live, timeoutMs: relistMs };
    const { journal } = scribe;
    for (const drift of await relist(peer, compare, sections)) journal.note(records.drifted(scribe, drift));
    journal.note(records.forwarded(scribe, notice, { direction: 'to-client' }));
    toClient(notice.bytes);
    release();
  }
}
