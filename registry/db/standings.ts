/** Approved releases, with what their standing is judged by and nothing else: closures are large. */
import type { Client } from './pool.ts';
import { APPROVALS, type ReleaseRow } from './releases.ts';

export type StandingRow = Pick<ReleaseRow, 'id' | 'name' | 'version' | 'requested_by' | 'approvals'>;

/** In the order of their numbers. */
export async function listStandings(client: Client): Promise<StandingRow[]> {
  const { rows } = await client.query<StandingRow>(
    `select r.id, r.name, r.version, r.requested_by, ${APPROVALS} as approvals from releases r
     where r.state = 'approved' order by r.id`,
  );
  return rows;
}
