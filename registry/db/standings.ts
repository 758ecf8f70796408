/** Releases that were approved, with what their standing is judged by and nothing else: closures are large. */
import type { Client } from './pool.ts';
import { APPROVALS, type ReleaseRow } from './releases.ts';

export type StandingRow = Pick<
  ReleaseRow,
  'id' | 'name' | 'version' | 'state' | 'requested_by' | 'lapsed_at' | 'approvals'
>;

/** The approved ones, and those in review that were approved before. In the order of their numbers. */
export async function listStandings(client: Client): Promise<StandingRow[]> {
  const { rows } = await client.query<StandingRow>(
    `select r.id, r.name, r.version, r.state, r.requested_by, r.lapsed_at, ${APPROVALS} as approvals from releases r
     where r.state = 'approved' or (r.state = 'in_review' and r.lapsed_at is not null) order by r.id`,
  );
  return rows;
}
