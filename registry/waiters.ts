/** Requests that are held until something changes: told from the database, bounded in number. */
import { LockkeeperError } from '../schemas/errors.ts';
import { type Listening, listen } from './db/listen.ts';
import type { Pool } from './db/pool.ts';

export interface WaiterLimits {
  /** Requests held for one holder, and in this process. */
  readonly perHolder: number;
  readonly total: number;
}

const LIMITS: WaiterLimits = { perHolder: 256, total: 1000 };

export interface Hold {
  /** What has to change. */
  readonly key: string;
  /** On whose behalf. */
  readonly holder: string;
  readonly ms: number;
  /** Whoever asked went away. */
  readonly gone: AbortSignal;
}

export class Waiters {
  readonly #pool: Pool;
  readonly #channel: string;
  readonly #limits: WaiterLimits;
  /** By key: how to wake whoever waits for it. */
  readonly #held = new Map<string, Set<() => void>>();
  readonly #holders = new Map<string, number>();
  #total = 0;
  #listening: Listening | null = null;
  #closed = false;

  constructor(pool: Pool, channel: string, limits: Partial<WaiterLimits> = {}) {
    this.#pool = pool;
    this.#channel = channel;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Reads until `read` gives something or the time is over, and again whenever the key was announced; what changes while it
   * reads is not missed. Throws RATE_LIMITED when too many are held already.
   */
  async until<T>({ key, holder, ms, gone }: Hold, read: () => Promise<T | null>): Promise<T | null> {
    const end = performance.now() + ms;
    this.#assertRoom(holder);
    this.#listening ??= listen(this.#pool, this.#channel, (announced) => this.#wake(announced));
    this.#count(holder, 1);
    try {
      while (true) {
        const changed = this.#hold(key, end - performance.now(), gone);
        const found = await read().catch((error: unknown) => {
          changed.drop();
          throw error;
        });
        if (found !== null || performance.now() >= end || gone.aborted || this.#closed) {
          changed.drop();
          return found;
        }
        await changed.over;
      }
    } finally {
      this.#count(holder, -1);
    }
  }

  close(): void {
    this.#closed = true;
    this.#listening?.close();
    this.#wake(undefined);
  }

  #assertRoom(holder: string): void {
    const { perHolder, total } = this.#limits;
    if ((this.#holders.get(holder) ?? 0) < perHolder && this.#total < total) return;
    throw new LockkeeperError('RATE_LIMITED', {
      expected: `at most ${perHolder} questions of one sign-in and ${total} of this registry that wait for an answer`,
      found: 'one more',
      next: 'Wait a little',
    });
  }

  #count(holder: string, by: 1 | -1): void {
    const held = (this.#holders.get(holder) ?? 0) + by;
    if (held === 0) this.#holders.delete(holder);
    else this.#holders.set(holder, held);
    this.#total += by;
  }

  #hold(key: string, ms: number, gone: AbortSignal): { readonly over: Promise<void>; drop(): void } {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const drop = (): void => {
      clearTimeout(timer);
      gone.removeEventListener('abort', drop);
      const all = this.#held.get(key);
      all?.delete(drop);
      if (all?.size === 0) this.#held.delete(key);
      resolve();
    };
    const timer = setTimeout(drop, Math.max(0, ms));
    gone.addEventListener('abort', drop);
    this.#held.set(key, (this.#held.get(key) ?? new Set()).add(drop));
    return { over, drop };
  }

  /** All of them after a connection was lost: announcements are not kept for anyone. */
  #wake(key: string | undefined): void {
    const sets = key === undefined ? [...this.#held.values()] : [this.#held.get(key) ?? []];
    for (const wake of sets.flatMap((set) => [...set])) wake();
  }
}
