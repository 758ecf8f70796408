/** Calls in flight, and those that were until a moment ago: what is heard of late may be of one of them. */
import type { Pending } from '../gate/gate.ts';

/** How long an ended call is remembered, ms, and how many are: at the least, and at the most twice that. */
const KEPT_MS = 5000;
const MOST = 1000;
/** Connections that one call is said to have made. */
const MOST_REACHED = 50;

export class InFlight extends Map<string, Pending> {
  #ended: { readonly pending: Pending; readonly at: number }[] = [];

  override delete(key: string): boolean {
    const pending = this.get(key);
    if (pending) this.#end(pending);
    return super.delete(key);
  }

  override clear(): void {
    for (const pending of this.values()) this.#end(pending);
    super.clear();
  }

  /** Those in flight now; with `from`, those too that were at some time since then, in ms of the monotonic clock. */
  during(from?: number): Pending[] {
    // What waits for people is not with the server.
    const now = [...this.values()].filter(({ giveUp }) => giveUp === undefined);
    if (from === undefined) return now;
    return [...this.#ended.filter(({ at }) => at >= from).map(({ pending }) => pending), ...now];
  }

  #end(pending: Pending): void {
    if (pending.giveUp) return;
    const now = performance.now();
    this.#ended.push({ pending: withoutWords(pending.task?.maker ?? pending), at: now });
    const [first] = this.#ended;
    // Cleared seldom: to keep exactly as many would be to copy them with each call.
    if (this.#ended.length < 2 * MOST && first && now - first.at <= 2 * KEPT_MS) return;
    const from = this.#ended.findIndex(({ at }) => now - at <= KEPT_MS);
    this.#ended = this.#ended.slice(Math.max(from, this.#ended.length - MOST));
  }
}

/** Without what its client said, which may be megabytes. */
export function withoutWords(pending: Pending): Pending {
  if (!pending.making && !pending.wish && !pending.task) return pending;
  const { making: _making, wish: _wish, task: _task, ...rest } = pending;
  return rest;
}

/** A connection that was made while this call, and no other, was in flight. */
export function reach(pending: Pending, host: string): void {
  pending.reached ??= new Set();
  if (pending.reached.size < MOST_REACHED) pending.reached.add(host);
}
