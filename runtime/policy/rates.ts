/** How often: the lines of a policy that bound calls in number, and what was called so far. */
import type { Compiled } from './compile.ts';
import type { Principal } from './principal.ts';
import type { Rate } from './rules.ts';
import { sliceFor, sliceOf } from './slice.ts';
import { type Item, type Known, keyOf } from './world.ts';

/** What is counted at a time; beyond, what nothing is known of is refused. */
const MAX_COUNTED = 100_000;
/** Principals and items whose lines are kept. */
const MAX_KEPT = 20_000;
const SWEEP_MS = 1000;

/** A line that lets nothing more pass for a while. */
export interface Full {
  readonly rule: string;
  readonly rate: Rate;
  readonly waitMs: number;
}

interface Bucket {
  readonly rate: Rate;
  left: number;
  /** When so much was left, ms of the monotonic clock. */
  at: number;
}

/** As many as may come at once, filled up steadily. One that is full again is forgotten. */
export class Buckets {
  readonly #now: () => number;
  readonly #most: number;
  readonly #held = new Map<string, Bucket>();
  #swept = Number.NEGATIVE_INFINITY;

  constructor(now = () => performance.now(), most = MAX_COUNTED) {
    this.#now = now;
    this.#most = most;
  }

  get size(): number {
    return this.#held.size;
  }

  /** How long until one more may pass, ms; 0: now. */
  wait(key: string, rate: Rate): number {
    const bucket = this.#held.get(key);
    if (!bucket) return this.#hasRoom() ? 0 : SWEEP_MS;
    const left = leftOf(bucket, this.#now());
    return left >= 1 ? 0 : Math.ceil((1 - left) * (rate.ms / rate.calls));
  }

  take(key: string, rate: Rate): void {
    const now = this.#now();
    const bucket = this.#held.get(key);
    const left = (bucket ? leftOf(bucket, now) : rate.calls) - 1;
    this.#held.set(key, { rate, left, at: now });
  }

  #hasRoom(): boolean {
    if (this.#held.size < this.#most) return true;
    const now = this.#now();
    if (now - this.#swept < SWEEP_MS) return false;
    this.#swept = now;
    for (const [key, bucket] of this.#held)
      if (leftOf(bucket, now) >= bucket.rate.calls) this.#held.delete(key);
    return this.#held.size < this.#most;
  }
}

function leftOf({ rate, left, at }: Bucket, now: number): number {
  return Math.min(rate.calls, left + ((now - at) * rate.calls) / rate.ms);
}

interface Line {
  readonly rule: string;
  readonly rate: Rate;
  readonly key: string;
}

export interface RatesSetup {
  readonly policies: readonly Compiled[];
  readonly environment: string;
  readonly world: ReadonlyMap<string, Known>;
}

/** What bounds calls under one policy, counted for as long as it is the same. */
export class Rates {
  readonly #o: RatesSetup;
  readonly #buckets: Buckets;
  readonly #lines = new Map<string, readonly Line[]>();

  constructor(setup: RatesSetup, buckets = new Buckets()) {
    this.#o = setup;
    this.#buckets = buckets;
  }

  /** The line that holds it up longest. Null: it may pass now, and `count` makes it one call more, however many items it is of. */
  full(principal: Principal, items: readonly Item[], count: boolean): Full | null {
    const all = items.flatMap((item) => this.#ofOne(principal, item));
    const lines = new Map(all.map((line) => [line.key, line]));
    let found: Full | null = null;
    for (const { key, rule, rate } of lines.values()) {
      const waitMs = this.#buckets.wait(key, rate);
      if (waitMs > (found?.waitMs ?? 0)) found = { rule, rate, waitMs };
    }
    if (found === null && count) for (const { key, rate } of lines.values()) this.#buckets.take(key, rate);
    return found;
  }

  #ofOne(principal: Principal, item: Item): readonly Line[] {
    const key = `${principal.key} ${keyOf(item)}`;
    const kept = this.#lines.get(key);
    if (kept) return kept;
    const made = this.#made(principal, item);
    const [oldest] = this.#lines.size >= MAX_KEPT ? this.#lines.keys() : [];
    if (oldest !== undefined) this.#lines.delete(oldest);
    this.#lines.set(key, made);
    return made;
  }

  /** Nothing in such a line depends on the call: all that fit are meant. */
  #made(principal: Principal, item: Item): Line[] {
    const { policies, environment, world } = this.#o;
    const known = world.get(keyOf(item));
    if (!known) return [];
    const lines = sliceOf(sliceFor(policies, known, environment), principal);
    const person = principal.uid.id.toLowerCase();
    return lines.flatMap(({ rate, rule, line }) =>
      rate ? [{ rule, rate, key: `${line} ${known.server} ${rate.together ? '' : person}` }] : [],
    );
  }
}

/** Null where no line bounds anything: then nothing is counted. */
export function ratesOf({ policies, ...setup }: RatesSetup): Rates | null {
  const bounding = policies.filter(({ rate }) => rate);
  return bounding.length === 0 ? null : new Rates({ ...setup, policies: bounding });
}
