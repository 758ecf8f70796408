/** Work that leaves nothing behind, interrupted or not. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Does `work`, then `end` once: also where it failed, and where a signal ends this process, which then says no more. */
export async function tidied<T>(work: () => Promise<T>, end: () => Promise<void>): Promise<T> {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    stopping = true;
    void end()
      .catch(() => undefined)
      .finally(() => process.exit(128 + constants.signals[signal]));
  };
  // A second signal of one kind acts at once.
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    return await work();
  } finally {
    if (stopping) await new Promise<never>(() => undefined);
    for (const signal of SIGNALS) process.off(signal, stop);
    await end();
  }
}
