/** Ending when told to, and work that leaves nothing behind, interrupted or not. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a terminal sends arrives a second time through npm: for so long, ms, it is the same signal. */
const SAME_MS = 5000;

/** Calls `stop` once when this process is told to end; told again later, it ends at once. Returns what takes it back. */
export function whenTold(stop: (signal: NodeJS.Signals) => void): () => void {
  let first: number | null = null;
  const hear = (signal: NodeJS.Signals): void => {
    if (first === null) {
      first = performance.now();
      stop(signal);
    } else if (performance.now() - first > SAME_MS) process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return () => {
    for (const signal of SIGNALS) process.off(signal, hear);
  };
}

/** Does `work`, then `end` once: also where it failed, and where a signal ends this process, which then says no more. */
export async function tidied<T>(work: () => Promise<T>, end: () => Promise<void>): Promise<T> {
  let stopping = false;
  const forget = whenTold((signal) => {
    stopping = true;
    void end()
      .catch(() => undefined)
      .finally(() => process.exit(128 + constants.signals[signal]));
  });
  try {
    return await work();
  } finally {
    if (stopping) await new Promise<never>(() => undefined);
    forget();
    await end();
  }
}
