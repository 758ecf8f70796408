/** How much a server with a session is to log, as requests without any say it one by one. */
import type { Surface } from '../../schemas/surface.ts';
import type { Peer } from '../session/peer.ts';

/** From the most to the least. */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
const SET_MS = 10_000;

export class Levels {
  readonly #logs: boolean;
  #now: string | null = null;

  constructor({ capabilities }: Pick<Surface, 'capabilities'>) {
    this.#logs = capabilities.logging !== undefined;
  }

  /** The server logs as much as anybody asked for since it started; who did not ask is not told. */
  wish(level: string | null, peer: Peer): void {
    if (!this.#logs || level === null || !LEVELS.includes(level)) return;
    if (this.#now !== null && LEVELS.indexOf(this.#now) <= LEVELS.indexOf(level)) return;
    this.#now = level;
    // A server that does not take it logs as it did.
    void peer.ask('logging/setLevel', { level }, SET_MS).catch(() => undefined);
  }

  over(): void {
    this.#now = null;
  }
}
