/**
 * What keeps a server that fails from being started over and over. Three failures in a row open it; while it is open
 * nothing is tried; then one trial is let through, and the first good answer closes it. Times are ms of the given clock.
 */
import { LockkeeperError } from '../../schemas/errors.ts';

const FAILURES = 3;
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** How long a trial that started may wait for its first answer before another one is let through. */
const ANSWER_MS = 10_000;

export interface BreakerOptions {
  readonly now?: () => number;
  /** [0, 1): spreads the trials of many runtimes. */
  readonly random?: () => number;
}

/** What a server is started under: asked before, and told of how it went. `by`: who starts it. */
export interface Breaking {
  /** A start, a life or a call that failed. */
  failed(why: string, by?: object): void;
  /** A good answer on the real path. */
  succeeded(): void;
  /** The one that was let through stands, and is to answer. */
  started(by: object): void;
  /** The one that was let through goes, and nobody will hear how it would have ended: another may try. */
  left(by: object): void;
  /** Null when `by` may try a start: while it is half open, the first who asks. */
  refusal(server: string, by: object): LockkeeperError | null;
}

export class Breaker implements Breaking {
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #openUntil = 0;
  /** Who tries it, while it is half open, and until when nobody else does: without end while it starts, which has its own bounds. */
  #trial: { readonly by: object; until: number } | null = null;
  #last = '';

  constructor({ now = () => performance.now(), random = Math.random }: BreakerOptions = {}) {
    this.#now = now;
    this.#random = random;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#failures < FAILURES) return 'closed';
    return this.#now() < this.#openUntil ? 'open' : 'half-open';
  }

  failed(why: string): void {
    this.#last = why;
    this.#trial = null;
    if (++this.#failures < FAILURES) return;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - FAILURES));
    this.#openUntil = this.#now() + longest * (0.5 + this.#random() / 2);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#trial = null;
  }

  started(by: object): void {
    if (this.#trial?.by === by) this.#trial.until = this.#now() + ANSWER_MS;
  }

  isTriedBy(by: object | undefined): boolean {
    return by !== undefined && this.#trial?.by === by;
  }

  left(by: object): void {
    if (this.#trial?.by === by) this.#trial = null;
  }

  refusal(server: string, by: object): LockkeeperError | null {
    const { state } = this;
    if (state === 'closed') return null;
    const now = this.#now();
    if (state === 'half-open' && (this.#trial?.until ?? 0) <= now) {
      this.#trial = { by, until: Number.POSITIVE_INFINITY };
      return null;
    }
    const { until = 0 } = this.#trial ?? {};
    const seconds = Math.max(1, Math.ceil((Math.max(this.#openUntil, until) - now) / 1000));
    return new LockkeeperError('SERVER_RESTING', {
      expected: `${server} to start and answer`,
      found: `${this.#failures} failures in a row, the last: ${this.#last.slice(0, 300)}`,
      next: Number.isFinite(seconds)
        ? `It is tried again in ${seconds} s; see what it says with: lk ps`
        : 'It is tried right now: ask again in a moment; see what it says with: lk ps',
    });
  }
}
