/** Schedules that fire once each, however many replicas run: the database decides who takes a fire. */
import { randomUUID } from 'node:crypto';
import cron, { type ScheduledTask } from 'node-cron';
import type { Logger } from 'pino';
import { sweepCalls } from './calls.ts';
import { forgetCalls } from './db/calls.ts';
import { forgetInstances } from './db/fleet.ts';
import { type Pool, withTransaction } from './db/pool.ts';
import { takeRun } from './db/records.ts';
import type { Deps } from './deps.ts';
import { expireApprovals } from './expiry.ts';
import { sweepBundles } from './mcp-bundles.ts';
import { tendOrphans } from './orphans.ts';
import { queueAdvisories, queueTrust, queueUpstreamWatch } from './queue.ts';
import { queueRejudgements } from './rejudge.ts';

export interface Schedule {
  readonly name: string;
  readonly cron: string;
  readonly run: () => Promise<void>;
}

export interface Schedules {
  stop(): Promise<void>;
}

/** Two replicas' clocks agree on a fire when they round it to the same second. */
const GRAIN_MS = 1000;

export function startSchedules(schedules: readonly Schedule[], pool: Pool, log: Logger): Schedules {
  const by = randomUUID();
  const coordinator = {
    shouldRun: (key: string, firesAt: Date | string | number): Promise<boolean> =>
      takeRun(pool, key, {
        firesAt: new Date(Math.round(new Date(firesAt).getTime() / GRAIN_MS) * GRAIN_MS),
        by,
      }),
  };
  const tasks: ScheduledTask[] = schedules.map(({ name, cron: expression, run }) =>
    cron.schedule(
      expression,
      async ({ date }: { date: Date }) => {
        if (!(await coordinator.shouldRun(name, date))) return;
        await run().catch((error: unknown) => log.error({ err: error, schedule: name }, 'schedule failed'));
      },
      { name, noOverlap: true },
    ),
  );
  return {
    stop: async () => {
      for (const task of tasks) await task.destroy();
    },
  };
}

/** All registries that keep to the default would ask at the same second of the hour: milliseconds that it may be later. */
const SPREAD_MS = 5 * 60_000;

/** Where a schedule names one minute; one that fires more often means now. */
export function spreadOf(expression: string): number {
  return /^\d+ [^ ]+ [^ ]+ [^ ]+ [^ ]+$/.test(expression) ? SPREAD_MS : 0;
}

/** What the registry does by itself. */
export function registrySchedules(
  deps: Deps,
  crons: { readonly upstreamCron: string; readonly advisoriesCron: string; readonly tufCron: string },
): Schedule[] {
  const { pool, checkpoints } = deps;
  return [
    { name: 'checkpoint', cron: '*/5 * * * *', run: () => checkpoints.refresh() },
    { name: 'approvals', cron: '11 * * * *', run: async () => void (await expireApprovals(deps)) },
    { name: 'bundles', cron: '*/10 * * * *', run: async () => void (await sweepBundles(deps)) },
    { name: 'orphans', cron: '*/5 * * * *', run: async () => void (await tendOrphans(deps)) },
    { name: 'calls', cron: '* * * * *', run: () => withTransaction(pool, sweepCalls) },
    {
      name: 'upstream',
      cron: crons.upstreamCron,
      run: () => queueUpstreamWatch(pool, spreadOf(crons.upstreamCron)),
    },
    { name: 'advisories', cron: crons.advisoriesCron, run: () => queueAdvisories(pool) },
    { name: 'trust', cron: crons.tufCron, run: () => queueTrust(pool) },
    { name: 'rejudge', cron: '41 4 * * *', run: async () => void (await queueRejudgements(deps)) },
    {
      name: 'tidy',
      cron: '23 3 * * *',
      run: async () => {
        await pool.query(`delete from tokens where expires_at < now() - interval '30 days'`);
        await pool.query(`delete from sign_in_codes where expires_at < now() - interval '30 days'`);
        await forgetCalls(pool);
        await forgetInstances(pool);
        await pool.query(`delete from schedule_runs where fires_at < now() - interval '7 days'`);
      },
    },
  ];
}
