/** Waiting for what is said or seen, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/** As long as a busy machine may take for anything; whoever waits longer waits in vain. */
export const PATIENCE_MS = 45_000;

/** What `look` finds, once that is not false, null or undefined; fails after so many milliseconds. */
export async function until<T>(
  look: () => T | Promise<T>,
  ms = PATIENCE_MS,
): Promise<Exclude<T, false | null | undefined>> {
  for (const end = Date.now() + ms; ; await sleep(10)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false)
      return found as Exclude<T, false | null | undefined>;
    if (Date.now() > end) throw new Error(`it did not come to that in ${ms} ms`);
  }
}

/** Milliseconds of processor time that this process has taken since: what else the machine does is not counted. */
export function processorMs(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}
