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
  readonly #waiting = new Set<() => void>();
  /** Of each caller: servers that run, start or wait for room. */
  readonly #each = new Map<string, number>();
  /** Those that nothing needs, the longest first. */
  readonly #spare = new Map<object, { readonly owner: string; readonly rest: () => void }>();
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
      await this.#room();
    } catch (error) {
      this.#less(owner);
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
      this.#next();
    }
  }

  async #room(): Promise<void> {
    const { running, starting, waitMs } = this.#limits;
    const until = performance.now() + waitMs;
    while (this.#running >= running || this.#starting >= starting) {
      const left = until - performance.now();
      if (left <= 0 || this.#waiting.size >= 1000) throw full(`${running} servers that run at once`);
      if (this.#running >= running) this.#rest();
      await this.#turn(left);
    }
    this.#running++;
    this.#starting++;
  }

  /** For one server: told how to let it rest while nothing needs it, so that another one finds room. */
  spares(owner: string): (rest: (() => void) | null) => void {
    const key = {};
    return (rest) => {
      this.#spare.delete(key);
      if (rest) this.#spare.set(key, { owner, rest });
    };
  }

  /** Lets the server rest that nothing needed for longest, of this owner or of all. False where each is needed. */
  #rest(owner?: string): boolean {
    for (const [key, spare] of this.#spare) {
      if (owner !== undefined && spare.owner !== owner) continue;
      this.#spare.delete(key);
      spare.rest();
      return true;
    }
    return false;
  }

  /** Settles when there may be room, or after this time. */
  #turn(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, ms);
      this.#waiting.add(go);
    });
  }

  #ended(owner: string): void {
    this.#running--;
    this.#less(owner);
    this.#next();
  }

  #less(owner: string): void {
    const left = (this.#each.get(owner) ?? 1) - 1;
    if (left > 0) this.#each.set(owner, left);
    else this.#each.delete(owner);
  }

  #next(): void {
    const [next] = this.#waiting;
    next?.();
  }
}

function full(most: string): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most} on this gateway`,
    found: 'one more is wanted, and none came to rest',
    next: 'Wait, or raise limits.instances in the gateway’s configuration',
  });
}
