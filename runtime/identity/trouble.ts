/** The same trouble, met by every request, is told once a minute: who keeps the gateway reads it, and callers cause it. */
import type { LockkeeperError } from '../../schemas/errors.ts';

const QUIET_MS = 60_000;
const MAX_KNOWN = 1000;

export function seldom(
  tell: (error: LockkeeperError) => void,
  now: () => number,
): (error: LockkeeperError) => void {
  const told = new Map<string, number>();
  return (error) => {
    const at = told.get(error.message);
    if (at !== undefined && Math.abs(now() - at) < QUIET_MS) return;
    if (told.size >= MAX_KNOWN) told.clear();
    told.set(error.message, now());
    tell(error);
  };
}
