import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPool, type Pool } from '../../registry/db/pool.ts';
import type { ScanDeps } from '../../registry/deps.ts';
import { type Embedded, startEmbedded } from '../../registry/embedded.ts';
import { startWorker } from '../../registry/worker.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { until } from '../helpers/wait.ts';
import { makeTemplate } from '../setup/postgres.ts';

const GRACE_MS = 300;

function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  return {
    opened: new Promise<void>((resolve) => {
      open = resolve;
    }),
    open: () => open(),
  };
}

describe('a worker that is taken for dead while the database takes nobody in', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lk-lease-'));
  let database: Embedded;
  let registry: TestRegistry;
  beforeAll(async () => {
    await chmod(dir, 0o755);
    mkdirSync(join(dir, 'pg'));
    symlinkSync(join(dirname(servers()[0]?.host ?? ''), 'program'), join(dir, 'pg/program'));
    database = await startEmbedded({ dir: join(dir, 'pg'), progress: () => undefined, durable: false });
    const { host, user } = database.connection as { host: string; user: string };
    const server = { name: 'own', host, user };
    await makeTemplate(server);
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
  });
  afterAll(async () => {
    await registry.close();
    await database.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it('writes nothing of what it finds, and takes no job from who has it now', async () => {
    const said: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void said.push(line) });
    const pools: Pool[] = [];
    const [first, second] = [gate(), gate()];
    let scans = 0;
    const scan: ScanDeps['scan'] = async (...words) => {
      const mine = ++scans;
      if (mine === 1) await first.opened;
      if (mine === 2) {
        await second.opened;
        throw new LockkeeperError('SOURCE_UNREACHABLE', { expected: 'a', found: 'b', next: 'c' });
      }
      return registry.deps.scan(...words);
    };
    const worker = (application_name: string): ReturnType<typeof startWorker> => {
      const place = registry.pool.options as { host: string; user: string; database: string };
      const pool = openPool({ ...place, application_name } as typeof place, 5);
      pools.push(pool);
      return startWorker({ ...registry.deps, pool, log, scan }, 1, GRACE_MS);
    };
    const job = async (): Promise<{ attempts: number; locked_by: string | null } | undefined> =>
      (await registry.pool.query('select attempts, locked_by from graphile_worker.jobs')).rows[0];
    const vouched = async (): Promise<number> =>
      (await registry.pool.query(`select 1 from pg_locks where classid = 7411018 and granted`)).rows.length;
    const one = await worker('first');
    const { body } = await registry.submit('dave', submissionOf('1.0.0'));
    const state = async (): Promise<string> =>
      (await registry.call('dave', 'GET', `/v1/releases/${body.id}`)).body.state;
    await until(() => scans === 1);
    await until(async () => (await vouched()) === 1);
    const other = await worker('second');
    await until(async () => (await vouched()) === 2);
    const postmaster = Number(readFileSync(join(dir, 'pg/data/postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(postmaster, 'SIGSTOP');
    try {
      await registry.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'first'`,
      );
      await until(() => scans === 2);
    } finally {
      process.kill(postmaster, 'SIGCONT');
    }
    const taken = await job();
    expect(taken).toMatchObject({ attempts: 2 });
    first.open();
    await until(() => said.some((line) => line.includes('Another worker has this job now')));
    expect([await job(), await state()]).toEqual([taken, 'scanning']);
    second.open();
    await until(async () => (await state()) === 'submitted');
    await until(async () => (await job())?.locked_by === null);
    // It is not waited for until its time comes.
    await registry.pool.query('update graphile_worker._private_jobs set run_at = now()');
    await until(async () => (await state()) === 'in_review' && (await job()) === undefined);
    const { rows } = await registry.pool.query(`select 1 from events where action = 'release.scanned'`);
    expect([scans, rows.length]).toEqual([3, 1]);
    for (const runner of [one, other]) await runner.stop();
    for (const pool of pools) await pool.end();
  });
});
