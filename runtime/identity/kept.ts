/** Things with an end that are made once and kept until shortly before it, by key, at most so many of them. */

export interface Made<T> {
  readonly value: T;
  /** ms since 1970; not kept at all where that is now. */
  readonly until: number;
}

export interface Keeper<T> {
  /** What is kept under the key, or what `make` makes: one making at a time, for all who wait. */
  get(key: string, make: () => Promise<Made<T>>): Promise<T>;
  /** Makes anew what is older than `FORGETTABLE_MS`: what was refused that soon would be refused again. */
  forget(): void;
}

interface Slot<T> {
  readonly making: Promise<T>;
  readonly since: number;
  /** Infinity while it is made. */
  until: number;
}

const FORGETTABLE_MS = 5_000;
/** A failure is not tried again for so long. */
const FAILURE_MS = 1_000;

export function keeper<T>(now: () => number, most: number): Keeper<T> {
  const slots = new Map<string, Slot<T>>();
  const make = (key: string, how: () => Promise<Made<T>>): Slot<T> => {
    const made = how();
    const slot: Slot<T> = {
      making: made.then(({ value }) => value),
      since: now(),
      until: Number.POSITIVE_INFINITY,
    };
    const end = (until: number): void => {
      slot.until = until;
      if (until <= now() && slots.get(key) === slot) slots.delete(key);
    };
    made.then(
      ({ until }) => end(until),
      () => end(now() + FAILURE_MS),
    );
    return slot;
  };
  return {
    get: (key, how) => {
      const before = slots.get(key);
      if (before && now() < before.until && now() >= before.since) return before.making;
      slots.delete(key);
      const oldest = slots.size >= most ? slots.keys().next().value : undefined;
      if (oldest !== undefined) slots.delete(oldest);
      const slot = make(key, how);
      slots.set(key, slot);
      return slot.making;
    },
    forget: () => {
      for (const [key, { since }] of slots) if (now() - since >= FORGETTABLE_MS) slots.delete(key);
    },
  };
}
