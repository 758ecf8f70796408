import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../registry/db/migrate.ts';
import { newCode, putPerson } from '../../registry/db/people.ts';
import { moveState } from '../../registry/db/releases.ts';
import { MOVES } from '../../registry/lifecycle.ts';
import { watchUpstream } from '../../registry/upstream.ts';
import { scanJob } from '../../registry/worker.ts';
import { verifyLock } from '../../runtime/trust/lock.ts';
import { openRoot } from '../../runtime/trust/root.ts';
import { ROUTES, type RoleName, type Route } from '../../schemas/api.ts';
import { type Approval, STATEMENT_TYPE } from '../../schemas/approval.ts';
import { link } from '../../schemas/audit.ts';
import { seal } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { KEY_PROOF_TYPE } from '../../schemas/keys.ts';
import { lockDigest, lockPolicyOf, MAX_POLICY_BYTES, renderLockFile } from '../../schemas/lock.ts';
import type { Answer } from '../helpers/registry.ts';
import {
  freshDatabase,
  SUBMISSION,
  servers,
  startTestRegistry,
  submissionOf,
  type TestRegistry,
} from '../helpers/registry.ts';
import { type Key, makeKey } from '../helpers/trust.ts';

const ROLES: readonly RoleName[] = ['admin', 'reviewer', 'publisher', 'developer', 'auditor', 'runtime'];

describe.each(servers())('the registry on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    await registry.person('root', 'admin');
    await registry.person('erin', 'developer');
    await registry.person('box', 'runtime');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
  });
  afterAll(() => registry.close());

  const count = async (table: string): Promise<number> =>
    Number((await registry.pool.query(`select count(*) as n from ${table}`)).rows[0].n);

  describe('who may call what', () => {
    const rows = Object.entries(ROUTES) as [string, Route][];
    it.each(rows)('%s', async (_name, route) => {
      const url = route.path
        .replace(':id', '999999')
        .replace(':digest', `sha256:${'0'.repeat(64)}`)
        .replace(':name', 'a%2Fb')
        .replace(':version', '1')
        // a stream that is let in does not end
        .replace('/stream', '/stream?after=none');
      for (const role of [...ROLES, null]) {
        if (role) await registry.person(`only-${role}`, role);
        const { status } = await registry.call(
          role && `only-${role}`,
          route.method,
          url,
          route.method === 'POST' ? {} : undefined,
        );
        const open = route.roles.includes('anonymous');
        if (role === null) expect(status === 401, `anonymous got ${status}`).toBe(!open);
        else expect(status === 403, `${role} got ${status}`).toBe(!open && !route.roles.includes(role));
      }
    });

    it('has no other route', async () => {
      for (const url of [
        '/v1',
        '/v1/releases/1/approve',
        '/admin',
        '/v1/keys',
        '/v0/servers',
        '/assets/../package.json',
      ]) {
        expect((await registry.call('root', 'GET', url)).status).toBe(404);
      }
    });

    it('refuses tokens that are unknown, malformed or expired', async () => {
      const token = await registry.person('late', 'developer');
      await registry.pool.query(
        `update tokens set expires_at = now() - interval '1 second' where person = 'late'`,
      );
      for (const bad of [token, 'lk_nonsense', `lk_${'a'.repeat(43)}`])
        expect((await registry.call(bad, 'GET', '/v1/me')).status).toBe(401);
    });

    it('takes a role away from tokens given before', async () => {
      await registry.person('frank', 'developer', 'auditor');
      expect((await registry.call('frank', 'GET', '/v1/audit')).status).toBe(200);
      await putPerson(registry.pool, 'frank', ['developer']);
      expect((await registry.call('frank', 'GET', '/v1/audit')).status).toBe(403);
    });
  });

  describe('signing in', () => {
    it('takes a code once, even from two at the same time', async () => {
      const { code } = await newCode(registry.pool, 'erin', 1);
      const answers = await Promise.all(
        [1, 2, 3].map(() => registry.call(null, 'POST', '/v1/sign-in', { code })),
      );
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401, 401]);
      const stored = await registry.pool.query('select token_hash, code_hash from tokens, sign_in_codes');
      expect(JSON.stringify(stored.rows)).not.toContain(code);
    });

    it('refuses an old code, and too many wrong ones', async () => {
      const { code } = await newCode(registry.pool, 'erin', -1);
      expect((await registry.call(null, 'POST', '/v1/sign-in', { code })).body.code).toBe('CODE_INVALID');
      let last = { status: 0 };
      for (let i = 0; i < 12; i++)
        last = await registry.call(null, 'POST', '/v1/sign-in', { code: `no-${i}` });
      expect(last.status).toBe(429);
    });

    it('gives nobody more roles than they have', async () => {
      const answer = await registry.call('erin', 'POST', '/v1/tokens', { roles: ['admin'], hours: 1 });
      expect(answer.body.code).toBe('FORBIDDEN');
    });
  });

  describe('strict bodies', () => {
    it.each<[string, unknown]>([
      ['an unknown key', { ...SUBMISSION, approved: true }],
      [
        'a number as text',
        {
          ...SUBMISSION,
          permissions: {
            ...SUBMISSION.permissions,
            limits: { ...SUBMISSION.permissions.limits, pids: '64' },
          },
        },
      ],
      ['a missing key', { name: 'a/b' }],
      ['a tag for a version', { ...SUBMISSION, source: 'npm:weather@latest', version: 'latest' }],
      ['another version than the source', { ...SUBMISSION, version: '9.9.9' }],
      ['a duplicate key', `{"name":"a/b","name":"c/d"}`],
      ['no JSON', 'hello'],
      ['null', 'null'],
    ])('refuse %s and write nothing', async (_name, body) => {
      const before = await count('releases');
      const answer = await registry.call('dave', 'POST', '/v1/releases', body);
      expect(answer.status).toBe(400);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      expect(answer.body.detail).toMatch(/expected .+; found .+\. .+/s);
      expect(await count('releases')).toBe(before);
    });
  });

  describe('bodies that are too much', () => {
    it('are refused before they are read whole', async () => {
      const code = 'x'.repeat(100_000);
      expect((await registry.call(null, 'POST', '/v1/sign-in', { code })).status).toBe(413);
    });

    it.each<[string, string, unknown]>([
      [
        'a NUL in a text',
        '/v1/releases',
        { ...SUBMISSION, version: '9.9.9', source: 'npm:weather@9.9.9', description: 'a\u0000b' },
      ],
      ['a day that is none', '/v1/audit', null],
    ])('or hold %s: told as the caller’s mistake', async (_, url, body) => {
      const answer =
        body === null
          ? await registry.call('alice', 'GET', `${url}?since=2026-02-30T00:00:00.000Z`)
          : await registry.call('dave', 'POST', url, body);
      expect(answer.status, JSON.stringify(answer.body)).toBe(400);
    });
  });

  describe('publishing', () => {
    it('stores release, job and event together', async () => {
      const answer = await registry.submit('dave', submissionOf('0.0.1'));
      expect(answer.status).toBe(201);
      expect(answer.body).toMatchObject({ state: 'submitted', requestedBy: 'dave', closure: null });
      const jobs = await registry.pool.query(
        `select count(*) as n from graphile_worker.jobs where key = $1`,
        [`scan:${answer.body.id}`],
      );
      expect(Number(jobs.rows[0].n)).toBe(1);
    });

    it('refuses the same version twice and keeps one', async () => {
      const before = await count('releases');
      expect((await registry.submit('dave', submissionOf('0.0.1'))).body.code).toBe('RELEASE_EXISTS');
      expect(await count('releases')).toBe(before);
    });

    it('lets a rejected version be submitted again', async () => {
      const id = await registry.scanned('dave', submissionOf('0.0.2'));
      await registry.call('alice', 'POST', `/v1/releases/${id}/reject`, { reason: 'not this one' });
      expect((await registry.submit('dave', submissionOf('0.0.2'))).status).toBe(201);
    });

    it('rejects what cannot be scanned, with the reason; tries again what could not be verified', async () => {
      const { body } = await registry.submit('dave', submissionOf('0.0.3'));
      const failing = (code: 'ARTIFACT_MISMATCH' | 'SOURCE_UNREACHABLE') => ({
        ...registry.deps,
        scan: async () => {
          throw new LockkeeperError(code, {
            expected: 'good bytes',
            found: 'bad bytes',
            next: 'Do not use it',
          });
        },
      });
      await expect(
        scanJob(String(body.id), { attempts: 1, max_attempts: 5 }, failing('SOURCE_UNREACHABLE')),
      ).rejects.toThrow();
      expect((await registry.call('dave', 'GET', `/v1/releases/${body.id}`)).body.state).toBe('submitted');
      await scanJob(String(body.id), { attempts: 2, max_attempts: 5 }, failing('ARTIFACT_MISMATCH'));
      expect((await registry.call('dave', 'GET', `/v1/releases/${body.id}`)).body).toMatchObject({
        state: 'rejected',
        reason: expect.stringContaining('ARTIFACT_MISMATCH'),
      });
    });

    it('says so where a report is from before bills of materials were made', async () => {
      const id = await registry.scanned('dave', submissionOf('0.0.5'));
      const { status, body } = await registry.call('alice', 'GET', `/v1/releases/${id}/sbom`);
      expect([status, body.code]).toEqual([404, 'NOT_FOUND']);
    });

    it('hands out only blobs that a release names', async () => {
      const id = await registry.scanned('dave', submissionOf('0.0.4'));
      const { body } = await registry.call('dave', 'GET', `/v1/releases/${id}`);
      expect(
        (await registry.call('box', 'GET', `/v1/blobs/${body.closure.artifacts[0]?.sha256}`)).status,
      ).toBe(200);
      const { digest } = await registry.deps.blobs.put(Buffer.from('somebody else’s'));
      expect((await registry.call('box', 'GET', `/v1/blobs/${digest}`)).status).toBe(404);
    });
  });

  describe('approving', () => {
    it('takes two distinct people', async () => {
      const id = await registry.scanned('dave', submissionOf('1.0.0'));
      expect((await registry.approve(alice, id)).body).toMatchObject({
        given: 1,
        needed: 2,
        state: 'in_review',
      });
      expect((await registry.approve(alice, id)).body.code).toBe('APPROVAL_GIVEN');
      expect((await registry.approve(bob, id)).body).toMatchObject({ given: 2, state: 'approved' });
    });

    it('refuses the requester, and says so before they sign', async () => {
      await registry.person('alice', 'reviewer', 'publisher', 'developer');
      const id = await registry.scanned('alice', { ...submissionOf('1.0.1'), name: 'acme.tools/hers' });
      expect((await registry.call('alice', 'GET', `/v1/releases/${id}/statement`)).body.code).toBe(
        'APPROVAL_REQUESTER',
      );
      const statement = await registry.statement('bob', id);
      const forged = {
        ...statement,
        predicate: { ...statement.predicate, approvedBy: 'alice', environments: ['development'] },
      };
      const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(forged)), [alice.key]);
      expect(
        (await registry.call('alice', 'POST', `/v1/releases/${id}/approvals`, { envelope })).body.code,
      ).toBe('APPROVAL_REQUESTER');
      expect((await registry.call('bob', 'GET', `/v1/releases/${id}`)).body.approvals).toEqual([]);
    });

    it('refuses other bytes, other permissions, too long a life, a stranger’s key, another’s signature', async () => {
      const id = await registry.scanned('dave', submissionOf('1.0.2'));
      const codes = [];
      codes.push(
        (
          await registry.approve(
            alice,
            id,
            (a) => void (a.predicate.closureDigest = `sha256:${'0'.repeat(64)}`),
          )
        ).body.code,
      );
      codes.push(
        (
          await registry.approve(
            alice,
            id,
            (a) => void a.predicate.permissions.egress.push('evil.example:443'),
          )
        ).body.code,
      );
      codes.push(
        (await registry.approve(alice, id, (a) => void (a.predicate.expires = '2099-01-01T00:00:00.000Z')))
          .body.code,
      );
      codes.push((await registry.approve({ ...makeKey('alice') }, id)).body.code);
      codes.push((await registry.approve({ ...bob, person: 'alice' }, id)).body.code);
      expect(codes).toEqual([
        'APPROVAL_SUBJECT',
        'APPROVAL_SUBJECT',
        'APPROVAL_SCOPE',
        'KEY_UNKNOWN',
        'SIGNATURE_INVALID',
      ]);
      expect((await registry.call('bob', 'GET', `/v1/releases/${id}`)).body).toMatchObject({
        state: 'in_review',
        approvals: [],
      });
    });

    it('asks a reason for each gating check that fired', async () => {
      const id = await registry.scanned('dave', submissionOf('1.0.3'));
      expect((await registry.call('alice', 'GET', `/v1/releases/${id}/statement`)).body.missing).toEqual([
        'LK-SRF-01',
      ]);
      expect((await registry.approve(alice, id, (a) => void (a.predicate.accepts = {}))).body).toMatchObject({
        code: 'APPROVAL_CHECKS',
        found: expect.stringContaining('LK-SRF-01'),
      });
      const strange = (a: Approval): void => void (a.predicate.accepts['LK-NOPE-99'] = 'whatever');
      expect((await registry.approve(alice, id, strange)).body).toMatchObject({
        code: 'APPROVAL_CHECKS',
        found: 'LK-NOPE-99',
      });
    });

    it('counts people for an environment, and lets one person change theirs', async () => {
      const id = await registry.scanned('dave', submissionOf('1.0.41'));
      const forOther = (a: Approval): void => void (a.predicate.environments = ['production']);
      expect((await registry.approve(alice, id, forOther)).body).toMatchObject({ given: 1 });
      expect((await registry.approve(bob, id)).body).toMatchObject({ given: 1, state: 'in_review' });
      const forBoth = (a: Approval): void => void (a.predicate.environments = ['production', 'development']);
      expect((await registry.approve(alice, id, forBoth)).body).toMatchObject({
        given: 2,
        state: 'approved',
      });
      const { body } = await registry.call('bob', 'GET', `/v1/releases/${id}`);
      expect(body.approvals).toMatchObject([
        { person: 'bob', environments: ['development'] },
        { person: 'alice', environments: ['production', 'development'] },
      ]);
    });

    it('keeps what somebody approved before: fewer environments are refused', async () => {
      const id = await registry.approved('dave', [alice, bob], submissionOf('1.0.42'));
      for (const environments of [['production'], []]) {
        const fewer = (a: Approval): void => void (a.predicate.environments = environments);
        expect((await registry.approve(alice, id, fewer)).body.code).toBe('APPROVAL_SCOPE');
      }
      expect((await registry.call('bob', 'GET', `/v1/releases/${id}`)).body.approvals).toHaveLength(2);
    });

    it('moves a state once, whoever races', async () => {
      const id = await registry.scanned('dave', submissionOf('1.0.4'));
      const moved = await Promise.all(
        Array.from({ length: 10 }, () => moveState(registry.pool, id, MOVES.approve)),
      );
      expect(moved.filter(Boolean)).toHaveLength(1);
      expect(
        (await registry.call('alice', 'POST', `/v1/releases/${id}/reject`, { reason: 'too late' })).body.code,
      ).toBe('STATE_CONFLICT');
    });
  });

  describe('approving again', () => {
    it('renews an approval that is nearly over, and one whose key was replaced; never a good one', async () => {
      const heidi = await registry.reviewer('heidi');
      const id = await registry.approved('dave', [alice, bob], submissionOf('1.0.6'));
      expect((await registry.approve(alice, id)).body.code).toBe('APPROVAL_GIVEN');
      await registry.pool.query(
        `update approvals set expires_at = now() + interval '1 day' where release_id = $1 and person = 'alice'`,
        [id],
      );
      expect((await registry.approve(alice, id)).body).toMatchObject({ state: 'approved', given: 2 });
      expect((await registry.approve(heidi, id)).status).toBe(200);
      const fresh = await registry.reviewer('heidi');
      expect((await registry.approve(fresh, id)).status).toBe(200);
    });

    it('takes the key of somebody who is no reviewer any more out of the root', async () => {
      const ivan = await registry.reviewer('ivan');
      await registry.call('root', 'POST', '/v1/people', { person: 'ivan', roles: ['developer'] });
      const { body } = await registry.call(null, 'GET', '/v1/trust');
      const { root } = openRoot(body, body, new Date());
      expect(root.roles.approver.keyids).not.toContain(ivan.keyid);
    });
  });

  describe('keys and the root', () => {
    it('replaces a person’s key; the old one no longer approves', async () => {
      const old = await registry.reviewer('grace');
      const fresh = await registry.reviewer('grace');
      const id = await registry.scanned('dave', submissionOf('1.0.5'));
      expect((await registry.approve(old, id)).body.code).toBe('KEY_UNKNOWN');
      expect((await registry.approve(fresh, id)).status).toBe(200);
    });

    it('retires a key only when asked to, says what rests on it, and takes an old one up again', async () => {
      const first = await registry.reviewer('judy');
      const id = await registry.approved('dave', [first, alice], submissionOf('1.0.61'));
      const enrol = (key: Key, replace: boolean): Promise<Answer> => {
        const claim = { person: 'judy', publicKey: key.pem, at: new Date().toISOString() };
        const proof = seal(KEY_PROOF_TYPE, Buffer.from(JSON.stringify(claim)), [key.key]);
        return registry.call('judy', 'POST', '/v1/keys', { proof, replace });
      };
      const second = makeKey('judy');
      expect((await enrol(second, false)).body).toMatchObject({
        code: 'STATE_CONFLICT',
        found: expect.stringContaining('1 approved release would no longer count'),
      });
      expect((await enrol(second, true)).status).toBe(200);
      expect((await enrol(first, true)).body.keyid).toBe(first.keyid);
      await registry.call('root', 'POST', '/v1/people', { person: 'judy', roles: ['developer'] });
      const back = await registry.call('root', 'POST', '/v1/people', {
        person: 'judy',
        roles: ['reviewer', 'developer'],
      });
      expect(back.status).toBe(200);
      expect((await enrol(first, false)).status).toBe(200);
      expect((await registry.approve(first, id)).body.code).toBe('APPROVAL_GIVEN');
    });

    it('takes five keys of one person in a day and no more, and makes no root for those', async () => {
      const last = { key: await registry.reviewer('lena') };
      for (let i = 1; i < 5; i++) last.key = await registry.reviewer('lena');
      const before = await count('roots');
      const enrol = (key: Key): Promise<Answer> => {
        const claim = { person: 'lena', publicKey: key.pem, at: new Date().toISOString() };
        const proof = seal(KEY_PROOF_TYPE, Buffer.from(JSON.stringify(claim)), [key.key]);
        return registry.call('lena', 'POST', '/v1/keys', { proof, replace: true });
      };
      const answers = await Promise.all([1, 2].map(() => enrol(makeKey('lena'))));
      for (const { status, body } of answers) {
        expect([status, body.code]).toEqual([429, 'RATE_LIMITED']);
        expect(body.detail).toContain(
          'expected at most 5 keys of lena enrolled in a day; found 5 in the last',
        );
      }
      expect(await count('roots')).toBe(before);
      const id = await registry.scanned('dave', submissionOf('1.0.62'));
      expect((await registry.approve(last.key, id)).status).toBe(200);
      expect((await enrol(last.key)).status, 'the key that is enrolled already').toBe(200);
      await registry.reviewer('mona');
      await registry.pool.query('alter table events disable trigger append_only');
      await registry.pool.query(
        `update events set at = at - interval '1 day' where person = 'lena' and action = 'key.enrolled'`,
      );
      await registry.pool.query('alter table events enable trigger append_only');
      await registry.reviewer('lena');
      expect(await count('roots')).toBe(before + 2);
    });

    it('refuses a proof by another key, of another person, and an old one', async () => {
      const key = makeKey('alice');
      const other = makeKey('alice');
      const proof = (claim: object, by = key): object => ({
        proof: seal('application/vnd.lockkeeper.key-proof+json', Buffer.from(JSON.stringify(claim)), [
          by.key,
        ]),
        replace: false,
      });
      const at = new Date().toISOString();
      const bodies = [
        proof({ person: 'alice', publicKey: key.pem, at }, other),
        proof({ person: 'bob', publicKey: key.pem, at }),
        proof({ person: 'alice', publicKey: key.pem, at: '2026-01-01T00:00:00.000Z' }),
      ];
      for (const body of bodies)
        expect((await registry.call('alice', 'POST', '/v1/keys', body)).body.code).toBe('SIGNATURE_INVALID');
    });

    it('shows a root that opens with what it pins', async () => {
      const { body } = await registry.call(null, 'GET', '/v1/trust');
      const { root } = openRoot(body, body, new Date());
      expect(root.roles.approver.threshold).toBe(2);
      expect(root.trial).toBe(false);
    });
  });

  describe('people', () => {
    it('leave with their sign-ins, and what rests on them is told', async () => {
      const kim = await registry.reviewer('kim');
      await registry.approved('dave', [kim, alice], submissionOf('1.0.71'));
      const left = await registry.call('root', 'POST', '/v1/people/kim/remove', {});
      expect(left.body).toEqual({ person: 'kim', orphaned: [], voided: 1, rootPending: false });
      expect((await registry.call('kim', 'GET', '/v1/me')).status).toBe(401);
      const { body } = await registry.call('root', 'GET', '/v1/people');
      expect(body.people.map(({ person }: { person: string }) => person)).not.toContain('kim');
      expect((await registry.call('root', 'POST', '/v1/people/kim/code', {})).body.code).toBe('NOT_FOUND');
    });

    it('never go without an administrator', async () => {
      const { body: all } = await registry.call('root', 'GET', '/v1/people');
      for (const { person, roles } of all.people as { person: string; roles: string[] }[])
        if (roles.includes('admin') && person !== 'root')
          await registry.call('root', 'POST', `/v1/people/${person}/remove`, {});
      for (const [url, body] of [
        ['/v1/people', { person: 'root', roles: ['developer'] }],
        ['/v1/people/root/remove', {}],
      ] as const)
        expect((await registry.call('root', 'POST', url, body)).status).toBe(409);
      expect((await registry.call('root', 'GET', '/v1/people')).status).toBe(200);
    });
  });

  describe('locks', () => {
    const intentFor = async (range: string, rest: object = {}): Promise<object> => {
      const { body } = await registry.call(null, 'GET', '/v1/trust');
      return {
        lockkeeper: 'intent/v1',
        project: 'acme/app',
        environment: 'development',
        registry: 'http://127.0.0.1:7411',
        trust: { rootKeys: body.rootKeys, threshold: 1 },
        servers: { weather: { server: SUBMISSION.name, range, ...rest } },
      };
    };

    it('resolves to the highest approved version, verifiable by itself, one version up each time', async () => {
      await registry.approved('dave', [alice, bob], submissionOf('2.0.0'));
      await registry.approved('dave', [alice, bob], submissionOf('2.1.0'));
      await registry.scanned('dave', submissionOf('2.2.0'));
      const intent = await intentFor('^2.0.0', { mounts: { '/data': './docs' } });
      const first = (await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null })).body;
      const second = (await registry.call('erin', 'POST', '/v1/locks', { intent, previous: first.digest }))
        .body;
      const { body: trust } = await registry.call(null, 'GET', '/v1/trust');
      const verified = verifyLock(Buffer.from(renderLockFile(second.file)), {
        pin: trust,
        audience: 'acme/app',
        environment: 'development',
        now: new Date(),
        seen: {
          version: first.file.lock.version,
          digest: first.digest,
          rootVersion: first.file.lock.rootVersion,
          checkpoint: first.file.evidence.log.checkpoint,
        },
      });
      expect(verified.entries.get('weather')).toMatchObject({
        entry: { version: '2.1.0' },
        approvedBy: ['alice', 'bob'],
      });
      expect(second.file.lock).toMatchObject({
        version: first.file.lock.version + 1,
        previous: first.digest,
      });
      const check = await registry.call('box', 'POST', '/v1/locks/check', {
        audience: 'acme/app',
        version: 1,
        digest: second.digest,
        releases: [{ server: SUBMISSION.name, version: '2.1.0' }],
      });
      expect(check.body).toMatchObject({
        latest: { digest: second.digest },
        states: [{ state: 'approved' }],
      });
    });

    it('carry the labels that every approval is of, and none that was left out of one', async () => {
      const labels = { forecast: ['reads-untrusted' as const] };
      const change = { ...submissionOf('2.3.0'), permissions: { ...SUBMISSION.permissions, labels } };
      const id = await registry.scanned('dave', change);
      const without = await registry.approve(
        alice,
        id,
        ({ predicate }) => delete predicate.permissions.labels,
      );
      expect(without.body.code).toBe('APPROVAL_SUBJECT');
      for (const key of [alice, bob]) expect((await registry.approve(key, id)).status).toBe(200);
      const intent = await intentFor('2.3.0');
      const { body } = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
      expect(body.file.lock.servers.weather?.permissions.labels).toEqual(labels);
    });

    it('carry the policy that was sent, under the signature', async () => {
      const intent = await intentFor('^2.0.0');
      const policy = 'everyone: all locked tools\n';
      const { body } = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null, policy });
      expect(body.file.lock.policy).toEqual(lockPolicyOf(policy));
      expect(body.digest).toBe(lockDigest(body.file.lock));
      const long = { intent, previous: null, policy: 'x'.repeat(MAX_POLICY_BYTES + 1) };
      expect((await registry.call('erin', 'POST', '/v1/locks', long)).status).toBe(400);
    });

    it.each<[string, string, object]>([
      ['a range nothing fits', '^9.0.0', {}],
      ['a range that is none', 'newest', {}],
      ['a mount nobody approved', '^2.0.0', { mounts: { '/etc': '/etc' } }],
      ['a variable nobody approved', '^2.0.0', { env: ['AWS_SECRET_ACCESS_KEY'] }],
      ['arguments nobody approved', '^2.0.0', { args: ['--allow-all'] }],
    ])('refuses %s and signs nothing', async (_name, range, rest) => {
      const before = await count('locks');
      const answer = await registry.call('erin', 'POST', '/v1/locks', {
        intent: await intentFor(range, rest),
        previous: null,
      });
      expect(answer.body.code).toBe('LOCK_UNRESOLVED');
      expect(await count('locks')).toBe(before);
    });

    it('leaves a revoked release out, and tells a gate', async () => {
      const id = await registry.approved('dave', [alice, bob], submissionOf('3.0.0'));
      await registry.call('bob', 'POST', `/v1/releases/${id}/revoke`, { reason: 'CVE-2026-0001' });
      const answer = await registry.call('erin', 'POST', '/v1/locks', {
        intent: await intentFor('^3.0.0'),
        previous: null,
      });
      expect(answer.body).toMatchObject({
        code: 'LOCK_UNRESOLVED',
        found: expect.stringContaining('3.0.0 (revoked)'),
      });
    });
  });

  describe('the audit', () => {
    const body = (runtime: string, n: number): Parameters<typeof link>[2] => ({
      kind: 'request.forwarded',
      at: `2026-11-24T00:00:0${n}.000Z`,
      runtime,
      session: 's',
      user: 'erin',
      subject: null,
      target: `tool-${n}`,
    });
    const chain = (runtime: string, n: number): ReturnType<typeof link>[] => {
      const records: ReturnType<typeof link>[] = [];
      for (let i = 1; i <= n; i++) records.push(link(i, records.at(-1)?.digest ?? null, body(runtime, i)));
      return records;
    };

    it('takes records at least once and keeps each once', async () => {
      const records = chain('j-a', 5);
      expect(
        (await registry.call('box', 'POST', '/v1/audit', { records: records.slice(0, 3) })).body,
      ).toEqual({ stored: 3, upTo: 3 });
      expect((await registry.call('box', 'POST', '/v1/audit', { records: records.slice(1) })).body).toEqual({
        stored: 2,
        upTo: 5,
      });
      const { body: found } = await registry.call('grace', 'GET', '/v1/audit?user=erin&tool=tool-4');
      expect(found.records).toEqual([records[3]]);
    });

    it.each<[string, (records: ReturnType<typeof chain>) => unknown[]]>([
      ['a gap', (records) => records.slice(6)],
      [
        'a fork',
        (records) => [
          link(6, records[4]?.digest ?? null, body('j-a', 9)),
          link(5, records[3]?.digest ?? null, body('j-a', 9)),
        ],
      ],
      ['a changed record', (records) => [{ ...records[5], body: { ...body('j-a', 6), user: 'mallory' } }]],
      ['records of two runtimes', (records) => [records[5], ...chain('j-b', 1)]],
    ])('refuses %s whole', async (_name, change) => {
      const before = await count('audit_records');
      const answer = await registry.call('box', 'POST', '/v1/audit', { records: change(chain('j-a', 8)) });
      expect(answer.body.code).toBe('JOURNAL_CHAIN');
      expect(await count('audit_records')).toBe(before);
    });

    it('takes a person’s own records from them, and nobody else’s but from a runtime', async () => {
      const own = link(1, null, { ...body('j-own', 1), user: 'erin' });
      const local = link(2, own.digest, { ...body('j-own', 2), user: 'local:erin' });
      const other = link(3, local.digest, { ...body('j-own', 3), user: 'alice' });
      const send = (records: unknown[]): ReturnType<TestRegistry['call']> =>
        registry.call('erin', 'POST', '/v1/audit', { records });
      expect((await send([own, local])).body).toEqual({ stored: 2, upTo: 2 });
      expect((await send([other])).body).toMatchObject({
        code: 'FORBIDDEN',
        found: expect.stringContaining('alice'),
      });
      expect((await registry.call('box', 'POST', '/v1/audit', { records: [other] })).body).toEqual({
        stored: 1,
        upTo: 3,
      });
      const { rows } = await registry.pool.query<{ by: string }>(
        `select shipped_by as by from audit_records where runtime = 'j-own' order by seq`,
      );
      expect(rows.map(({ by }) => by)).toEqual(['erin', 'erin', 'box']);
    });

    it('cannot be changed by the application', async () => {
      for (const sql of [
        'update audit_records set person = $$x$$',
        'delete from events',
        'truncate locks',
        'delete from roots',
      ]) {
        await expect(registry.pool.query(sql)).rejects.toThrow('append-only');
      }
    });
  });

  describe('the schedule', () => {
    it('submits a newer upstream version once, as a candidate of its own', async () => {
      const deps = {
        ...registry.deps,
        upstream: async () =>
          ['1.0.0', '2.1.0', '4.0.0-beta.1', '4.0.0', 'nonsense'].map((version) => ({
            version,
            source: `npm:weather@${version}`,
          })),
      };
      expect(await watchUpstream(deps)).toBe(1);
      expect(await watchUpstream(deps)).toBe(0);
      const { body } = await registry.call('alice', 'GET', '/v1/releases?version=4.0.0');
      expect(body.releases).toMatchObject([{ requestedBy: 'lockkeeper', state: 'submitted' }]);
    });

    it('does not bring back what reviewers turned down', async () => {
      const { body } = await registry.call('alice', 'GET', '/v1/releases?limit=100');
      const candidate = body.releases.find(({ requestedBy }) => requestedBy === 'lockkeeper');
      if (!candidate) throw new Error('no candidate');
      await scanJob(String(candidate.id), { attempts: 1, max_attempts: 1 }, registry.deps);
      await registry.call('alice', 'POST', `/v1/releases/${candidate.id}/reject`, { reason: 'not this one' });
      const before = await count('releases');
      await watchUpstream(registry.deps);
      expect(await count('releases')).toBe(before);
    });

    it('lets nobody be called lockkeeper', async () => {
      expect(
        (await registry.call('root', 'POST', '/v1/people', { person: 'lockkeeper', roles: ['reviewer'] }))
          .status,
      ).toBe(400);
    });
  });
});

describe.each(servers())('migrations on $name', (server) => {
  it('are safe when twenty start at once, and refuse a newer database', async () => {
    const { pool, drop } = await freshDatabase(server);
    await pool.query('drop schema public cascade; create schema public');
    const applied = await Promise.all(Array.from({ length: 20 }, () => migrate(pool)));
    expect(applied.filter((n) => n > 0)).toHaveLength(1);
    await pool.query('insert into migrations (number) values (9999)');
    await expect(migrate(pool)).rejects.toMatchObject({ code: 'DATABASE_NEWER', exit: 1 });
    await drop();
  });

  it.each([
    ['one number', ['0001_one.sql', '0002_two.sql', '0002_zwei.sql'], '0002_two.sql and 0002_zwei.sql'],
    ['a number of another form', ['0001_one.sql', '2_two.sql'], '2_two.sql'],
  ])('with %s are refused, and none of them is applied', async (_, names, found) => {
    const { pool, drop } = await freshDatabase(server);
    const dir = mkdtempSync(join(tmpdir(), 'lk-migrations-'));
    for (const name of names) writeFileSync(join(dir, name), 'create table made_up (a integer);');
    await pool.query('drop schema public cascade; create schema public');
    await expect(migrate(pool, pathToFileURL(`${dir}/`))).rejects.toMatchObject({ code: 'INTERNAL', found });
    expect((await pool.query(`select to_regclass('made_up') as made`)).rows).toEqual([{ made: null }]);
    await drop();
    rmSync(dir, { recursive: true });
  });
});
