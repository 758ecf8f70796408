/** The policy that a verified lock carries: the only one that a runtime reads. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Lock } from '../../schemas/lock.ts';
import { compilePolicy } from './compile.ts';
import { openPolicy, type Policy } from './open.ts';
import { POLICY_FILE } from './words.ts';
import { type LockedTexts, namesOf } from './world.ts';

type Carrier = Pick<Lock, 'policy' | 'environment' | 'servers'>;

/** Throws POLICY_INVALID where the policy speaks of what is not in this lock, or is not understood. */
export function assertUnderstood({ policy, servers }: Carrier): void {
  if (policy) compilePolicy(policy.text, namesOf(new Map(Object.entries(servers))));
}

/**
 * Ready to judge the servers whose locked texts are given, by alias. Null where the lock carries no policy: then every
 * locked tool is allowed. Throws POLICY_INVALID.
 */
export function lockedPolicy(
  { policy, environment, servers }: Carrier,
  surfaces: ReadonlyMap<string, LockedTexts>,
): Policy | null {
  if (!policy) return null;
  return openPolicy({ ...policy, environment, entries: new Map(Object.entries(servers)), surfaces });
}

/** For faces that serve more than one person. Throws POLICY_MISSING or POLICY_INVALID. */
export function requiredPolicy(lock: Carrier, surfaces: ReadonlyMap<string, LockedTexts>): Policy {
  const policy = lockedPolicy(lock, surfaces);
  if (policy) return policy;
  throw new LockkeeperError('POLICY_MISSING', {
    expected: 'a lock that carries a policy, for a face that serves many people',
    found: 'one without',
    next: `Write ${POLICY_FILE} beside lockkeeper.json (docs/policy.md), then run: lk lock`,
  });
}
