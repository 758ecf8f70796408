/** How many servers run at once, of all callers and of each, and how many start at once: what is over waits, or is refused. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { RunningServer } from '../ports.ts';

export interface InstanceLimits {
  readonly running: number;
  /** Of one caller, so that nobody has all of them. */
  readonly runningEach: number;
  readonly starting: number;
  /** How long a start waits for room, ms. */
  readonly waitMs: number;
}

export const INSTANCE_LIMITS: InstanceLimits = { running: 64, runningEach: 48, starting: 4, waitMs: 10_000 };

export class Instances {
  readonly #limits: InstanceLimits;
  /** Starts that wait for room, in the order they came, and whose they are. */
  readonly #waiting = new Map<() => void, string>();
  /** Of each caller: servers that run, start or wait for room. */
  readonly #each = new Map<string, number>();
  /** Those that nothing needs, the longest first. */
  readonly #spare = new Map<object, { readonly owner: string; readonly rest: () => void }>();
  /** Of each caller: servers that start. */
  readonly #startingEach = new Map<string, number>();
  #running = 0;
  #starting = 0;

  constructor(limits: InstanceLimits = INSTANCE_LIMITS) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  /** Starts when there is room. Throws RATE_LIMITED when there is none in time, or what the start throws. */
  async start(owner: string, start: () => Promise<RunningServer>): Promise<RunningServer> {
    const own = (this.#each.get(owner) ?? 0) + 1;
    if (own > this.#limits.runningEach && !this.#rest(owner))
      throw full(`${this.#limits.runningEach} servers of one caller that run at once`);
    this.#each.set(owner, own);
    try {
      await this.#room(owner);
    } catch (error) {
      less(this.#each, owner);
      throw error;
    }
    try {
      const process = await start();
      void process.exited.finally(() => this.#ended(owner));
      return process;
    } catch (error) {
      this.#ended(owner);
      throw error;
    } finally {
      this.#starting--;
      less(this.#startingEach, owner);
      this.#next();
    }
  }

  async #room(owner: string): Promise<void> {
    const { running, starting, waitMs } = this.#limits;
    const until = performance.now() + waitMs;
    while (this.#running >= running || this.#starting >= starting) {
      const left = until - performance.now();
      if (left <= 0 || this.#waiting.size >= 1000) throw full(`${running} servers that run at once`);
      if (this.#running >= running) this.#rest();
      await this.#turn(owner, left);
    }
    this.#running++;
    this.#starting++;
    this.#startingEach.set(owner, (this.#startingEach.get(owner) ?? 0) + 1);
  }

  /** For one server: told how to let it rest while nothing needs it, so that another one finds room. */
  spares(owner: string): (rest: (() => void) | null) => void {
    const key = {};
    return (rest) => {
      this.#spare.delete(key);
      if (rest) this.#spare.set(key, { owner, rest });
    };
  }

  /**
   * Lets the server rest that nothing needed for longest, of this owner, or of whoever has most. False where each is needed.
   */
  #rest(owner?: string): boolean {
    const found = [...this.#spare].filter(([, spare]) => owner === undefined || spare.owner === owner);
    const has = ([, spare]: (typeof found)[number]): number => this.#each.get(spare.owner) ?? 0;
    const [first] = found.sort((a, b) => has(b) - has(a));
    if (!first) return false;
    const [key, spare] = first;
    this.#spare.delete(key);
    spare.rest();
    return true;
  }

  /** Settles when there may be room, or after this time. */
  #turn(owner: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, ms);
      this.#waiting.set(go, owner);
    });
  }

  #ended(owner: string): void {
    this.#running--;
    less(this.#each, owner);
    this.#next();
  }

  /** Whoever has the fewest that start, and of these who came first: nobody waits behind all of somebody else's. */
  #next(): void {
    const starting = (owner: string): number => this.#startingEach.get(owner) ?? 0;
    const [next] = [...this.#waiting].sort(([, a], [, b]) => starting(a) - starting(b));
    next?.[0]();
  }
}

function less(counts: Map<string, number>, owner: string): void {
  const left = (counts.get(owner) ?? 1) - 1;
  if (left > 0) counts.set(owner, left);
  else counts.delete(owner);
}

function full(most: string): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most} on this gateway`,
    found: 'one more is wanted, and none came to rest',
    next: 'Wait, or raise limits.instances in the gateway’s configuration',
  });
}
