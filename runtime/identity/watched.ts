/** What is in a file, as it is: looked at again once a second at most. */
const LOOK_MS = 1000;

export interface Looked<T> {
  /** Which version of it that is. */
  readonly version: string;
  readonly value: T;
}

/** `look` gets what it found before, and null where the last look failed. Whoever waits is told of a look that failed. */
export function watched<T>(
  look: (before: Looked<T> | null) => Promise<Looked<T>>,
  now: () => number,
): () => Promise<T> {
  let kept: Promise<Looked<T>> | null = null;
  let lookedAt = 0;
  return async () => {
    if (!kept || Math.abs(now() - lookedAt) >= LOOK_MS) {
      lookedAt = now();
      const before = kept?.catch(() => null) ?? Promise.resolve(null);
      kept = before.then(look);
      kept.catch(() => undefined);
    }
    return (await kept).value;
  };
}
