/**
 * What comes and goes with each call, by key, in the order in which it came. A Map that lives long outgrows table after
 * table, each of which leads to the next and still holds what it held: only a full collection frees one that is old, and
 * so all that went through after it. Here a new Map takes over before much of that hangs on the one before.
 */
export class TransientMap<K, V> {
  #map = new Map<K, V>();
  #taken = 0;

  get size(): number {
    return this.#map.size;
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  /** One more; of more than `most` the oldest goes: whoever was to take it may never come. */
  setAmong(most: number, key: K, value: V): void {
    this.#map.set(key, value);
    const [oldest] = this.#map.size > most ? this.#map.keys() : [];
    if (oldest !== undefined) this.take(oldest);
  }

  /** What was there, and is not any more. */
  take(key: K): V | undefined {
    const value = this.#map.get(key);
    if (this.#map.delete(key) && ++this.#taken > 64 + 2 * this.#map.size) {
      this.#map = new Map(this.#map);
      this.#taken = 0;
    }
    return value;
  }

  /** The same where it is still this value that is there. */
  takeIf(key: K, value: V): void {
    if (this.#map.get(key) === value) this.take(key);
  }

  /** All that was there; nothing is any more. */
  takeAll(): V[] {
    const all = this.all();
    this.#map = new Map();
    return all;
  }

  /** As it is now. */
  all(): V[] {
    return [...this.#map.values()];
  }
}
