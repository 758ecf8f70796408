/** What the newest lock of a project says of its policy. */
import type { Digest } from '../../schemas/common.ts';
import type { Lock } from '../../schemas/lock.ts';
import type { Client } from './pool.ts';

export interface LastPolicy {
  readonly digest: Digest | null;
  readonly dropped: Lock['policyDropped'] | null;
}

export async function lastPolicy(client: Client, audience: string): Promise<LastPolicy> {
  const { rows } = await client.query<LastPolicy>(
    `select lock #>> '{policy,digest}' as digest, lock #> '{policyDropped}' as dropped
     from (select convert_from(file, 'UTF8')::jsonb -> 'lock' as lock from locks
           where audience = $1 order by version desc limit 1) newest`,
    [audience],
  );
  return rows[0] ?? { digest: null, dropped: null };
}
