/** What the newest report of each release in use was judged by, and jobs for those that are to be judged again. */
import type { Client } from './pool.ts';

/** People rely on it, or did and have to decide again. */
const RELIED_ON = `(state = 'approved' or state = 'in_review' and lapsed_at is not null)`;
/** Behind scans that somebody waits for, whose jobs have 0. */
const LATER = 10;

const JOB = `graphile_worker.add_job('rejudge', json_build_object('release', id::text, 'standard', $1::text),
  job_key := 'rejudge:' || id, max_attempts := 5, priority := ${LATER})`;

/** One job for each release that was judged by something else; one query where there is none. Returns how many. */
export async function queueStale(client: Client, standard: string): Promise<number> {
  const { rowCount } = await client.query(
    `select ${JOB} from (select id from releases where ${RELIED_ON} and judged_by is distinct from $1 order by id) due`,
    [standard],
  );
  return rowCount ?? 0;
}

/** Of these, whatever they were judged by: what they rest on changed. In the transaction that changes it. */
export async function queueChanged(client: Client, releaseIds: readonly string[]): Promise<void> {
  if (releaseIds.length === 0) return;
  await client.query(
    `with due as (update releases set judged_by = null where id = any($2) and ${RELIED_ON} returning id)
     select ${JOB} from (select id from due order by id) sorted`,
    [null, releaseIds],
  );
}

export async function markJudged(client: Client, releaseId: string, standard: string): Promise<void> {
  await client.query('update releases set judged_by = $2 where id = $1', [releaseId, standard]);
}
