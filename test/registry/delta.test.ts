import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../../cli/api.ts';
import { giveApproval } from '../../cli/approval.ts';
import { verifyLock } from '../../runtime/trust/lock.ts';
import type { DiffView } from '../../schemas/api.ts';
import type { Approval, DeltaFrom } from '../../schemas/approval.ts';
import { renderLockFile } from '../../schemas/lock.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { Release } from '../../schemas/release.ts';
import { keySigner } from '../../schemas/signer.ts';
import { SUBMISSION, servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

const OTHER = `sha256:${'4'.repeat(64)}`;
const DAY_MS = 86_400_000;

describe.each(servers())('approvals of a difference, on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let carol: Key;
  beforeAll(async () => {
    ({ registry, alice, bob } = await startStaffed(server));
    carol = await registry.reviewer('carol');
  });
  afterAll(() => registry.close());

  const deltaOf = async (id: number, from: string): Promise<DeltaFrom | undefined> =>
    (await registry.call('alice', 'GET', `/v1/releases/${id}/statement?delta=${from}`)).body.statement
      ?.predicate.deltaFrom;
  /** Approves as the difference from a version; `change` may forge the statement. */
  const approveDelta = async (
    key: Key,
    id: number,
    {
      from,
      change = () => undefined,
    }: { from: string; change?: (approval: Approval, delta: DeltaFrom) => void },
  ) => {
    const delta = await deltaOf(id, from);
    if (!delta) throw new Error(`no delta from ${from}`);
    return registry.approve(key, id, (approval) => {
      approval.predicate.deltaFrom = delta;
      change(approval, delta);
    });
  };
  const approvedDelta = async (
    of: string,
    from: string,
    keys: readonly Key[] = [alice, bob],
  ): Promise<number> => {
    const id = await registry.scanned('dave', submissionOf(of));
    for (const key of keys) expect((await approveDelta(key, id, { from })).body.code).toBeUndefined();
    return id;
  };
  const view = async (id: number) => (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body;
  const review = async (id: number) =>
    (await registry.call('alice', 'GET', `/v1/releases/${id}/review`)).body;

  it('count like others, lock like others, and say what they rest on', async () => {
    const base = await registry.approved('dave', [alice, bob], submissionOf('1.0.0'));
    const id = await registry.scanned('dave', submissionOf('1.1.0'));
    const delta = await deltaOf(id, '1.0.0');
    const { closure, surfaceDigest, approvals } = await view(base);
    expect(delta).toEqual({
      version: '1.0.0',
      closureDigest: closure.digest,
      surfaceDigest,
      approvals: approvals.map(({ digest }) => digest),
    });
    expect((await approveDelta(alice, id, { from: '1.0.0' })).body).toMatchObject({
      state: 'in_review',
      given: 1,
    });
    expect((await approveDelta(carol, id, { from: '1.0.0' })).body).toMatchObject({
      state: 'approved',
      given: 2,
    });
    expect((await view(id)).approvals.map((one) => one.deltaFrom)).toEqual(['1.0.0', '1.0.0']);
    const full = { version: '1.0.0', by: ['alice', 'bob'], at: expect.any(String) };
    expect((await review(id)).deltas).toEqual([
      { person: 'alice', from: '1.0.0', full },
      { person: 'carol', from: '1.0.0', full },
    ]);
    expect((await review(base)).deltas).toEqual([]);
    const { body: trust } = await registry.call(null, 'GET', '/v1/trust');
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: 'http://127.0.0.1:7411',
      trust: { rootKeys: trust.rootKeys, threshold: 1 },
      servers: { weather: { server: SUBMISSION.name, range: '1.1.0' } },
    };
    const { body } = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    const verified = verifyLock(Buffer.from(renderLockFile(body.file)), {
      pin: trust,
      audience: 'acme/app',
      environment: 'development',
      now: new Date(),
      seen: null,
    });
    expect(verified.entries.get('weather')?.approvedBy).toEqual(['alice', 'carol']);
  });

  describe('a forged one', () => {
    let id: number;
    beforeAll(async () => {
      await registry.approved('dave', [alice, bob], submissionOf('2.0.0'));
      await registry.scanned('dave', submissionOf('2.0.1'));
      id = await registry.scanned('dave', submissionOf('2.1.0'));
    });
    it.each<[string, (delta: DeltaFrom, approval: Approval) => void]>([
      ['a version that is not here', (d) => void (d.version = '7.7.7')],
      ['a version that was not approved', (d) => void (d.version = '2.0.1')],
      ['itself', (d) => void (d.version = '2.1.0')],
      ['other bytes', (d) => void (d.closureDigest = OTHER)],
      ['another surface', (d) => void (d.surfaceDigest = OTHER)],
      ['approvals that are not here', (d) => void (d.approvals = [...d.approvals, OTHER])],
      ['one approval of two', (d) => void (d.approvals = d.approvals.slice(0, 1))],
      [
        'an environment that nobody approved it for',
        (_, a) => void a.predicate.environments.push('production'),
      ],
      ['no environment', (_, a) => void (a.predicate.environments = [])],
    ])('with a base of %s is refused and not kept', async (_name, change) => {
      const answer = await approveDelta(alice, id, { from: '2.0.0', change: (a, d) => change(d, a) });
      expect([answer.status, answer.body.code]).toEqual([422, 'APPROVAL_DELTA']);
      expect((await view(id)).approvals).toEqual([]);
    });
    it('with approvals of another release is refused', async () => {
      const other = await deltaOf(id, '1.0.0');
      const change = (_: Approval, delta: DeltaFrom): void => void (delta.approvals = other?.approvals ?? []);
      expect((await approveDelta(alice, id, { from: '2.0.0', change })).body.code).toBe('APPROVAL_DELTA');
    });
    it.each([
      ['7.7.7', 'not here'],
      ['2.0.1', 'in_review'],
      ['2.1.0', 'the same'],
    ])('is not even written for %s', async (from, found) => {
      const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}/statement?delta=${from}`);
      expect(body).toMatchObject({ code: 'APPROVAL_DELTA', found: expect.stringContaining(found) });
    });
  });

  it('rest on approvals of today: not on a reviewer who left, not on what was revoked', async () => {
    const kim = await registry.reviewer('kim');
    const base = await registry.approved('dave', [alice, kim], submissionOf('3.0.0'));
    const id = await registry.scanned('dave', submissionOf('3.1.0'));
    const named = await deltaOf(id, '3.0.0');
    await registry.call('root', 'POST', '/v1/people/kim/remove', {});
    const withThat = (approval: Approval): void => void (approval.predicate.deltaFrom = named as DeltaFrom);
    expect((await registry.approve(bob, id, withThat)).body).toMatchObject({
      code: 'APPROVAL_DELTA',
      expected: expect.stringContaining('3.0.0 approved for development today'),
    });
    const { body } = await registry.call('bob', 'GET', `/v1/releases/${id}/statement?delta=3.0.0`);
    expect(body.code).toBe('APPROVAL_DELTA');
    await registry.approve(bob, base);
    expect((await approveDelta(carol, id, { from: '3.0.0' })).status).toBe(200);
    await registry.call('bob', 'POST', `/v1/releases/${base}/revoke`, { reason: 'found a hole' });
    const again = await registry.approve(bob, id, withThat);
    expect(again.body).toMatchObject({ code: 'APPROVAL_DELTA', found: expect.stringContaining('revoked') });
    expect((await view(id)).approvals).toHaveLength(1);
  });

  it(`chain ${DEFAULT_POLICY.approvals.maxDeltas} times and not once more, until somebody reads it whole`, async () => {
    await registry.approved('dave', [alice, bob], submissionOf('4.0.0'));
    // One who reads a release whole does not make it a full review: that takes as many as an approval.
    const mixed = await registry.scanned('dave', submissionOf('4.1.0'));
    await registry.approve(alice, mixed);
    await approveDelta(bob, mixed, { from: '4.0.0' });
    const most = DEFAULT_POLICY.approvals.maxDeltas;
    for (let n = 2; n <= most; n++) await approvedDelta(`4.${n}.0`, `4.${n - 1}.0`);
    const id = await registry.scanned('dave', submissionOf('4.8.0'));
    const refused = await approveDelta(alice, id, { from: `4.${most}.0` });
    expect(refused.body).toMatchObject({ code: 'APPROVAL_DELTA', found: `${most + 1} in a row` });
    expect((await view(id)).approvals).toEqual([]);
    for (const key of [alice, bob]) expect((await registry.approve(key, id)).status).toBe(200);
    await approvedDelta('4.9.0', '4.8.0');
  });

  it('never go round in a circle', async () => {
    const first = await registry.approved('dave', [alice, bob], submissionOf('5.0.0'));
    await approvedDelta('5.1.0', '5.0.0');
    await registry.pool.query(
      `update approvals set expires_at = now() + interval '1 day' where release_id = $1`,
      [first],
    );
    const answer = await approveDelta(alice, first, { from: '5.1.0' });
    expect(answer.body).toMatchObject({ code: 'APPROVAL_DELTA', found: expect.stringContaining('5.0.0') });
  });

  it('give way to an approval of the whole release by the same person, not the other way round', async () => {
    await registry.approved('dave', [alice, bob], submissionOf('6.0.0'));
    const id = await approvedDelta('6.1.0', '6.0.0');
    expect((await approveDelta(alice, id, { from: '6.0.0' })).body.code).toBe('APPROVAL_GIVEN');
    expect((await registry.approve(alice, id)).status).toBe(200);
    expect((await approveDelta(alice, id, { from: '6.0.0' })).body.code).toBe('APPROVAL_GIVEN');
    const from = (await view(id)).approvals.map((one) => one.deltaFrom);
    expect(from.sort()).toEqual(['6.0.0', null]);
  });

  describe('on the reviewer’s machine', () => {
    let api: Api;
    let release: Release;
    const wish = {
      environments: [],
      accepts: { 'LK-SRF-01': 'read the change' },
      days: 30,
      deltaFrom: '8.0.0',
    };
    beforeAll(async () => {
      const url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
      api = openApi(url, await registry.person('alice', 'reviewer'));
      await registry.approved('dave', [alice, bob], submissionOf('8.0.0'));
      const id = await registry.scanned('dave', submissionOf('8.1.0'));
      release = await api.call('release', Release, { parameters: { id } });
    });
    /** A registry that writes another statement than it should. */
    const lying = (change: (delta: DeltaFrom) => void): Api => ({
      ...api,
      call: async (...words) => {
        const answer = await api.call(...words);
        if (words[0] === 'statement')
          change((answer as { statement: Approval }).statement.predicate.deltaFrom as DeltaFrom);
        return answer;
      },
    });
    const give = (by: Api, deltaFrom: string | null = '8.0.0') =>
      giveApproval(
        release,
        { ...wish, deltaFrom },
        {
          api: by,
          signer: keySigner(alice.key),
          now: new Date(),
          root: async () => (await registry.deps.trust.current()).trusted,
        },
      );

    it.each<[string, (delta: DeltaFrom) => void]>([
      ['another version', (d) => void (d.version = '1.0.0')],
      ['other bytes', (d) => void (d.closureDigest = OTHER)],
      ['another surface', (d) => void (d.surfaceDigest = OTHER)],
      ['other approvals', (d) => void (d.approvals = [OTHER])],
    ])('is not signed for %s than the registry shows', async (_name, change) => {
      await expect(give(lying(change))).rejects.toMatchObject({ code: 'APPROVAL_SUBJECT' });
      expect((await view(release.id)).approvals).toEqual([]);
    });

    it('is not signed when the whole release was meant', async () => {
      const sneaky: Api = {
        ...api,
        call: (route, answer, call) =>
          api.call(route, answer, route === 'statement' ? { ...call, query: { delta: '8.0.0' } } : call),
      };
      await expect(give(sneaky, null)).rejects.toMatchObject({ code: 'APPROVAL_SUBJECT' });
      expect((await view(release.id)).approvals).toEqual([]);
    });

    it('is signed for what was read', async () => {
      expect(await give(api)).toMatchObject({ given: 1, state: 'in_review' });
      const [given] = (await view(release.id)).approvals;
      expect(given).toMatchObject({ person: 'alice', deltaFrom: '8.0.0' });
      expect(Date.parse(given?.expires ?? '')).toBeLessThan(Date.now() + 31 * DAY_MS);
    });

    it('shows the difference from any version asked for', async () => {
      const page = `/v1/releases/${release.id}/diff`;
      const diff = async (query: string) =>
        (await registry.call<DiffView & { code?: string }>('alice', 'GET', `${page}${query}`)).body;
      expect((await diff('?from=1.0.0')).before?.version).toBe('1.0.0');
      expect((await diff('')).before?.version).toBe('8.0.0');
      expect((await diff('?from=7.7.7')).code).toBe('NOT_FOUND');
      expect((await diff('')).artifacts.rewritten).toEqual([]);
    });

    it('shows a package that is other bytes under the same name and version', async () => {
      const purl = 'pkg:npm/weather@8.0.0';
      await registry.pool.query(
        `update releases set closure = jsonb_set(closure, '{artifacts,0,purl}', to_jsonb($2::text)) where id = $1`,
        [release.id, purl],
      );
      const page = `/v1/releases/${release.id}/diff`;
      const { artifacts } = (await registry.call<DiffView>('alice', 'GET', page)).body;
      const told = [expect.stringMatching(/^pkg:npm\/weather@8[.]0[.]0 \(sha256:[0-9a-f]{64}\)$/)];
      expect(artifacts).toEqual({ added: told, removed: told, rewritten: [purl] });
      expect(artifacts.added).not.toEqual(artifacts.removed);
    });
  });
});
