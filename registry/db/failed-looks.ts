/** Looks at releases in use that the queue gave up: the jobs themselves say so, until the same is asked for again. */
import type { Client } from './pool.ts';

export interface FailedLookRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly attempts: number;
  readonly reason: string;
  readonly since: Date;
}

/** Of releases that people rely on, the one that failed last for each. */
export async function failedLooks(client: Client): Promise<FailedLookRow[]> {
  const { rows } = await client.query<FailedLookRow>(
    `select distinct on (r.id) r.id, r.name, r.version, j.attempts, left(coalesce(j.last_error, 'its worker was gone'), 600) as reason, j.updated_at as since
     from graphile_worker.jobs j
     join releases r on r.id = substring(j.key from '^(?:rescan|rejudge):([0-9]{1,15})$')::bigint
     where j.task_identifier in ('rescan', 'rejudge') and j.attempts >= j.max_attempts and j.locked_at is null
       and (r.state = 'approved' or r.state = 'in_review' and r.lapsed_at is not null)
     order by r.id, j.updated_at desc`,
  );
  return rows;
}

/** Of one release: a scan that is asked for takes their place, and judges as well. */
export async function dropFailed(client: Client, releaseId: string): Promise<void> {
  await client.query(
    `select graphile_worker.complete_jobs(array_agg(id)) from graphile_worker.jobs
     where key in ('rejudge:' || $1::text, 'rescan:' || $1::text) and attempts >= max_attempts and locked_at is null`,
    [releaseId],
  );
}
