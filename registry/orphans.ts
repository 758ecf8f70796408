/** Releases that wait for a scan which nobody is going to do. */

import { withTransaction } from './db/pool.ts';
import { moveState } from './db/releases.ts';
import { orphanedReleases } from './db/scans.ts';
import type { Deps } from './deps.ts';
import { MOVES } from './lifecycle.ts';
import { recordEvent } from './log.ts';
import { queueScan } from './queue.ts';
import { SELF } from './root.ts';

const TRIED =
  'every try of its scan ended without a word: the scanner was killed, or could not reach the database';

/** Queues those without a job again; one whose job has no try left is rejected. Returns how many there were. */
export async function tendOrphans({ pool, log }: Pick<Deps, 'pool' | 'log'>): Promise<number> {
  return withTransaction(pool, async (client) => {
    const orphans = await orphanedReleases(client);
    for (const { id, name, version, state, exhausted } of orphans) {
      log.warn({ release: id, state, exhausted }, 'a release waited for a scan without a job');
      const event = { person: SELF, subject: `${name}@${version}`, detail: { state } };
      if (exhausted === null) {
        await moveState(client, id, MOVES.retry);
        await queueScan(client, id);
        await recordEvent(client, { ...event, action: 'release.queued-again' });
        continue;
      }
      await moveState(client, id, { ...MOVES.scanFailed, reason: `${TRIED} [INTERNAL]` });
      await client.query('select graphile_worker.complete_jobs(array[$1::bigint])', [exhausted]);
      await recordEvent(client, { ...event, action: 'release.scan-failed', detail: { code: 'INTERNAL' } });
    }
    return orphans.length;
  });
}
