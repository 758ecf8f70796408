/** Advisories from a loopback feed to what they do to releases. Every record is made up; see test/helpers/advisories.ts. */
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Context } from '../../cli/command.ts';
import { advisories } from '../../cli/commands/advisories.ts';
import { review } from '../../cli/commands/review.ts';
import { makePaint } from '../../cli/output.ts';
import { type Feed, openFeed } from '../../registry/advisories/feed.ts';
import { knownAgainst, mapRelease } from '../../registry/advisories/map.ts';
import { readList, refreshAdvisories } from '../../registry/advisories/refresh.ts';
import { buildApp } from '../../registry/app.ts';
import { loadConfig } from '../../registry/config.ts';
import { withTransaction } from '../../registry/db/pool.ts';
import { rescanJob } from '../../registry/rescan.ts';
import { registrySchedules } from '../../registry/schedule.ts';
import { startWorker } from '../../registry/worker.ts';
import type { AdvisoryList, AffectedRelease } from '../../schemas/advisory.ts';
import type { RoleName } from '../../schemas/api.ts';
import type { Attention } from '../../schemas/attention.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import {
  ghsa,
  listOf,
  type Made,
  mal,
  startFeed,
  type TestFeed,
  zipOf,
  zipOfRecords,
} from '../helpers/advisories.ts';
import { servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';
import { PATIENCE_MS, until } from '../helpers/wait.ts';

const HOUR_MS = 3_600_000;
const ago = (hours: number): string => new Date(Date.now() - hours * HOUR_MS).toISOString();

describe.each(servers())('advisories on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let source: TestFeed;
  let feed: Feed;
  let tmp: string;
  let patch = 0;

  beforeEach(async () => {
    source = await startFeed();
    feed = openFeed(source.url, { tmp, limits: { answerMs: PATIENCE_MS, archiveMs: PATIENCE_MS } });
  });
  afterEach(() => source.close());
  beforeAll(async () => {
    tmp = mkdtempSync(join(tmpdir(), 'lk-adv-'));
  });
  const fresh = async (): Promise<void> => {
    ({ registry, alice, bob } = await startStaffed(server));
  };
  const tick = (deps = registry.deps): Promise<void> => refreshAdvisories(deps, feed);
  const approved = async (): Promise<{ id: number; version: string }> => {
    const version = `1.0.${++patch}`;
    return { id: await registry.approved('dave', [alice, bob], submissionOf(version)), version };
  };
  const stateOf = async (id: number): Promise<string> =>
    (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.state;
  const toldOf = async (as: string, query = ''): Promise<AffectedRelease[]> =>
    (await registry.call<AdvisoryList>(as, 'GET', `/v1/advisories${query}`)).body.releases;
  const told = async (id: number): Promise<AffectedRelease> => {
    const [one] = await toldOf('alice', `?release=${id}`);
    if (!one) throw new Error('not affected');
    return one;
  };
  const idsOf = async (id: number): Promise<string[]> => (await told(id)).advisories.map((one) => one.id);
  const events = async (
    action: string,
  ): Promise<{ person: string; subject: string; detail: Record<string, unknown> }[]> =>
    (
      await registry.pool.query('select person, subject, detail from events where action = $1 order by id', [
        action,
      ])
    ).rows;
  const known = async (): Promise<number> =>
    Number((await registry.pool.query('select count(*) as n from advisories')).rows[0].n);

  describe('what they do', () => {
    beforeAll(fresh);
    afterAll(() => registry.close());

    it('malware revokes every approved release that holds that exact version, and tells running sessions', async () => {
      const [bad, good] = [await approved(), await approved()];
      await registry.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = registry.app.server.address() as AddressInfo;
      const token = await registry.person('box', 'runtime');
      let heard = '';
      const headers = { authorization: `Bearer ${token}` };
      const stream = get(
        `http://127.0.0.1:${port}/v1/revocations/stream`,
        { headers, agent: false },
        (response) => {
          response.on('data', (chunk: Buffer) => (heard += chunk.toString()));
        },
      );
      await until(() => heard !== '');
      source.hold([mal('MAL-2026-900001', 'weather', [bad.version], { modified: ago(1) })]);
      await tick();
      expect([await stateOf(bad.id), await stateOf(good.id)]).toEqual(['revoked', 'approved']);
      await until(() => heard.includes('data: '));
      stream.destroy();
      const { body } = await registry.call('erin', 'GET', '/v1/revocations');
      const event = body.revocations.at(-1);
      expect(event).toMatchObject({ version: bad.version, signedBy: null, revokedBy: 'lockkeeper' });
      expect(event?.reason).toContain('MAL-2026-900001');
      expect(heard).toContain(`${event?.digest}`);
      const entries = await registry.pool.query(
        "select convert_from(entry, 'utf8') as entry from log_entries order by index desc limit 1",
      );
      expect(JSON.parse(entries.rows[0].entry)).toMatchObject({ kind: 'revocation', digest: event?.digest });
      const [said] = await events('release.revoke');
      expect(said).toMatchObject({ person: 'lockkeeper', subject: `acme.tools/weather@${bad.version}` });
      expect(said?.detail).toMatchObject({ advisory: 'MAL-2026-900001', signed: false });
    });

    it('malware is told but revokes nothing where the policy says so, and is taken up when it says otherwise', async () => {
      const release = await approved();
      source.hold([mal('MAL-2026-900002', 'weather', [release.version], { modified: ago(1) })]);
      const lenient = {
        ...DEFAULT_POLICY,
        advisories: { ...DEFAULT_POLICY.advisories, revokeMalware: false },
      };
      await tick({ ...registry.deps, policy: lenient });
      expect([await stateOf(release.id), await idsOf(release.id)]).toEqual(['approved', ['MAL-2026-900002']]);
      await tick();
      expect(await stateOf(release.id)).toBe('revoked');
    });

    it('a list of malicious packages is malware under any id; a vulnerability revokes nothing and is told once', async () => {
      const release = await approved();
      const one = ghsa('GHSA-made-upup-0001', 'weather', { modified: ago(3) });
      source.hold([one]);
      await tick();
      await tick();
      source.hold([{ ...one, modified: ago(2), summary: 'another sentence' }]);
      await tick();
      expect(await stateOf(release.id)).toBe('approved');
      const { advisories } = await told(release.id);
      expect(advisories).toEqual([
        expect.objectContaining({
          id: one.id,
          kind: 'vulnerability',
          severity: 'high',
          summary: 'another sentence',
        }),
      ]);
      const subject = `acme.tools/weather@${release.version}`;
      const mine = (await events('advisory.affects')).filter((event) => event.subject === subject);
      expect(mine.map(({ detail }) => detail.advisory)).toEqual([one.id]);
      const copied = mal('GHSA-made-upup-0002', 'weather', [release.version], { modified: ago(1) });
      source.hold([copied]);
      await tick();
      expect(await stateOf(release.id)).toBe('revoked');
    });

    it('names three locks of two projects: the newest, and an older one that still counts, in the tick that brings the advisory', async () => {
      const release = await approved();
      const { body } = await registry.call('erin', 'GET', '/v1/trust');
      const intent = (project: string) => ({
        lockkeeper: 'intent/v1',
        project,
        registry: 'http://127.0.0.1:7411',
        environment: 'development',
        trust: { rootKeys: body.rootKeys, threshold: 1 },
        servers: { weather: { server: 'acme.tools/weather', range: release.version } },
      });
      for (const project of ['acme/one', 'acme/two', 'acme/one']) {
        const answer = await registry.call('erin', 'POST', '/v1/locks', {
          intent: intent(project),
          previous: null,
        });
        expect(answer.body.code).toBeUndefined();
      }
      // A lock that has ended counts for nobody once there is a newer one.
      await registry.pool.query(
        `insert into locks (audience, version, digest, file)
         select 'acme/three', v.n, digest, convert_to((case v.n
           when 1 then jsonb_set(file, '{lock,expires}', '"2026-01-01T00:00:00.000Z"') else jsonb_set(file, '{lock,servers}', '{}') end)::text, 'utf8')
         from (select digest, convert_from(file, 'utf8')::jsonb as file from locks where audience = 'acme/two') l, (values (1), (2)) v (n)`,
      );
      source.hold([ghsa('GHSA-made-upup-0003', 'weather', { modified: ago(1) })]);
      await tick();
      const locks = [
        { project: 'acme/one', version: 1 },
        { project: 'acme/one', version: 2 },
        { project: 'acme/two', version: 1 },
      ];
      expect((await told(release.id)).locks).toEqual(locks);
      const event = (await events('advisory.affects')).at(-1);
      expect(event?.detail.locks).toEqual(locks);
      const all = await toldOf('erin');
      expect(all.map(({ version }) => version)).toContain(release.version);
      const check = await registry.call('erin', 'POST', '/v1/advisories/check', {
        releases: [
          { server: 'acme.tools/weather', version: release.version },
          { server: 'acme.tools/weather', version: '9.9.9' },
        ],
      });
      expect(check.body.failOn).toBeNull();
      expect(check.body.releases).toEqual([
        expect.objectContaining({
          version: release.version,
          advisories: [expect.anything(), expect.anything()],
        }),
      ]);
    });

    it('stops counting what is withdrawn or is about other versions now', async () => {
      const release = await approved();
      const before = await idsOf(release.id);
      const one = ghsa('GHSA-made-upup-0004', 'weather', { modified: ago(6) });
      source.hold([one]);
      await tick();
      expect(await idsOf(release.id)).toEqual([...before, one.id]);
      source.hold([{ ...one, modified: ago(5), withdrawn: ago(5) }]);
      await tick();
      expect(await idsOf(release.id)).toEqual(before);
      source.hold([{ ...one, modified: ago(4) }]);
      await tick();
      expect(await idsOf(release.id)).toEqual([...before, one.id]);
      source.hold([ghsa(one.id, 'weather-elsewhere', { modified: ago(3) })]);
      await tick();
      expect(await idsOf(release.id)).toEqual(before);
      source.hold([{ ...one, modified: ago(4) }]);
      await tick();
      expect(await idsOf(release.id)).toEqual(before);
    });

    it('is known of a release that is submitted after the advisory', async () => {
      source.hold([ghsa('GHSA-made-upup-0005', 'weather', { modified: ago(1) })]);
      await tick();
      const id = await registry.scanned('dave', submissionOf(`1.0.${++patch}`));
      expect(await idsOf(id)).toContain('GHSA-made-upup-0005');
      const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}`);
      const { purl = '' } = body.closure.artifacts[0] ?? {};
      const packages = [{ ecosystem: 'npm', name: 'weather', version: body.version, purl }];
      const { newest, affecting } = await knownAgainst(registry.pool, packages);
      expect(newest).not.toBeNull();
      expect(affecting.map((one) => one.id)).toContain('GHSA-made-upup-0005');
      const later = await registry.scanned('dave', { ...submissionOf('1.2.4') });
      expect(await idsOf(later)).toEqual([]);
    });

    it('reads records of a distribution once a release holds packages of it, and says so until then', async () => {
      const release = await approved();
      const packages = [
        { ecosystem: 'Debian:12', name: 'glibc', version: '2.36-9', purl: 'pkg:deb/debian/libc6@2.36-9' },
      ];
      const one = { package: { ecosystem: 'Debian:12', name: 'glibc' } };
      const fixed = { ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '2.36-10' }] }] };
      const record = ghsa('DSA-1', 'glibc', { modified: ago(1), affected: [{ ...one, ...fixed }] });
      const hold = (): void => {
        source.hold([ghsa('GHSA-made-upup-0009', 'elsewhere', { modified: ago(1) })]);
        source.files.set('/Debian/modified_id.csv', listOf([record]));
        source.files.set('/Debian/DSA-1.json', JSON.stringify(record));
      };
      hold();
      await tick();
      expect(source.asked()).not.toContain('/Debian/modified_id.csv');
      expect((await knownAgainst(registry.pool, packages)).missing).toEqual(['Debian']);
      await withTransaction(registry.pool, (client) => mapRelease(client, String(release.id), packages));
      hold();
      await tick();
      expect(await idsOf(release.id)).toContain('DSA-1');
      const known = await knownAgainst(registry.pool, packages);
      expect([known.missing, known.affecting.map(({ id }) => id)]).toEqual([[], ['DSA-1']]);
    });

    it('is known of what a later scan of the same bytes lists', async () => {
      const release = await approved();
      source.hold([ghsa('GHSA-made-upup-0010', 'inside', { modified: ago(1) })]);
      await tick();
      const inside = { ecosystem: 'npm', name: 'inside', version: '1.0.0', purl: 'pkg:npm/inside@1.0.0' };
      const scan: typeof registry.deps.scan = async (request, progress) => ({
        ...(await registry.deps.scan(request, progress)),
        packages: [inside],
      });
      await rescanJob(String(release.id), { ...registry.deps, scan });
      expect(await idsOf(release.id)).toContain('GHSA-made-upup-0010');
    });

    it('knows the packages of a closure by their names', async () => {
      const purls = [
        'pkg:npm/%40acme/x@1.0.0%2Bb',
        'pkg:npm/y@2.0.0-rc.1',
        'pkg:npm/y@2.0.0-rc.1',
        'pkg:pypi/z@1.0',
      ];
      const { rows } = await registry.pool.query(
        'select ecosystem, name, version from packages_of($1::jsonb) order by name',
        [JSON.stringify({ artifacts: purls.map((purl) => ({ purl })) })],
      );
      expect(rows.map((row) => `${row.ecosystem} ${row.name} ${row.version}`)).toEqual([
        'npm @acme/x 1.0.0+b',
        'npm y 2.0.0-rc.1',
        'PyPI z 1.0',
      ]);
    });

    it('is read by the worker when the schedule says so', async () => {
      const release = await approved();
      source.hold([mal('MAL-2026-900008', 'weather', [release.version], { modified: ago(1) })]);
      const runner = await startWorker({ ...registry.deps, advisories: feed }, 1);
      const crons = { upstreamCron: '7 * * * *', advisoriesCron: '19 * * * *', tufCron: '43 */6 * * *' };
      const schedules = registrySchedules(registry.deps, crons);
      await schedules.find(({ name }) => name === 'advisories')?.run();
      await until(async () => (await stateOf(release.id)) === 'revoked');
      await runner.stop();
      expect(await stateOf(release.id)).toBe('revoked');
    });

    it('comes by hand as well: an administrator brings the records', async () => {
      const release = await approved();
      const records = [
        JSON.stringify(mal('MAL-2026-900009', 'weather', [release.version], { modified: ago(1) })),
        '{"id":"GHSA-made-upup-0099"}',
        JSON.stringify(ghsa('GHSA-made-upup-0098', 'x', { modified: '2999-01-01T00:00:00Z' })),
        '{"id":"a","id":"b"}',
      ];
      expect((await registry.call('erin', 'POST', '/v1/advisories', { records })).status).toBe(403);
      const { body } = await registry.call('root', 'POST', '/v1/advisories', { records });
      expect(body).toEqual({
        stored: 1,
        known: 0,
        skipped: 3,
        revoked: [`acme.tools/weather@${release.version}`],
        held: [],
      });
      const again = await registry.call('root', 'POST', '/v1/advisories', { records: records.slice(0, 1) });
      expect(again.body).toEqual({ stored: 0, known: 1, skipped: 0, revoked: [], held: [] });
      expect((await events('advisories.import')).map(({ person }) => person)).toEqual(['root']);
    });
  });

  describe('a feed that names everything', () => {
    const MOST = 2;
    const braked = () => ({
      ...registry.deps,
      policy: {
        ...DEFAULT_POLICY,
        advisories: { ...DEFAULT_POLICY.advisories, maxRevocations: MOST },
      },
    });
    const heldOf = async (): Promise<string[]> =>
      (await registry.call<Attention>('alice', 'GET', '/v1/attention')).body.held.map(
        ({ version }) => version,
      );
    const inState = async (releases: readonly { id: number; version: string }[], state: string) => {
      const found: string[] = [];
      for (const { id, version } of releases) if ((await stateOf(id)) === state) found.push(version);
      return found;
    };
    const all: { id: number; version: string }[] = [];
    const named = (modified: string, more = {}): Made =>
      mal(
        'MAL-2026-900060',
        'weather',
        all.map(({ version }) => version),
        { modified, ...more },
      );
    beforeAll(async () => {
      await fresh();
      for (let i = 0; i < 5; i++) all.push(await approved());
    });
    afterAll(() => registry.close());

    it('has as many revoked as a day may bring, whoever reads it how often, and the rest held', async () => {
      source.hold([named(ago(9))]);
      await Promise.all([tick(braked()), tick(braked()), tick(braked())]);
      const kept = await inState(all, 'approved');
      expect([(await inState(all, 'revoked')).length, kept.length]).toEqual([MOST, 3]);
      expect(await heldOf()).toEqual(kept);
      await tick(braked());
      await tick();
      expect(await inState(all, 'approved')).toEqual(kept);
      const said = await events('advisory.held');
      expect(said.map(({ subject }) => subject)).toEqual(
        kept.map((version) => `acme.tools/weather@${version}`),
      );
      expect(said[0]).toMatchObject({
        person: 'lockkeeper',
        detail: { advisory: 'MAL-2026-900060', most: MOST },
      });
    });

    it('is told in one sentence, with what to do', async () => {
      const [kept] = await heldOf();
      const release = all.find(({ version }) => version === kept);
      expect((await told(release?.id ?? 0)).held).toBe(
        `Known malware, held: the registry revokes at most 5 releases in a day by itself, so that a feed that lies cannot take everything down; look at it, and revoke it with: lk revoke acme.tools/weather@${kept}`,
      );
    });

    it('leaves what is held to a person, also on the next day; other malware of that day is revoked', async () => {
      const kept = await heldOf();
      await registry.pool.query('alter table revocations disable trigger append_only');
      await registry.pool.query(`update revocations set revoked_at = revoked_at - interval '1 day'`);
      await registry.pool.query('alter table revocations enable trigger append_only');
      const other = await approved();
      source.hold([mal('MAL-2026-900061', 'weather', [other.version], { modified: ago(1) })]);
      await tick(braked());
      expect(await stateOf(other.id)).toBe('revoked');
      expect(await inState(all, 'approved')).toEqual(kept);
      const first = all.find(({ version }) => version === kept[0]);
      const reason = 'looked at, it is true';
      const answer = await registry.call('alice', 'POST', `/v1/releases/${first?.id}/revoke`, { reason });
      expect(answer.status).toBe(200);
      expect(await heldOf()).toEqual(kept.slice(1));
      expect((await told(first?.id ?? 0)).held).toBeNull();
    });

    it('that takes its words back has nothing held any more, and says them again as if they were new', async () => {
      const kept = await heldOf();
      source.hold([named(ago(8), { withdrawn: ago(8) })]);
      await tick(braked());
      expect(await heldOf()).toEqual([]);
      expect(await inState(all, 'approved')).toEqual(kept);
      source.hold([named(ago(7))]);
      await tick(braked());
      expect([await inState(all, 'approved'), await heldOf()]).toEqual([kept.slice(1), kept.slice(1)]);
    });

    it('is braked where records are brought by hand too, and where the most is none', async () => {
      const policy = {
        ...DEFAULT_POLICY,
        advisories: { ...DEFAULT_POLICY.advisories, maxRevocations: 0 },
      };
      const app = await buildApp({ ...registry.deps, policy });
      const token = await registry.person('root', 'admin');
      const release = await approved();
      const records = [
        JSON.stringify(mal('MAL-2026-900062', 'weather', [release.version], { modified: ago(1) })),
      ];
      const answer = await app.inject({
        method: 'POST',
        url: '/v1/advisories',
        headers: { authorization: `Bearer ${token}` },
        payload: { records },
      });
      await app.close();
      expect(answer.json()).toMatchObject({ revoked: [], held: [`acme.tools/weather@${release.version}`] });
      expect(await stateOf(release.id)).toBe('approved');
    });
  });

  describe('the command line', () => {
    beforeAll(async () => {
      await fresh();
      await registry.app.listen({ host: '127.0.0.1', port: 0 });
    });
    afterAll(() => registry.close());

    const context = async (person: string, ...roles: RoleName[]): Promise<Context> => {
      const token = await registry.person(person, ...roles);
      const { port } = registry.app.server.address() as AddressInfo;
      const part: Partial<Context> = {
        ...{ cwd: tmp, paint: makePaint(false), progress: () => undefined, json: false },
        now: () => new Date(),
        api: async () => openApi(`http://127.0.0.1:${port}`, token),
      };
      return part as Context;
    };

    it('brings an archive, lists what is affected and shows it in the review', async () => {
      const admin = await context('root', 'admin');
      const none = await advisories.run(admin, [], {});
      expect(none?.text).toContain('No advisories were ever loaded');
      const [bad, weak] = [await approved(), await approved()];
      const records = [
        mal('MAL-2026-900040', 'weather', [bad.version], { modified: ago(1) }),
        ghsa('GHSA-made-upup-0040', 'weather', { modified: ago(1), summary: 'told\u001b[31m plainly' }),
        ...Array.from({ length: 1200 }, (_, i) =>
          ghsa(`GHSA-made-upup-x${i}`, `p${i}`, { modified: ago(2) }),
        ),
      ];
      const broken = { name: 'GHSA-broken.json', bytes: Buffer.from('{}'), says: { crc: 1 } };
      const files = records.map((one) => ({
        name: `${one.id}.json`,
        bytes: Buffer.from(JSON.stringify(one)),
      }));
      const file = join(mkdtempSync(join(tmpdir(), 'lk-adv-zip-')), 'all.zip');
      writeFileSync(file, zipOf([...files, broken, { name: 'README', bytes: Buffer.from('no record') }]));
      const done = await advisories.run(admin, ['import', file], {});
      const revoked = [`acme.tools/weather@${bad.version}`];
      expect(done?.data).toEqual({ stored: 1202, known: 0, skipped: 1, revoked, held: [] });
      expect((await advisories.run(admin, ['import', file], {}))?.data).toMatchObject({
        stored: 0,
        known: 1202,
      });
      const listed = await advisories.run(admin, [], {});
      expect(listed?.text).toContain('1 release is affected; no lock names them.');
      expect(listed?.text).toContain('GHSA-made-upup-0040 (high) in pkg:npm/weather');
      expect(listed?.text).not.toContain('\u001b');
      const crowd: { id: number; version: string }[] = [];
      for (let i = 0; i < 6; i++) crowd.push(await approved());
      const many = crowd.map(({ version }) => version);
      const wave = mal('MAL-2026-900041', 'weather', many, { modified: ago(1) });
      const held = crowd.at(-1);
      writeFileSync(file, zipOfRecords([wave]));
      const brought = await advisories.run(admin, ['import', file], {});
      expect(brought?.text).toContain(' held for a person to decide: acme.tools/weather@');
      const sentence = 'Known malware, held: the registry revokes at most 5 releases in a day by itself';
      expect((await advisories.run(admin, [], {}))?.text).toContain(sentence);
      const rita = await context('rita', 'reviewer');
      expect((await review.run(rita, [String(held?.id)], {}))?.text).toContain(sentence);
      expect((await review.run(rita, [], {}))?.text).toContain(
        `(release ${held?.id}): known malware, held for a person to decide: lk advisories`,
      );
      const shown = await review.run(await context('rita', 'reviewer'), [String(weak.id)], {});
      expect(shown?.text).toContain('Known against it (no lock names them):\n  GHSA-made-upup-0040 (high)');
      await expect(advisories.run(admin, ['export'], {})).rejects.toMatchObject({ code: 'USAGE' });
      const other = await context('dora', 'developer');
      await expect(advisories.run(other, ['import', file], {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    });
  });

  describe('the feed', () => {
    beforeEach(fresh);
    afterEach(() => registry.close());

    it('is asked only for what changed', async () => {
      const records = Array.from({ length: 1200 }, (_, i) =>
        ghsa(`GHSA-made-upup-${i}`, `p${i}`, { modified: ago(100 + i) }),
      );
      source.hold(records);
      await tick();
      expect(source.asked().sort()).toEqual([
        '/PyPI/modified_id.csv',
        '/npm/all.zip',
        '/npm/modified_id.csv',
      ]);
      await tick();
      expect(source.asked()).toEqual(['/npm/modified_id.csv', '/PyPI/modified_id.csv']);
      const news = [
        mal('MAL-2026-900010', 'p', ['1.0.0'], { modified: ago(1) }),
        { ...(records[7] as Made), modified: ago(2) },
      ];
      source.hold([...news, ...records.filter((_, i) => i !== 7)]);
      await tick();
      expect(source.asked().sort()).toEqual([
        '/PyPI/modified_id.csv',
        '/npm/GHSA-made-upup-7.json',
        '/npm/MAL-2026-900010.json',
        '/npm/modified_id.csv',
      ]);
      expect(await known()).toBe(1201);
      expect(readdirSync(tmp)).toEqual([]);
    });

    it('may be a folder, and PyPI is kept too', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'lk-adv-folder-'));
      const pypi = {
        ...mal('MAL-2026-900020', 'made_up.Thing', []),
        affected: [
          {
            package: { ecosystem: 'PyPI', name: 'made_up.Thing' },
            versions: ['1.0'],
            ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }] }],
          },
        ],
      };
      mkdirSync(join(dir, 'PyPI'));
      writeFileSync(join(dir, 'PyPI/modified_id.csv'), listOf([pypi]));
      writeFileSync(join(dir, 'PyPI/MAL-2026-900020.json'), JSON.stringify(pypi));
      await refreshAdvisories(registry.deps, openFeed(dir, { tmp }));
      const { rows } = await registry.pool.query('select ecosystem, name, versions from advisory_affects');
      expect(rows).toEqual([{ ecosystem: 'PyPI', name: 'made-up-thing', versions: ['1.0'] }]);
      const empty = openFeed(mkdtempSync(join(tmpdir(), 'lk-adv-empty-')), { tmp });
      await expect(refreshAdvisories(registry.deps, empty)).rejects.toMatchObject({
        code: 'ADVISORIES_UNREACHABLE',
      });
    });

    it('is read by several replicas at once as if by one', async () => {
      const release = await approved();
      source.hold([
        mal('MAL-2026-900030', 'weather', [release.version], { modified: ago(1) }),
        ...Array.from({ length: 40 }, (_, i) => ghsa(`GHSA-made-upup-${i}`, 'weather', { modified: ago(2) })),
      ]);
      await Promise.all([tick(), tick(), tick()]);
      expect(await stateOf(release.id)).toBe('revoked');
      expect([await known(), (await events('release.revoke')).length]).toEqual([41, 1]);
      const pairs = (await events('advisory.affects')).map(({ detail }) => detail.advisory);
      expect([pairs.length, new Set(pairs).size]).toEqual([41, 41]);
    });

    it('passes over what is malformed with one event, does not ask for it again, and takes the rest', async () => {
      const good = ghsa('GHSA-made-upup-good', 'p', { modified: ago(1) });
      const bad: Record<string, string> = {
        'GHSA-bad-json': '{"id": "GHSA-bad-json", ',
        'GHSA-bad-twice': '{"id":"GHSA-bad-twice","id":"x","modified":"2026-01-01T00:00:00Z"}',
        'GHSA-bad-name': JSON.stringify(ghsa('GHSA-another', 'p')),
        'GHSA-bad-range': JSON.stringify(
          ghsa('GHSA-bad-range', 'p', {
            affected: [
              {
                package: { ecosystem: 'npm', name: 'p' },
                ranges: [{ type: 'SEMVER', events: [{ introduced: 'soon' }] }],
              },
            ],
          }),
        ),
        'GHSA-bad-nul': JSON.stringify(
          ghsa('GHSA-bad-nul', 'p', {
            affected: [{ package: { ecosystem: 'npm', name: 'p\u0000' }, versions: ['1'] }],
          }),
        ),
        'GHSA-bad-deep': `{"id":"GHSA-bad-deep","modified":"2026-01-01T00:00:00Z","x":${'['.repeat(100)}${']'.repeat(100)}}`,
        'GHSA-bad-huge': `{"id":"GHSA-bad-huge","modified":"2026-01-01T00:00:00Z","details":"${'x'.repeat(5 * 2 ** 20)}"}`,
        'GHSA-bad-future': JSON.stringify(ghsa('GHSA-bad-future', 'p', { modified: '2999-01-01T00:00:00Z' })),
      };
      source.hold([good]);
      const names = [...Object.keys(bad), 'GHSA-bad-missing'];
      const lines = names.map((id) => `${ago(2)},${id}`);
      const odd = [
        'nonsense',
        `${ago(2)},../../etc/passwd`,
        `${ago(2)},a/b`,
        `2026-13-45T00:00:00Z,GHSA-x`,
        `2999-01-01T00:00:00Z,GHSA-y`,
      ];
      source.files.set('/npm/modified_id.csv', [...lines, ...odd, listOf([good])].join('\n'));
      for (const [id, text] of Object.entries(bad)) source.files.set(`/npm/${id}.json`, text);
      await tick();
      expect(await known()).toBe(1);
      expect((await events('advisories.read')).map(({ detail }) => [detail.stored, detail.skipped])).toEqual([
        [1, names.length],
      ]);
      source.asked();
      await tick();
      expect(source.asked()).toEqual(['/npm/modified_id.csv', '/PyPI/modified_id.csv']);
      source.files.set(
        '/npm/GHSA-bad-json.json',
        JSON.stringify(ghsa('GHSA-bad-json', 'p', { modified: ago(1) })),
      );
      source.files.set('/npm/modified_id.csv', listOf([ghsa('GHSA-bad-json', 'p', { modified: ago(1) })]));
      await tick();
      expect(await known()).toBe(2);
    });

    // The two servers are the same engine; one of them is enough for what is about the feed's bytes, and takes its time.
    if (server !== servers()[0]) return;
    it.each<[string, (source: TestFeed) => void]>([
      ['does not answer', (s) => s.files.set('/npm/modified_id.csv', () => undefined)],
      ['drips', (s) => s.files.set('/npm/modified_id.csv', (r) => void r.writeHead(200).write('2'))],
      [
        'redirects',
        (s) =>
          s.files.set('/npm/modified_id.csv', (r) =>
            r.writeHead(302, { location: '/PyPI/modified_id.csv' }).end(),
          ),
      ],
      ['breaks', (s) => s.files.set('/npm/modified_id.csv', (r) => r.writeHead(500).end())],
      ['floods', (s) => s.files.set('/npm/modified_id.csv', flood)],
    ])('that %s ends in a refusal, and what is known stays', async (_, spoil) => {
      source.hold([ghsa('GHSA-made-upup-stay', 'p', { modified: ago(1) })]);
      await tick();
      spoil(source);
      feed = openFeed(source.url, { tmp, limits: { answerMs: 1000, archiveMs: 1000 } });
      await expect(tick()).rejects.toMatchObject({
        code: expect.stringMatching(/^(ADVISORIES_UNREACHABLE|DOCUMENT_INVALID)$/),
      });
      expect(await known()).toBe(1);
    });

    it('that does not give a record for now is asked for it again', async () => {
      const one = ghsa('GHSA-made-upup-slow', 'p', { modified: ago(50) });
      const two = ghsa('GHSA-made-upup-fast', 'p', { modified: ago(1) });
      source.hold([one, two]);
      source.files.set(`/npm/${one.id}.json`, (response) => response.writeHead(503).end());
      await expect(tick()).rejects.toMatchObject({ code: 'ADVISORIES_UNREACHABLE' });
      expect(await known()).toBe(1);
      source.hold([one, two]);
      await tick();
      expect(await known()).toBe(2);
    });

    it('takes from an archive what is sound: bombs, lies and climbing names spoil themselves alone', async () => {
      const records = Array.from({ length: 1001 }, (_, i) =>
        ghsa(`GHSA-made-upup-${i}`, `p${i}`, { modified: ago(10) }),
      );
      const spoilt = ['bomb', 'crc', 'locked', 'method'].map((id) =>
        ghsa(`GHSA-${id}`, 'p', { modified: ago(10) }),
      );
      const file = (record: Made) => ({
        name: `${record.id}.json`,
        bytes: Buffer.from(JSON.stringify(record)),
      });
      source.files.set('/npm/modified_id.csv', listOf([...records, ...spoilt]));
      source.files.set(
        '/npm/all.zip',
        zipOf([
          ...records.map(file),
          { name: 'GHSA-bomb.json', bytes: Buffer.alloc(3 * 2 ** 20, 32), says: { size: 100 } },
          { ...file(spoilt[1] as Made), says: { crc: 1 } },
          { ...file(spoilt[2] as Made), says: { flags: 1 } },
          { ...file(spoilt[3] as Made), says: { method: 14 } },
          { name: '../../../GHSA-climbs.json', bytes: Buffer.from('{}') },
          { name: '/etc/passwd', bytes: Buffer.from('{}') },
        ]),
      );
      await tick();
      expect(await known()).toBe(1001);
      const [read] = await events('advisories.read');
      expect(read?.detail).toMatchObject({ stored: 1001, skipped: 4 });
    });

    it.each<[string, () => Buffer]>([
      ['no zip', () => Buffer.alloc(1000, 7)],
      ['cut short', () => zipOfRecords([ghsa('GHSA-a', 'p')]).subarray(0, -30)],
      [
        'one whose entries share their bytes',
        () => {
          const bytes = Buffer.alloc(2 ** 20, 32);
          return zipOf(Array.from({ length: 5000 }, (_, i) => ({ name: `${i}.json`, bytes, shares: i > 0 })));
        },
      ],
      [
        'one that unpacks to more than the limit',
        () =>
          zipOf(
            Array.from({ length: 10 }, (_, i) => ({
              name: `${i}.json`,
              bytes: Buffer.from('x'),
              says: { size: 2 ** 31 },
            })),
          ),
      ],
    ])('refuses an archive whole that is %s', async (_, make) => {
      const records = Array.from({ length: 1001 }, (_item, i) =>
        ghsa(`GHSA-made-upup-${i}`, 'p', { modified: ago(10) }),
      );
      source.files.set('/npm/modified_id.csv', listOf(records));
      source.files.set('/npm/all.zip', make());
      await expect(tick()).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
      expect([await known(), readdirSync(tmp)]).toEqual([0, []]);
    });

    it('of 70,000 records is read, from an archive that counts in 64 bits', async () => {
      const release = await approved();
      const records = Array.from({ length: 70_000 }, (_, i) =>
        mal(`MAL-2026-${i}`, i === 66_666 ? 'weather' : `made-up-${i}`, [release.version], {
          modified: ago(5),
        }),
      );
      source.files.set('/npm/modified_id.csv', listOf(records));
      source.files.set('/npm/all.zip', zipOfRecords(records, true));
      await tick();
      expect([await known(), await stateOf(release.id)]).toEqual([70_000, 'revoked']);
    });
  });

  it('the settings name a folder or an address, and nothing by themselves', () => {
    expect(loadConfig({})).toMatchObject({ advisories: null, advisoriesCron: '19 * * * *' });
    const given = { LOCKKEEPER_ADVISORIES: '/srv/osv', LOCKKEEPER_ADVISORIES_CRON: '*/5 * * * *' };
    expect(loadConfig(given)).toMatchObject({ advisories: '/srv/osv', advisoriesCron: '*/5 * * * *' });
    expect(loadConfig({}).maxRevocations).toBe(5);
    expect(loadConfig({ LOCKKEEPER_MAX_REVOCATIONS: '0' }).maxRevocations).toBe(0);
    expect(loadConfig({}).failOn).toBeNull();
    expect(loadConfig({ LOCKKEEPER_FAIL_ON: 'high' }).failOn).toBe('high');
    expect(() => loadConfig({ LOCKKEEPER_FAIL_ON: 'everything' })).toThrow(/LOCKKEEPER_FAIL_ON/);
    for (const bad of ['-1', 'all', '10000'])
      expect(() => loadConfig({ LOCKKEEPER_MAX_REVOCATIONS: bad })).toThrow(/LOCKKEEPER_MAX_REVOCATIONS/);
    for (const bad of ['relative', 'ftp://feed.example', 'http://', 'https://feed.example/?x'])
      expect(() => loadConfig({ LOCKKEEPER_ADVISORIES: bad })).toThrow(/LOCKKEEPER_ADVISORIES/);
    expect(() => loadConfig({ LOCKKEEPER_ADVISORIES_CRON: '99 * * * *' })).toThrow(/cron expression/);
  });

  it('a list is read from a time on, each id once with its newest moment', () => {
    const text =
      '2026-11-24T10:00:00.123456789Z,A\r\n2026-11-24T09:00:00Z,B\n2026-11-24T11:00:00Z,A\n2026-11-01T00:00:00Z,C\n';
    expect(
      readList(Buffer.from(text), Date.parse('2026-11-02T00:00:00Z'), Date.parse('2026-11-25T00:00:00Z')),
    ).toEqual([
      { id: 'A', modified: '2026-11-24T11:00:00.000Z' },
      { id: 'B', modified: '2026-11-24T09:00:00.000Z' },
    ]);
  });
});

/** Says that it is a list, and never stops. */
function flood(response: import('node:http').ServerResponse): void {
  const chunk = Buffer.alloc(2 ** 20, 'x');
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  response.writeHead(200);
  more();
}
