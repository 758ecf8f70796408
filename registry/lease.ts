/**
 * A run may write as long as its worker holds the job. A worker that was taken for dead may be at it still; what it found
 * is not written beside what the next one finds.
 */
import type { Job } from 'graphile-worker';
import { LockkeeperError } from '../schemas/errors.ts';
import { type Client, withTransaction } from './db/pool.ts';
import type { RunDeps, ScanDeps } from './deps.ts';

/** Each time a job is taken its tries are one more: with the worker's name they name one run. */
export type Lease = Pick<Job, 'id' | 'attempts' | 'locked_by'>;

export function runOf(lease: Lease, deps: ScanDeps): RunDeps {
  return {
    ...deps,
    result: (work) =>
      withTransaction(deps.pool, async (client) => {
        await assertHeld(client, lease);
        return work(client);
      }),
  };
}

/** Nobody takes the job away before the transaction is over. */
async function assertHeld(client: Client, { id, attempts, locked_by: worker }: Lease): Promise<void> {
  const { rowCount } = await client.query(
    'select 1 from graphile_worker._private_jobs where id = $1 and attempts = $2 and locked_by = $3 for update',
    [id, attempts, worker],
  );
  if (rowCount === 1) return;
  throw new LockkeeperError('RUN_TAKEN_OVER', {
    expected: `the job ${id} to be held by ${worker ?? 'nobody'}, whose try ${attempts} this is`,
    found: 'another try, or none',
    next: 'Look at the database and at the way to it: workers that cannot reach it are taken for dead',
  });
}
