/** Bytes of answers that are not whole yet: bounded for each remote server, and for all of them together. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Limits } from './outlet.ts';

/** Bytes of each answer that are not counted: who holds much keeps nobody from answering shortly. */
const FREE_BYTES = 64 * 1024;

/** By origin, however many sessions there are with it. */
const byServer = new Map<string, number>();
let byAll = 0;

/** What one answer holds. To be let go of by `now(0)`. */
export class Held {
  readonly #server: string;
  readonly #limits: Pick<Limits, 'heldBytes' | 'heldByAll'>;
  #counted = 0;

  constructor(server: string, limits: Pick<Limits, 'heldBytes' | 'heldByAll'>) {
    this.#server = server;
    this.#limits = limits;
  }

  /** Throws RATE_LIMITED where it holds more than before, and that is too much. */
  now(bytes: number): void {
    const counted = Math.max(0, bytes - FREE_BYTES);
    const more = counted - this.#counted;
    if (more === 0) return;
    this.#counted = counted;
    byAll += more;
    const own = (byServer.get(this.#server) ?? 0) + more;
    if (own > 0) byServer.set(this.#server, own);
    else byServer.delete(this.#server);
    const { heldBytes, heldByAll } = this.#limits;
    if (more > 0 && own > heldBytes) throw tooMuch('one remote server', heldBytes);
    if (more > 0 && byAll > heldByAll) throw tooMuch('all remote servers', heldByAll);
  }
}

function tooMuch(whose: string, most: number): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most} bytes of answers of ${whose} that are not whole yet`,
    found: 'more',
    next: 'Ask for less at once; if one server is slow to finish what it begins, tell its operator',
  });
}
