/** What a lock carries of a policy: its text, or that it carries none on purpose though one before did. */
import { LockkeeperError } from '../schemas/errors.ts';
import { type Lock, lockPolicyOf } from '../schemas/lock.ts';
import { type LastPolicy, lastPolicy } from './db/lock-policy.ts';
import type { Client } from './db/pool.ts';

export interface Asked {
  readonly audience: string;
  /** The text of lockkeeper.policy; undefined where the project has none. */
  readonly policy: string | undefined;
  readonly dropPolicy: boolean;
  readonly person: string;
  readonly now: Date;
}

/** Throws POLICY_DROPPED where a policy would be gone that nobody said is to go. */
export async function policyFor(
  client: Client,
  asked: Asked,
): Promise<Pick<Lock, 'policy' | 'policyDropped'>> {
  if (asked.policy !== undefined) return { policy: lockPolicyOf(asked.policy) };
  const { dropped, digest }: LastPolicy = await lastPolicy(client, asked.audience);
  if (dropped) return { policyDropped: dropped };
  if (digest === null) return {};
  if (asked.dropPolicy) return { policyDropped: { digest, by: asked.person, at: asked.now.toISOString() } };
  throw new LockkeeperError('POLICY_DROPPED', {
    expected: `lockkeeper.policy, as the last lock of ${asked.audience} carries one (${digest})`,
    found: 'none',
    next: 'Put the file back, or say that it is to go: lk lock --drop-policy',
  });
}
