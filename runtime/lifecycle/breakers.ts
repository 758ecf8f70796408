/**
 * The breakers of one server that many callers have processes of. What a caller says can make their own process fail, as
 * often as they like: so each caller has a breaker, and the one of all counts each of them once. It opens when three
 * callers failed in a row without a good answer to anybody between.
 */
import type { LockkeeperError } from '../../schemas/errors.ts';
import { Breaker, type BreakerOptions, type Breaking } from './breaker.ts';

/** Callers whose failures are remembered; the one that failed first is forgotten. */
const MAX_CALLERS = 10_000;

export class Breakers {
  readonly #options: BreakerOptions;
  readonly #all: Breaker;
  /** Of those who failed since their last good answer. */
  readonly #each = new Map<string, Breaker>();
  /** Who failed since anybody's last good answer. */
  readonly #failed = new Set<string>();

  constructor(options: BreakerOptions = {}) {
    this.#options = options;
    this.#all = new Breaker(options);
  }

  /** Of the caller who is worst off. */
  get state(): Breaker['state'] {
    const states = [this.#all, ...this.#each.values()].map(({ state }) => state);
    return states.find((state) => state === 'open') ?? states.find((state) => state !== 'closed') ?? 'closed';
  }

  of(caller: string): Breaking {
    return {
      failed: (why, by) => this.#fails(caller, why, by),
      succeeded: () => {
        this.#each.delete(caller);
        this.#failed.clear();
        this.#all.succeeded();
      },
      started: (by) => {
        this.#each.get(caller)?.started(by);
        this.#all.started(by);
      },
      left: (by) => {
        this.#each.get(caller)?.left(by);
        this.#all.left(by);
      },
      refusal: (server, by) => this.#refusal(caller, server, by),
    };
  }

  #refusal(caller: string, server: string, by: object): LockkeeperError | null {
    const own = this.#each.get(caller);
    const refused = own?.refusal(server, by);
    if (refused) return refused;
    const resting = this.#all.refusal(server, by);
    if (resting) own?.left(by);
    return resting;
  }

  #fails(caller: string, why: string, by: object | undefined): void {
    const own = this.#each.get(caller) ?? new Breaker(this.#options);
    const [oldest] = this.#each.size >= MAX_CALLERS ? this.#each.keys() : [];
    if (oldest !== undefined) this.#each.delete(oldest);
    this.#each.set(caller, own);
    own.failed(why);
    if (this.#failed.has(caller) && !this.#all.isTriedBy(by)) return;
    this.#failed.add(caller);
    this.#all.failed(why);
  }
}
