import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepAlive } from '../../registry/alive.ts';
import { takeRun } from '../../registry/db/records.ts';
import { moveState } from '../../registry/db/releases.ts';
import type { RunDeps } from '../../registry/deps.ts';
import { MOVES } from '../../registry/lifecycle.ts';
import { tendOrphans } from '../../registry/orphans.ts';
import { startSchedules } from '../../registry/schedule.ts';
import { scanJob, startWorker } from '../../registry/worker.ts';
import type { ScanRequest } from '../../scanner/ports.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import {
  servers,
  startStaffed,
  startTestRegistry,
  submissionOf,
  type TestRegistry,
} from '../helpers/registry.ts';
import { until } from '../helpers/wait.ts';

/** A worker whose scans never end. */
const HANGING = `
  import { pino } from 'pino';
  const { openPool } = await import('./registry/db/pool.ts');
  const { startWorker } = await import('./registry/worker.ts');
  const { DEFAULT_POLICY: policy } = await import('./schemas/policy.ts');
  const pool = openPool(JSON.parse(process.env.PLACE), 5);
  const scan = ({ submission }) => {
    console.log('scanning ' + submission.version);
    return new Promise(() => undefined);
  };
  const trust = { trial: false, current: async () => ({ trusted: { root: { trustRoots: {} } } }) };
  await startWorker({ pool, policy, trust, log: pino({ level: 'silent' }), scan }, 1, 200);
`;

describe.each(servers().slice(0, 1))('several replicas', (server) => {
  let registry: TestRegistry;
  let patch = 0;
  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
  });
  afterAll(() => registry.close());

  const submitted = async (): Promise<string> =>
    String((await registry.submit('dave', submissionOf(`1.0.${patch++}`))).body.id);
  const first = { attempts: 1, max_attempts: 5 };
  const second = { attempts: 2, max_attempts: 5 };
  /** The scan of the test registry, counted, and begun only once `gate` opens. */
  const counting = (gate: Promise<unknown> = Promise.resolve()): { deps: RunDeps; scans: () => number } => {
    let scans = 0;
    const scan: RunDeps['scan'] = async (...words) => {
      scans++;
      await gate;
      return registry.deps.scan(...words);
    };
    return { deps: { ...registry.deps, scan }, scans: () => scans };
  };
  const stateOf = async (id: string): Promise<string> =>
    (await registry.call('dave', 'GET', `/v1/releases/${id}`)).body.state;
  const scannedEvents = async (id: string): Promise<number> => {
    const { rows } = await registry.pool.query(
      `select 1 from events where action = 'release.scanned' and subject = (select name || '@' || version from releases where id = $1)`,
      [id],
    );
    return rows.length;
  };

  it('scan a release once, whoever claims it', async () => {
    const id = await submitted();
    const { deps, scans } = counting();
    await Promise.all(Array.from({ length: 5 }, () => scanJob(id, first, deps)));
    expect([scans(), await stateOf(id)]).toEqual([1, 'in_review']);
  });

  it('take over from a scanner that died, and from no other', async () => {
    const id = await submitted();
    await moveState(registry.pool, id, MOVES.claim);
    const { deps, scans } = counting();
    await scanJob(id, first, deps);
    expect([scans(), await stateOf(id)]).toEqual([0, 'scanning']);
    await scanJob(id, second, deps);
    expect([scans(), await stateOf(id)]).toEqual([1, 'in_review']);
    await scanJob(id, second, deps);
    expect(scans()).toBe(1);
  });

  it.each<[string, LockkeeperError | null]>([
    ['ends well', null],
    ['fails', new LockkeeperError('SOURCE_UNREACHABLE', { expected: 'a', found: 'b', next: 'c' })],
    ['is refused', new LockkeeperError('ARTIFACT_MISMATCH', { expected: 'a', found: 'b', next: 'c' })],
  ])('keep the scan that came first when a scanner taken for dead %s', async (_, error) => {
    const id = await submitted();
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve, reject) => {
      open = () => (error ? reject(error) : resolve());
    });
    const late = counting(gate);
    const running = scanJob(id, first, late.deps).catch(() => undefined);
    await until(() => late.scans() !== 0);
    await scanJob(id, second, registry.deps);
    open();
    await running;
    expect([await stateOf(id), await scannedEvents(id)]).toEqual(['in_review', 1]);
  });

  it('leave a job to the worker that is at it, and try it again at once when that is killed', async () => {
    const id = await submitted();
    const { database } = registry.pool.options as { database: string };
    const child = spawn(process.execPath, ['--input-type=module', '-e', HANGING], {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, PLACE: JSON.stringify({ host: server.host, user: server.user, database }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let said = '';
      for await (const chunk of child.stdout) {
        said += String(chunk);
        if (said.includes(`scanning 1.0.${patch - 1}`)) break;
      }
      const runner = await startWorker(registry.deps, 1, 200);
      // Many looks long, in which the other one is alive.
      await sleep(1000);
      const taken = await registry.pool.query(
        `select 1 from graphile_worker.jobs where key = $1 and locked_by is not null`,
        [`scan:${id}`],
      );
      expect([await stateOf(id), taken.rows.length]).toEqual(['scanning', 1]);
      child.kill('SIGKILL');
      await until(async () => (await stateOf(id)) === 'in_review');
      await runner.stop();
      expect([await stateOf(id), await scannedEvents(id)]).toEqual(['in_review', 1]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('that lost a connection alone vouch for themselves at once again, and are not gone for being missed once', async () => {
    const { pool } = registry;
    const log = pino({ level: 'silent' });
    const holders = async (): Promise<number[]> =>
      (
        await pool.query<{ pid: number }>(
          `select pid from pg_locks where locktype = 'advisory' and granted and objid = (hashtext($1) & 2147483647)::bigint::oid`,
          ['lost-once'],
        )
      ).rows.map(({ pid }) => pid);
    const other = (than: number | undefined): Promise<number> =>
      until(async () => (await holders()).find((pid) => pid !== than));
    const job = 'of-nobody';
    await pool.query(`select graphile_worker.add_job('none', '{}', job_key => $1)`, [job]);
    await pool.query(
      `update graphile_worker._private_jobs set locked_by = 'nobody', locked_at = now() - interval '1 hour' where key = $1`,
      [job],
    );
    const alive = keepAlive(pool, { log });
    try {
      alive.add('lost-once');
      const first = await other(undefined);
      await pool.query('select pg_terminate_backend($1)', [first]);
      expect(await other(first)).toBeDefined();
      // Each one that is added is a look.
      alive.add('another');
    } finally {
      await alive.stop();
    }
    const { rows } = await pool.query(
      `delete from graphile_worker._private_jobs where key = $1 returning locked_by`,
      [job],
    );
    expect(rows).toEqual([{ locked_by: 'nobody' }]);
  });

  it('queue a release again that waits for a scan without a job, and reject one whose tries are over', async () => {
    const { pool } = registry;
    const jobOf = async (id: string): Promise<unknown> =>
      (
        await pool.query(
          `select attempts, locked_by from graphile_worker._private_jobs where payload ->> 'release' = $1`,
          [id],
        )
      ).rows[0];
    const ids = [];
    for (let i = 0; i < 5; i++) ids.push(await submitted());
    const [lost = '', begun = '', over = '', running = '', waiting = ''] = ids;
    const change = (what: string, id: string): Promise<unknown> =>
      pool.query(`${what} where payload ->> 'release' = $1`, [id]);
    for (const id of [lost, begun]) await change('delete from graphile_worker._private_jobs', id);
    for (const id of [begun, over, running]) await moveState(pool, id, MOVES.claim);
    await change('update graphile_worker._private_jobs set attempts = max_attempts', over);
    const locked = `update graphile_worker._private_jobs set attempts = max_attempts, locked_by = 'w', locked_at = now()`;
    await change(locked, running);
    expect(await tendOrphans(registry.deps)).toBe(3);
    const shown = [];
    for (const id of ids) shown.push([await stateOf(id), await jobOf(id)]);
    const fresh = { attempts: 0, locked_by: null };
    expect(shown).toEqual([
      ['submitted', fresh],
      ['submitted', fresh],
      ['rejected', undefined],
      ['scanning', { attempts: 5, locked_by: 'w' }],
      ['submitted', fresh],
    ]);
    const { rows } = await pool.query(
      `select subject, action from events where action in ('release.queued-again', 'release.scan-failed') and id > (select max(id) - 3 from events) order by id`,
    );
    expect(rows.map(({ action }) => action)).toEqual([
      ...['release.queued-again', 'release.queued-again', 'release.scan-failed'],
    ]);
    expect([waiting, await tendOrphans(registry.deps)]).toEqual([ids[4], 0]);
    await change('delete from graphile_worker._private_jobs', running);
  });

  it('take each fire of a schedule once', async () => {
    const take = (at: string): Promise<boolean> =>
      takeRun(registry.pool, 'nightly', { firesAt: new Date(at), by: 'x' });
    const taken = await Promise.all(Array.from({ length: 10 }, () => take('2026-11-24T03:23:00.000Z')));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await take('2026-11-25T03:23:00.000Z')).toBe(true);
  });

  it('run what is scheduled once for each fire, whatever their number', async () => {
    let runs = 0;
    const schedule = { name: 'each-second', cron: '* * * * * *', run: async () => void runs++ };
    const log = pino({ level: 'silent' });
    const replicas = [1, 2, 3].map(() => startSchedules([schedule], registry.pool, log));
    const fires = async (): Promise<number> =>
      (await registry.pool.query(`select 1 from schedule_runs where schedule = 'each-second'`)).rows.length;
    await until(async () => (await fires()) >= 2);
    for (const replica of replicas) await replica.stop();
    await until(async () => runs === (await fires()));
    expect(runs).toBeGreaterThanOrEqual(2);
  });
});

describe.each(servers().slice(0, 1))('a release that is scanned', (server) => {
  it('is held against the newest approved release of every other server', async () => {
    const { registry, alice, bob } = await startStaffed(server);
    try {
      const other = { name: 'acme.tools/forecast', source: 'npm:forecast@1.2.3' };
      await registry.approved('dave', [alice, bob], other);
      await registry.approved('dave', [alice, bob], {
        ...other,
        version: '1.2.4',
        source: 'npm:forecast@1.2.4',
      });
      await registry.scanned('dave', { name: 'acme.tools/unread', source: 'npm:unread@1.2.3' });
      const submitted = await registry.submit('dave', submissionOf('1.2.3'));
      let seen: ScanRequest['peers'];
      const scan: RunDeps['scan'] = (request, progress) => {
        seen = request.peers;
        return registry.deps.scan(request, progress);
      };
      await scanJob(String(submitted.body.id), { attempts: 1, max_attempts: 5 }, { ...registry.deps, scan });
      const peers = typeof seen === 'function' ? await seen() : seen;
      expect(peers?.map((peer) => peer.server)).toEqual(['acme.tools/forecast']);
      expect(JSON.stringify(seen)).toContain('1.2.4');
    } finally {
      await registry.close();
    }
  });
});
