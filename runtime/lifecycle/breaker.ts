/**
 * What keeps a server that fails from being started over and over. Three failures in a row open it; while it is open
 * nothing is tried; then one trial is let through, and the first good answer closes it. Times are ms of the given clock.
 */
import { LockkeeperError } from '../../schemas/errors.ts';

const FAILURES = 3;
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** How long a trial has to itself; one that nobody hears the end of keeps no other waiting for longer. */
const TRIAL_MS = 10_000;

export interface BreakerOptions {
  readonly now?: () => number;
  /** [0, 1): spreads the trials of many runtimes. */
  readonly random?: () => number;
}

export class Breaker {
  readonly #now: () => number;
  readonly #random: () => number;
  #failures = 0;
  #openUntil = 0;
  #trialUntil = 0;
  #last = '';

  constructor({ now = () => performance.now(), random = Math.random }: BreakerOptions = {}) {
    this.#now = now;
    this.#random = random;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#failures < FAILURES) return 'closed';
    return this.#now() < this.#openUntil ? 'open' : 'half-open';
  }

  /** A start, a life or a call that failed. */
  failed(why: string): void {
    this.#last = why;
    this.#trialUntil = 0;
    if (++this.#failures < FAILURES) return;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - FAILURES));
    this.#openUntil = this.#now() + longest * (0.5 + this.#random() / 2);
  }

  /** A good answer on the real path. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Null when a start may be tried: while it is half open, by the first who asks. */
  refusal(server: string): LockkeeperError | null {
    const { state } = this;
    if (state === 'closed') return null;
    const now = this.#now();
    if (state === 'half-open' && now >= this.#trialUntil) {
      this.#trialUntil = now + TRIAL_MS;
      return null;
    }
    const until = Math.max(this.#openUntil, this.#trialUntil);
    const seconds = Math.max(1, Math.ceil((until - now) / 1000));
    return new LockkeeperError('SERVER_RESTING', {
      expected: `${server} to start and answer`,
      found: `${this.#failures} failures in a row, the last: ${this.#last.slice(0, 300)}`,
      next: `It is tried again in ${seconds} s; see what it says with: lk ps`,
    });
  }
}
