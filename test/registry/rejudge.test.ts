/** Approved releases judged again: by other checks, under another policy, and against what became known since. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attentionLines } from '../../cli/reviewed.ts';
import { takeIn } from '../../registry/advisories/map.ts';
import { newestRescan } from '../../registry/db/rescans.ts';
import type { RunDeps } from '../../registry/deps.ts';
import { queueRescan } from '../../registry/queue.ts';
import { queueRejudgements, rejudgeJob } from '../../registry/rejudge.ts';
import { rescanJob } from '../../registry/rescan.ts';
import { registrySchedules } from '../../registry/schedule.ts';
import { standardOf } from '../../registry/standard.ts';
import { trustFiles } from '../../registry/trust-files.ts';
import { startWorker } from '../../registry/worker.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import { openVerdict } from '../../runtime/trust/verdict.ts';
import { readAdvisory } from '../../scanner/advisories/record.ts';
import { scan } from '../../scanner/scan.ts';
import { subjectsOf } from '../../schemas/approval.ts';
import { Attention } from '../../schemas/attention.ts';
import { Envelope, seal } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { ReviewView } from '../../schemas/review.ts';
import { ROOT_TYPE } from '../../schemas/root.ts';
import { assertValid } from '../../schemas/validate.ts';
import { ghsa } from '../helpers/advisories.ts';
import { servers, startStaffed, type TestRegistry } from '../helpers/registry.ts';
import { bytesOf as bytesAt } from '../helpers/signature-bundles.ts';
import type { Key } from '../helpers/trust.ts';
import { until } from '../helpers/wait.ts';
import { openWorld, plain } from '../scanner/harness.ts';
import { keysUntil, signedBy } from '../scanner/signed-place.ts';

/** Without the key of the tests. */
const NPM_ONLY = bytesAt('trust-roots/npm-keys.json');

describe.each(servers().slice(0, 1))('an approved release', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let id: string;
  let scans = 0;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const tools = [{ name: 'forecast', description: 'Tells it.', inputSchema: { type: 'object' } }];
    const at = { name: 'weather', version: '1.2.3', publishedAt: '2026-01-01T00:00:00.000Z' };
    const signed = [at, { ...at, version: '1.3.0' }].map((one) => signedBy(plain({ tools }, one)));
    const world = await openWorld(signed);
    close = world.close;
    const real: RunDeps['scan'] = (request) => {
      scans++;
      const { blobs, trust: root } = registry.deps;
      const trust = () => trustFiles(root, { folder: '/nowhere', blobs });
      return scan(request, { ...world.ports, blobs, trust, now: () => new Date() });
    };
    ({ registry, alice, bob } = await startStaffed(server, { scan: real }));
    await registry.deps.blobs.put(keysUntil());
    await pin(sha256(keysUntil()));
    await takeIn(registry.deps, [
      readAdvisory(bytesOf(ghsa('GHSA-made-upup-0000', 'p', { modified: new Date().toISOString() }))),
    ]);
    id = await approved('1.2.3');
  });
  afterAll(async () => {
    await registry.close();
    await close();
  });

  const bytesOf = (made: unknown): Buffer => Buffer.from(JSON.stringify(made));
  const approved = async (version: string): Promise<string> => {
    const source = `npm:weather@${version}`;
    const release = await registry.scanned('dave', { version, source });
    for (const key of [alice, bob]) {
      const { body } = await registry.call(key.person, 'GET', `/v1/releases/${release}/statement`);
      const accepts = Object.fromEntries((body.missing as string[]).map((check) => [check, 'looked at it']));
      const answer = await registry.approve(key, release, (approval) => {
        approval.predicate.accepts = accepts;
      });
      expect(answer.body.code).toBeUndefined();
    }
    return String(release);
  };
  /** Another root whose keys of the package registry are these. */
  const pin = async (npm: string): Promise<void> => {
    const { root } = readRoot((await registry.call('alice', 'GET', '/v1/trust')).body.root);
    const next = { ...root, version: root.version + 1, trustRoots: { npm } };
    const { root: key } = registry.keys;
    const envelope = seal(ROOT_TYPE, Buffer.from(canonical(next)), key ? [key] : []);
    expect((await registry.call('root', 'POST', '/v1/roots', { envelope })).status).toBe(200);
  };
  const jobs = async (task = 'rejudge'): Promise<{ key: string; payload: Record<string, unknown> }[]> =>
    (
      await registry.pool.query(
        `delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t
         where t.id = j.task_id and t.identifier = $1 returning j.key, j.payload`,
        [task],
      )
    ).rows;
  const rescans = async (): Promise<number> =>
    Number((await registry.pool.query('select count(*) as n from rescans')).rows[0].n);
  const under = (coolDownDays: number, more: Policy['scan']['gates'] = []): RunDeps => {
    const { policy } = registry.deps;
    const gates = [...policy.scan.gates, ...more];
    return { ...registry.deps, policy: { ...policy, scan: { coolDownDays, gates } } };
  };
  const events = async (action: string): Promise<{ detail: Record<string, unknown> }[]> =>
    (await registry.pool.query('select detail from events where action = $1 order by id', [action])).rows;
  const attention = async (): Promise<Attention> =>
    assertValid(
      Attention,
      (await registry.call('alice', 'GET', '/v1/attention')).body,
      'what is looked after',
    );
  const since = async () =>
    (await registry.call<ReviewView>('alice', 'GET', `/v1/releases/${id}/review`)).body.since;

  it('is looked after by the schedule, and left alone while nothing changed', async () => {
    const crons = { upstreamCron: '0 4 * * *', advisoriesCron: '0 5 * * *', tufCron: '0 6 * * *' };
    const schedule = registrySchedules(registry.deps, crons).find(({ name }) => name === 'rejudge');
    await schedule?.run();
    expect(await queueRejudgements(registry.deps)).toBe(0);
    expect([await jobs(), await since()]).toEqual([[], null]);
  });

  it('is judged again under another policy without a scan, with a verdict of its own, and reviewers are told', async () => {
    const deps = under(1000);
    expect(await queueRejudgements(deps)).toBe(1);
    const standard = await standardOf(deps);
    expect(await jobs()).toEqual([{ key: `rejudge:${id}`, payload: { release: id, standard } }]);
    const before = scans;
    await Promise.all([1, 2, 3].map(() => rejudgeJob(id, standard, deps)));
    expect([scans - before, await rescans(), await queueRejudgements(deps)]).toEqual([0, 1, 0]);
    const again = await newestRescan(registry.pool, id);
    const report = (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body;
    const envelope = assertValid(Envelope, JSON.parse(again?.verdict?.toString() ?? ''), 'the verdict');
    const { trusted } = await registry.deps.trust.current();
    const verdict = openVerdict(envelope, trusted, {
      purl: report.purl,
      reportDigest: again?.reportDigest ?? '',
      subject: subjectsOf(report),
    });
    expect(verdict.predicate.verificationResult).toBe('FAILED');
    expect(await since()).toMatchObject({
      approved: { report: report.reportDigest },
      newest: { report: again?.reportDigest },
      checks: [{ id: 'LK-REL-01', before: 'ok', after: 'fired' }],
      otherClosure: false,
      otherSurface: false,
    });
    const stored = await registry.call<Report>('erin', 'GET', `/v1/blobs/${again?.reportDigest}`);
    expect(stored.body.again?.report).toBe(report.reportDigest);
    expect((await events('release.rejudged')).map(({ detail }) => detail)).toMatchObject([
      {
        ...{ checks: ['LK-REL-01'], conclusion: 'refused', report: again?.reportDigest },
        because: { 'LK-REL-01': ['the policy was changed'] },
      },
    ]);
    expect(report.state).toBe('approved');
  });

  it('is on top of what reviewers look after, with what changed and why, until enough of them accept it', async () => {
    const [item] = (await attention()).judged;
    expect(item).toMatchObject({ id: Number(id), version: '1.2.3', gates: true });
    const told = { ...{ id: 'LK-REL-01', before: 'ok', after: 'fired', gates: true, accepted: [] } };
    expect(item?.alarms).toMatchObject([{ ...told, because: ['the policy was changed'] }]);
    const lines = attentionLines(await attention()).first.join('\n');
    expect(lines).toContain(`weather 1.2.3 (release ${id}) is approved, and judged again it would not pass:`);
    expect(lines).toMatch(/LK-REL-01 .*: ok then, fired now, gates; since 20.*, the policy was changed: /);
    expect(lines).toContain(`lk revoke ${id} --reason TEXT; or accept`);
    expect(lines).toContain(`lk approve ${id} --accept "LK-REL-01=REASON"`);

    const given = async (key: Key, accepts: Record<string, string>) =>
      registry.approve(key, Number(id), (approval) => {
        approval.predicate.accepts = accepts;
      });
    const before = (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.approvals;
    const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}/statement`);
    const open = Object.fromEntries((body.missing as string[]).map((check) => [check, 'looked at it']));
    expect(Object.keys(open)).toContain('LK-REL-01');
    const { 'LK-REL-01': _, ...others } = open;
    expect((await given(alice, others)).body.code).toBe('APPROVAL_CHECKS');
    expect((await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.approvals).toEqual(before);
    expect((await given(alice, open)).body).toMatchObject({ given: 2, state: 'approved' });
    expect((await attention()).judged[0]?.alarms).toMatchObject([{ accepted: ['alice'] }]);
    // Nothing new stands against it for her: that would be the same approval once more.
    expect((await given(alice, open)).body.code).toBe('APPROVAL_GIVEN');
    await given(bob, open);
    expect((await attention()).judged).toEqual([]);
    const { alarms } = (await registry.call('alice', 'GET', `/v1/releases/${id}/review`)).body;
    expect(alarms).toMatchObject([{ ...told, accepted: ['alice', 'bob'] }]);
  });

  it('ends as before where nothing else comes out: nothing is stored, and it is not due any more', async () => {
    const deps = under(1000, ['LK-TXT-03']);
    expect(await queueRejudgements(deps)).toBe(1);
    await rejudgeJob(id, await standardOf(deps), deps);
    expect([await rescans(), await queueRejudgements(deps), (await jobs()).length]).toEqual([1, 0, 1]);
  });

  it('is judged again in the tick that brings or takes back an advisory about one of its packages, and for no other', async () => {
    const take = (modified: string, name: string, more = {}) =>
      takeIn(registry.deps, [
        readAdvisory(bytesOf(ghsa(`GHSA-made-upup-${name}`, name, { modified, ...more }))),
      ]);
    const deps = under(1000, ['LK-TXT-03']);
    await take('2026-11-24T10:00:00.000Z', 'stranger');
    expect(await jobs()).toEqual([]);
    await take('2026-11-24T10:00:00.000Z', 'weather');
    expect(await jobs()).toEqual([{ key: `rejudge:${id}`, payload: { release: id, standard: null } }]);
    // Should the queue lose it, the schedule finds it.
    expect(await queueRejudgements(deps)).toBe(1);
    await rejudgeJob(id, null, deps);
    expect((await since())?.checks).toEqual([
      expect.objectContaining({ id: 'LK-ADV-02', after: 'fired' }),
      expect.objectContaining({ id: 'LK-REL-01' }),
    ]);
    expect((await attention()).judged).toMatchObject([
      { alarms: [{ id: 'LK-ADV-02', because: ['of advisories: GHSA-made-upup-weather'] }] },
    ]);
    await take('2026-11-25T10:00:00.000Z', 'weather', { withdrawn: '2026-11-25T10:00:00Z' });
    expect((await jobs()).map(({ key }) => key)).toEqual([`rejudge:${id}`]);
    await rejudgeJob(id, null, deps);
    expect((await since())?.checks.map(({ id }) => id)).toEqual(['LK-REL-01']);
    expect([await rescans(), (await attention()).judged]).toEqual([3, []]);
  });

  it('is scanned again where its report keeps too little', async () => {
    const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}/report`);
    const text = JSON.stringify({ ...body, evidence: {} });
    const { digest } = await registry.deps.blobs.put(Buffer.from(text));
    const other = await registry.scanned('dave', { version: '1.3.0', source: 'npm:weather@1.3.0' });
    await registry.pool.query(
      `update releases set state = 'approved', report_digest = $2, judged_by = null where id = $1`,
      [other, digest],
    );
    await jobs('scan');
    await rejudgeJob(String(other), null, registry.deps);
    expect((await jobs('rescan')).map(({ key }) => key)).toEqual([`rescan:${other}`]);
    const before = await rescans();
    await rescanJob(String(other), registry.deps);
    const again = await newestRescan(registry.pool, String(other));
    expect([await rescans(), again?.judgedFrom]).toEqual([before + 1, null]);
    const report = JSON.parse(
      (await registry.deps.blobs.get(again?.reportDigest ?? '')).toString(),
    ) as Report;
    // A second scan knows what is publicly known, and is signed like the first.
    expect(report.checks.find((one) => one.id === 'LK-ADV-01')).toMatchObject({ outcome: 'ok' });
    expect(JSON.parse(again?.verdict?.toString() ?? '{}')).toHaveProperty('signatures');
    await registry.pool.query(`update releases set state = 'deprecated' where id = $1`, [other]);
    await rejudgeJob(String(other), null, registry.deps);
    expect(await jobs('rescan')).toEqual([]);
  });

  it('is not judged by a process that has other checks than the schedule asks for', async () => {
    await expect(rejudgeJob(id, 'another', registry.deps)).rejects.toMatchObject({ code: 'STATE_CONFLICT' });
  });

  it('has its signatures verified again, from what was kept, once the root pins other keys', async () => {
    const { blobs } = registry.deps;
    await rejudgeJob(id, null, registry.deps);
    expect((await attention()).judged).toEqual([]);
    const [before, was] = [scans, await rescans()];
    // A pin whose file is nowhere tells nothing of the release: the job fails, and is told as failed.
    await pin(sha256(NPM_ONLY));
    const standard = await standardOf(registry.deps);
    expect((await jobs()).map(({ payload }) => payload)).toContainEqual({ release: id, standard });
    const failed = rejudgeJob(id, standard, registry.deps);
    await expect(failed).rejects.toMatchObject({ code: 'ROOT_UNTRUSTED' });
    expect([await rescans(), (await attention()).judged]).toEqual([was, []]);

    await blobs.put(NPM_ONLY);
    await rejudgeJob(id, standard, registry.deps);
    expect([scans, await rescans()]).toEqual([before, was + 1]);
    const [item] = (await attention()).judged;
    expect(item).toMatchObject({ id: Number(id), gates: true });
    expect(item?.alarms).toMatchObject([
      {
        ...{ id: 'LK-SIG-01', before: 'ok', after: 'fired', gates: true },
        because: ['root.json pins other trust files: npm'],
      },
    ]);
    const again = await newestRescan(registry.pool, id);
    expect(JSON.parse(again?.verdict?.toString() ?? '{}')).toHaveProperty('signatures');
    const report = assertValid(Report, JSON.parse(String(await blobs.get(again?.reportDigest ?? ''))), 'it');
    expect(report.evidence['trust-npm']).toBe(sha256(NPM_ONLY));
    expect(report.origin?.provenance?.rank).toBe('none');

    await pin(sha256(keysUntil()));
    await jobs();
    await rejudgeJob(id, null, registry.deps);
    expect([scans, await rescans(), (await attention()).judged]).toEqual([before, was + 2, []]);
  });

  it('whose scan fails for good is told, with how often, why, and how to have it tried again', async () => {
    const { expected, found, next } = { expected: 'it', found: 'a closed door', next: 'Knock' };
    const broken = new LockkeeperError('SOURCE_UNREACHABLE', { expected, found, next });
    const deps = { ...registry.deps, scan: () => Promise.reject(broken) };
    await queueRescan(registry.pool, id);
    await registry.pool.query(`update graphile_worker._private_jobs set max_attempts = 1`);
    expect((await attention()).failed).toEqual([]);
    const runner = await startWorker(deps, 1);
    await until(async () => (await attention()).failed.length > 0);
    await runner.stop();
    const { failed } = await attention();
    expect(failed).toMatchObject([{ id: Number(id), attempts: 1, reason: broken.message }]);
    expect(attentionLines(await attention()).first.join('\n')).toMatch(
      new RegExp(`could not be looked at again, once .*closed door.* lk review ${id} --rescan$`),
    );
    expect((await events('release.look-failed')).map(({ detail }) => detail)).toMatchObject([
      { attempts: 1, code: 'SOURCE_UNREACHABLE' },
    ]);
    expect((await registry.call('alice', 'POST', `/v1/releases/${id}/rescan`, {})).status).toBe(202);
    expect([(await attention()).failed, (await jobs('rescan')).map(({ key }) => key)]).toEqual([
      [],
      [`rescan:${id}`],
    ]);
    // A judgement that was given up is no longer missed once a scan is asked for.
    await registry.pool.query(
      `select graphile_worker.add_job('rejudge', job_key := 'rejudge:' || $1, max_attempts := 1)`,
      [id],
    );
    await registry.pool.query(`update graphile_worker._private_jobs set attempts = 1`);
    expect((await attention()).failed).toHaveLength(1);
    await registry.call('alice', 'POST', `/v1/releases/${id}/rescan`, {});
    expect([(await attention()).failed, (await jobs('rescan')).map(({ key }) => key)]).toEqual([
      [],
      [`rescan:${id}`],
    ]);
    const { rows } = await registry.pool.query(`select id from releases where state = 'deprecated' limit 1`);
    const refused = await registry.call('alice', 'POST', `/v1/releases/${rows[0].id}/rescan`, {});
    expect([refused.body.code, await jobs('rescan')]).toEqual(['STATE_CONFLICT', []]);
  });

  it('is judged by workers, whose jobs say by what', async () => {
    const deps = under(5);
    await queueRejudgements(deps);
    const runner = await startWorker(deps, 1);
    try {
      await until(async () => (await queueRejudgements(deps)) === 0);
    } finally {
      await runner.stop();
    }
  });
});
