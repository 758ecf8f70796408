import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRelease, insertApproval, moveState } from '../../registry/db/releases.ts';
import { expireApprovals } from '../../registry/expiry.ts';
import { MOVES } from '../../registry/lifecycle.ts';
import { rescanJob } from '../../registry/rescan.ts';
import { registrySchedules } from '../../registry/schedule.ts';
import { type Approval, envelopeDigest, STATEMENT_TYPE } from '../../schemas/approval.ts';
import { seal } from '../../schemas/dsse.ts';
import type { CheckResult, Report } from '../../schemas/finding.ts';
import { canonical } from '../../schemas/json.ts';
import { SUBMISSION, servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';
import { until } from '../helpers/wait.ts';

const DAY_MS = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS);
const lasting =
  (days: number) =>
  (approval: Approval): void =>
    void (approval.predicate.expires = new Date(
      Date.parse(approval.predicate.notBefore) + days * DAY_MS,
    ).toISOString());

describe.each(servers())('approvals that end, on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let minor = 0;
  beforeAll(async () => {
    const upstream = ['1.0.0', '9.1.0', '9.0.0', 'nonsense'];
    ({ registry, alice, bob } = await startStaffed(server, { upstream }));
  });
  afterAll(() => registry.close());

  const version = (): string => `1.${minor++}.0`;
  const events = async (action: string, of: string): Promise<number> =>
    (
      await registry.pool.query('select 1 from events where action = $1 and subject = $2', [
        action,
        `${SUBMISSION.name}@${of}`,
      ])
    ).rows.length;
  const approvedFor = async (
    of: string,
    days: number,
    keys: readonly Key[] = [alice, bob],
  ): Promise<number> => {
    const id = await registry.scanned('dave', submissionOf(of));
    for (const key of keys) expect((await registry.approve(key, id, lasting(days))).status).toBe(200);
    return id;
  };
  const view = async (id: number) => (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body;
  const served = async (of: string): Promise<number> =>
    (await registry.call(null, 'GET', `/v0.1/servers/${encodeURIComponent(SUBMISSION.name)}/versions/${of}`))
      .status;
  const jobs = async (id: number): Promise<number> =>
    (
      await registry.pool.query(
        `select 1 from graphile_worker.jobs where task_identifier = 'rescan' and key = $1`,
        [`rescan:${id}`],
      )
    ).rows.length;

  it('are looked after by the schedule', () => {
    const crons = { upstreamCron: '0 4 * * *', advisoriesCron: '0 5 * * *', tufCron: '43 */6 * * *' };
    expect(registrySchedules(registry.deps, crons).map(({ name }) => name)).toContain('approvals');
  });

  it('leave a release alone that has time', async () => {
    const of = version();
    const id = await approvedFor(of, 100);
    expect(await expireApprovals(registry.deps)).toEqual({ lapsed: 0, due: 0 });
    expect(await expireApprovals(registry.deps, inDays(85))).toEqual({ lapsed: 0, due: 0 });
    expect(await view(id)).toMatchObject({ state: 'approved', lapsedAt: null });
    await moveState(registry.pool, id, { ...MOVES.revoke, reason: 'out of the way' });
  });

  it('are announced once, whoever runs the schedule, and again when the end moved', async () => {
    const of = version();
    const id = await approvedFor(of, 10);
    const done = await Promise.all(Array.from({ length: 5 }, () => expireApprovals(registry.deps)));
    expect(done.reduce((sum, { due }) => sum + due, 0)).toBe(1);
    expect(await expireApprovals(registry.deps)).toEqual({ lapsed: 0, due: 0 });
    expect([await events('release.re-review', of), await jobs(id)]).toEqual([1, 1]);
    const { body } = await registry.call('alice', 'GET', '/v1/attention');
    const { reviewBy } = await view(id);
    expect(body.due).toContainEqual({ id, name: SUBMISSION.name, version: of, by: reviewBy, lapsed: false });
    expect(await served(of)).toBe(200);
    for (const key of [alice, bob]) await registry.approve(key, id, lasting(12));
    expect(await expireApprovals(registry.deps)).toEqual({ lapsed: 0, due: 1 });
    expect(await events('release.re-review', of)).toBe(2);
    for (const key of [alice, bob]) await registry.approve(key, id, lasting(100));
    expect((await registry.call('alice', 'GET', '/v1/attention')).body.due).toEqual([]);
    await moveState(registry.pool, id, { ...MOVES.revoke, reason: 'out of the way' });
  });

  it('put a release back into review once, where it is served and locked no more', async () => {
    const of = version();
    const id = await approvedFor(of, 10);
    const later = inDays(11);
    const done = await Promise.all(Array.from({ length: 5 }, () => expireApprovals(registry.deps, later)));
    expect(done.reduce((sum, { lapsed }) => sum + lapsed, 0)).toBe(1);
    expect([await events('release.lapsed', of), await jobs(id)]).toEqual([1, 1]);
    expect(await view(id)).toMatchObject({ state: 'in_review', lapsedAt: later.toISOString() });
    expect(await served(of)).toBe(404);
    const { body: trust } = await registry.call(null, 'GET', '/v1/trust');
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: 'http://127.0.0.1:7411',
      trust: { rootKeys: trust.rootKeys, threshold: 1 },
      servers: { weather: { server: SUBMISSION.name, range: of } },
    };
    const lock = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    expect(lock.body.code).toBe('LOCK_UNRESOLVED');
    // The next version is still compared with it.
    const next = await registry.scanned('dave', submissionOf('1.900.0'));
    const report = await registry.call<Report>('alice', 'GET', `/v1/releases/${next}/report`);
    expect(report.body.baseline?.version).toBe(of);
  });

  it('count under the root of today: of who left, no more, before any schedule ran', async () => {
    const kim = await registry.reviewer('kim');
    const of = version();
    const id = await approvedFor(of, 100, [alice, kim]);
    expect(await served(of)).toBe(200);
    await registry.call('root', 'POST', '/v1/people/kim/remove', {});
    expect(await served(of)).toBe(404);
    const list = await registry.call<{ servers: { server: { version: string } }[] }>(
      null,
      'GET',
      '/v0.1/servers',
    );
    expect(list.body.servers.map(({ server }) => server.version)).not.toContain(of);
    expect(await view(id)).toMatchObject({ state: 'approved', reviewBy: null });
    expect((await registry.call('alice', 'GET', '/v1/attention')).body.due).toContainEqual(
      expect.objectContaining({ version: of, lapsed: true }),
    );
    expect((await expireApprovals(registry.deps)).lapsed).toBe(1);
    expect(await view(id)).toMatchObject({ state: 'in_review' });
    expect((await registry.approve(bob, id)).body).toMatchObject({ state: 'approved' });
    expect(await served(of)).toBe(200);
    expect((await expireApprovals(registry.deps)).lapsed).toBe(0);
  });

  it('do not end a release whose approval came in at the same moment', async () => {
    const leo = await registry.reviewer('leo');
    const of = version();
    const id = await approvedFor(of, 100, [alice, leo]);
    const approval = await registry.statement('bob', id);
    approval.predicate.environments = ['development'];
    approval.predicate.accepts = { 'LK-SRF-01': 'read the change' };
    const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(approval)), [bob.key]);
    await registry.call('root', 'POST', '/v1/people/leo/remove', {});
    const client = await registry.pool.connect();
    await client.query('begin');
    await client.query('select 1 from releases where id = $1 for update', [id]);
    const running = expireApprovals(registry.deps);
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await registry.pool.query(waits)).rowCount !== 0);
    const { expires } = approval.predicate;
    const digest = envelopeDigest(envelope);
    await insertApproval(client, { digest, releaseId: id, person: 'bob', envelope, expires });
    await client.query('commit');
    client.release();
    expect((await running).lapsed).toBe(0);
    expect(await view(id)).toMatchObject({ state: 'approved' });
  });

  it('leave a release that can still be revoked, unlike one that never was approved', async () => {
    const of = version();
    const id = await approvedFor(of, 5);
    await expireApprovals(registry.deps, inDays(6));
    const revoke = (which: number) =>
      registry.call('bob', 'POST', `/v1/releases/${which}/revoke`, { reason: 'found a hole' });
    expect((await revoke(id)).body.state).toBe('revoked');
    const never = await registry.scanned('dave', submissionOf(version()));
    expect((await revoke(never)).body.code).toBe('STATE_CONFLICT');
  });

  describe('a re-review', () => {
    it('shows what changed in between, and changes nothing of what was approved', async () => {
      const of = version();
      const id = await approvedFor(of, 10);
      const before = await findRelease(registry.pool, id);
      const review = async () => (await registry.call('alice', 'GET', `/v1/releases/${id}/review`)).body;
      expect((await review()).since).toBeNull();
      await registry.pool.query(`update releases set maintainers = '{ann,old}' where id = $1`, [id]);
      const added: CheckResult = {
        ...{ id: 'LK-MNT-01', title: 'Maintainers', owasp: 'MCP04', gates: true },
        outcome: 'unknown',
        reason: 'nobody told',
      };
      await rescanJob(String(id), {
        ...registry.deps,
        scan: async (...words) => {
          const result = await registry.deps.scan(...words);
          const report = {
            ...result.report,
            scannedAt: '2027-01-01T00:00:00.000Z',
            checks: [...result.report.checks, added],
          };
          const { digest } = await registry.deps.blobs.put(Buffer.from(canonical(report)));
          return { ...result, report, reportDigest: digest, maintainers: ['ann', 'new'] };
        },
      });
      expect((await review()).since).toMatchObject({
        newest: { scannedAt: '2027-01-01T00:00:00.000Z' },
        checks: [{ id: 'LK-MNT-01', title: 'Maintainers', before: null, after: 'unknown' }],
        otherClosure: false,
        otherSurface: false,
        maintainers: { added: ['new'], removed: ['old'] },
        newer: ['9.1.0', '9.0.0'],
      });
      const after = await findRelease(registry.pool, id);
      expect(after).toEqual({ ...before, maintainers: ['ann', 'old'] });
      const logged = await registry.pool.query(
        `select 1 from log_entries where convert_from(entry, 'utf8')::jsonb @> jsonb_build_object('kind', 'verdict', 'subject', $1::text)`,
        [`${SUBMISSION.name}@${of}`],
      );
      expect(logged.rows).toHaveLength(2);
    });

    it('says so when it was not scanned again, and looks at nothing else', async () => {
      const id = await approvedFor(version(), 5);
      await expireApprovals(registry.deps, inDays(6));
      const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}/review`);
      expect(body.since).toMatchObject({ newest: null, checks: [] });
      let scans = 0;
      const never = await registry.scanned('dave', submissionOf(version()));
      await rescanJob(String(never), {
        ...registry.deps,
        scan: (...words) => {
          scans++;
          return registry.deps.scan(...words);
        },
      });
      expect(scans).toBe(0);
    });
  });
});
