/** What only the clock and the memory of this machine can tell of a lock: too old, too long, older than one seen. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Lock } from '../../schemas/lock.ts';
import { CLOCK_SKEW_MS, type SeenRoot, short, type TrustedRoot } from './root.ts';

const HOUR_MS = 3_600_000;

/** The newest lock this machine accepted for an audience, with the root and the checkpoint that came with it. */
export interface SeenLock {
  readonly version: number;
  readonly digest: string;
  readonly rootVersion: number;
  /** A signed note: kept whole, as the proof if the log is ever rewritten. */
  readonly checkpoint: string;
  /** The root itself; not in what older versions of this program wrote. */
  readonly root?: SeenRoot | undefined;
}

/** Issued, not over, and never alive for longer than root and project allow. */
export function assertFresh(lock: Lock, { now, maxHours }: { now: Date; maxHours: number }): void {
  const time = now.getTime();
  if (!(Date.parse(lock.issuedAt) <= time + CLOCK_SKEW_MS)) {
    throw new LockkeeperError('LOCK_FUTURE', {
      expected: `a lock issued before ${now.toISOString()}`,
      found: `one issued at ${lock.issuedAt}`,
      next: 'Check this machine’s clock',
    });
  }
  const life = Date.parse(lock.expires) - Date.parse(lock.issuedAt);
  if (!(life > 0 && life <= maxHours * HOUR_MS)) {
    throw new LockkeeperError('LOCK_LIFE', {
      expected: `a lock that lives at most ${maxHours} hours`,
      found: `one from ${lock.issuedAt} to ${lock.expires}`,
      next: 'Run: lk lock; a lock that long could hide a revocation',
    });
  }
  if (!(time < Date.parse(lock.expires))) {
    throw new LockkeeperError('LOCK_EXPIRED', {
      expected: `a lock valid at ${now.toISOString()}`,
      found: `one that ended at ${lock.expires}`,
      next: 'Run: lk lock',
    });
  }
}

/**
 * Until when a server that runs under this lock may be called: its end, and the grace that the root grants this
 * environment by name. Nothing starts after the lock's own end. Milliseconds since the epoch.
 */
export function runsUntil({ expires, environment }: Lock, { root }: TrustedRoot): number {
  const { graceHours } = root.lifetimes;
  const hours = Object.hasOwn(graceHours, environment) ? (graceHours[environment] ?? 0) : 0;
  return Date.parse(expires) + hours * HOUR_MS;
}

/** Versions only grow, and one version is one text. */
export function assertNotOlder(
  lock: Lock,
  digest: string,
  seen: Pick<SeenLock, 'version' | 'digest'> | null,
): void {
  if (seen === null || lock.version > seen.version) return;
  if (lock.version === seen.version && digest === seen.digest) return;
  if (lock.version === seen.version) {
    throw new LockkeeperError('LOCK_EQUIVOCATION', {
      expected: `lock version ${lock.version} with digest ${short(seen.digest)}, as seen before`,
      found: `digest ${short(digest)}`,
      next: 'Two different locks were signed under one version: report both files to your security team',
    });
  }
  throw new LockkeeperError('LOCK_ROLLBACK', {
    expected: `lock version ${seen.version} or newer`,
    found: `version ${lock.version}`,
    next: 'Update mcp.lock from version control, or run: lk lock',
  });
}

/** Each version of a lock is an entry of the log: one far ahead would shut out all that honestly follow it. */
export function assertCounted({ version }: Lock, size: number): void {
  if (version <= size) return;
  throw new LockkeeperError('LOCK_FUTURE', {
    expected: `a lock version of at most ${size}, which is all that the log has entries for`,
    found: `version ${version}`,
    next: 'Somebody signed a version that never was: keep the file and tell your security team',
  });
}

/** A root may say that everything before a version is to be refused, and it never becomes older itself. */
export function assertNotBelow(lock: Lock, { root }: TrustedRoot, seen: SeenLock | null): void {
  const least = Object.hasOwn(root.minLockVersions, lock.audience)
    ? (root.minLockVersions[lock.audience] ?? 1)
    : 1;
  if (lock.version < least) {
    throw new LockkeeperError('LOCK_ROLLBACK', {
      expected: `lock version ${least} or newer of ${lock.audience}, as root version ${root.version} asks`,
      found: `version ${lock.version}`,
      next: 'Run: lk lock',
    });
  }
  if (seen !== null && root.version < seen.rootVersion) {
    throw new LockkeeperError('ROOT_ROLLBACK', {
      expected: `root version ${seen.rootVersion} or newer, as seen before`,
      found: `version ${root.version}`,
      next: 'Update mcp.lock from version control, or run: lk lock',
    });
  }
}
