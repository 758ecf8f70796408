/** The fleet: runtimes say what they keep, people see what runs where. */

import { LockkeeperError } from '../../schemas/errors.ts';
import { FleetQuery, FleetReport } from '../../schemas/fleet.ts';
import type { Call, Handlers } from '../app.ts';
import { assertSpeaksFor } from '../auth.ts';
import { countOthers, countUnlisted, listInstances, putInstances } from '../db/fleet.ts';
import { withTransaction } from '../db/pool.ts';
import type { Deps } from '../deps.ts';

const SHOWN = 1000;
/** Instances that one sign-in may report, of all its runtimes. */
const MOST = 4096;

export function fleetRoutes(deps: Deps): Handlers {
  return {
    fleetReport: (call) => take(call, deps),
    fleet: async (call) => {
      const { server = null, state = null } = call.query(FleetQuery);
      const found = await listInstances(deps.pool, { server, state, limit: SHOWN + 1 });
      const unlisted = await countUnlisted(deps.pool);
      return { instances: found.slice(0, SHOWN), more: found.length > SHOWN, unlisted };
    },
  };
}

async function take(call: Call, { pool }: Deps): Promise<unknown> {
  const report = call.body(FleetReport);
  const { instances, runtime } = report;
  for (const { user } of instances) assertSpeaksFor(call.actor, user);
  if (new Set(instances.map(({ id }) => id)).size !== instances.length) {
    throw new LockkeeperError('REQUEST_INVALID', {
      expected: 'each instance once',
      found: 'one twice',
      next: 'Correct the runtime that reports',
    });
  }
  const by = call.actor.person;
  await withTransaction(pool, async (client) => {
    if ((await countOthers(client, by, runtime)) + instances.length > MOST) {
      throw new LockkeeperError('RATE_LIMITED', {
        expected: `at most ${MOST} instances of one sign-in`,
        found: 'more',
        next: 'Use a token of its own for each machine: lk token',
      });
    }
    await putInstances(client, by, report);
  });
  return { kept: instances.length };
}
