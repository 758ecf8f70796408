/** How many servers run at once, and how many start at once: what is over waits a little, or is refused. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { RunningServer } from '../ports.ts';

export interface InstanceLimits {
  readonly running: number;
  readonly starting: number;
  /** How long a start waits for room, ms. */
  readonly waitMs: number;
}

export const INSTANCE_LIMITS: InstanceLimits = { running: 64, starting: 4, waitMs: 10_000 };

export class Instances {
  readonly #limits: InstanceLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #starting = 0;

  constructor(limits: InstanceLimits = INSTANCE_LIMITS) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  /** Starts when there is room. Throws RATE_LIMITED when there is none in time, or what the start throws. */
  async start(start: () => Promise<RunningServer>): Promise<RunningServer> {
    await this.#room();
    try {
      const process = await start();
      void process.exited.finally(() => this.#left('running'));
      return process;
    } catch (error) {
      this.#left('running');
      throw error;
    } finally {
      this.#left('starting');
    }
  }

  async #room(): Promise<void> {
    const { running, starting, waitMs } = this.#limits;
    const until = performance.now() + waitMs;
    while (this.#running >= running || this.#starting >= starting) {
      const left = until - performance.now();
      if (left <= 0 || this.#waiting.length >= 1000) throw full(running);
      await this.#turn(left);
    }
    this.#running++;
    this.#starting++;
  }

  #turn(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(go, ms);
      function go(): void {
        clearTimeout(timer);
        resolve();
      }
      this.#waiting.push(go);
    });
  }

  #left(what: 'running' | 'starting'): void {
    if (what === 'running') this.#running--;
    else this.#starting--;
    this.#waiting.shift()?.();
  }
}

function full(running: number): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${running} servers that run at once on this gateway`,
    found: 'one more is wanted, and none came to rest',
    next: 'Wait, or raise limits.instances in the gateway’s configuration',
  });
}
