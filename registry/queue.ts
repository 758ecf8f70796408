/** Putting jobs on the queue inside the caller's own transaction. */
import type { Client } from './db/pool.ts';

/** One scan of a release; a second job for the same release replaces one that waits. */
export async function queueScan(client: Client, releaseId: string): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('scan', json_build_object('release', $1::text), job_key := 'scan:' || $1::text, max_attempts := 5)`,
    [releaseId],
  );
}

/** A second look at a release that is to be reviewed again. */
export async function queueRescan(client: Client, releaseId: string): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('rescan', json_build_object('release', $1::text), job_key := 'rescan:' || $1::text, max_attempts := 5)`,
    [releaseId],
  );
}

/** What changed in the advisory feed, and what follows from it. */
export async function queueAdvisories(client: Client): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('advisories', job_key := 'advisories', max_attempts := 3)`,
  );
}

/** What the repository of trust files has; one after the other, so that no reading overtakes another. */
export async function queueTrust(client: Client): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('trust', queue_name := 'trust', job_key := 'trust', max_attempts := 3)`,
  );
}

/** At once, or by chance within so many milliseconds. One that waits is left as it is. */
export async function queueUpstreamWatch(client: Client, withinMs = 0): Promise<void> {
  await client.query(
    `select graphile_worker.add_job('upstream', job_key := 'upstream', job_key_mode := 'preserve_run_at', max_attempts := 3,
       run_at := now() + random() * $1 * interval '1 millisecond')`,
    [withinMs],
  );
}
