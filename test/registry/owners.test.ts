import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate } from '../../registry/db/migrate.ts';
import { watchUpstream } from '../../registry/upstream.ts';
import type { ServerList } from '../../schemas/server.ts';
import {
  freshDatabase,
  SUBMISSION,
  servers,
  startStaffed,
  submissionOf,
  type TestRegistry,
} from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

const NAME = SUBMISSION.name;

describe.each(servers())('owners of servers, on $name', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  beforeAll(async () => {
    ({ registry, alice, bob } = await startStaffed(server, { upstream: ['50.0.0'] }));
    for (const name of ['mallory', 'erin']) await registry.person(name, 'publisher');
  });
  afterAll(() => registry.close());

  const publish = (as: string, change: object) =>
    registry.call(as, 'POST', '/v1/releases', { ...SUBMISSION, ...change });
  const serverOf = async (name: string) =>
    (await registry.call<ServerList>('alice', 'GET', `/v1/servers?name=${encodeURIComponent(name)}`)).body
      .servers[0];
  const releases = async (): Promise<number> =>
    Number((await registry.pool.query('select count(*) as n from releases')).rows[0].n);
  const events = async (action: string): Promise<{ subject: string }[]> =>
    (await registry.pool.query<{ subject: string }>('select subject from events where action = $1', [action]))
      .rows;

  it('are who published first, and nobody else publishes the next', async () => {
    await registry.approved('dave', [alice, bob], submissionOf('1.0.0'));
    expect(await serverOf(NAME)).toEqual({
      name: NAME,
      owner: 'dave',
      team: null,
      package: 'npm:weather',
      orphaned: false,
    });
    const before = await releases();
    const refused = await publish('mallory', submissionOf('1.0.1'));
    expect([refused.status, refused.body.code]).toEqual([403, 'SERVER_OWNED']);
    expect(refused.body.detail).toContain('dave, who owns acme.tools/weather');
    expect(await releases()).toBe(before);
    expect((await publish('dave', submissionOf('1.0.1'))).status).toBe(201);
    expect((await publish('root', submissionOf('1.0.2'))).status).toBe(201);
  });

  it('are named with a team at the first release, and have to be here', async () => {
    const name = 'acme.tools/named';
    const before = await releases();
    for (const owner of ['nobody-here', 'zoe'])
      expect((await publish('dave', { name, owner })).body.code).toBe('NOT_FOUND');
    expect([await releases(), await serverOf(name)]).toEqual([before, undefined]);
    expect((await publish('dave', { name, owner: 'erin', team: 'data' })).status).toBe(201);
    expect(await serverOf(name)).toMatchObject({ owner: 'erin', team: 'data' });
    const next = { name, ...submissionOf('1.9.0') };
    expect((await publish('dave', next)).body.code).toBe('SERVER_OWNED');
    expect((await publish('erin', { ...next, owner: 'dave' })).body.code).toBe('STATE_CONFLICT');
    expect((await publish('erin', next)).status).toBe(201);
  });

  it('are one, when two publish a name first at the same time', async () => {
    const name = 'acme.tools/race';
    const answers = await Promise.all([
      publish('dave', { name, ...submissionOf('1.0.0') }),
      publish('mallory', { name, ...submissionOf('2.0.0') }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 403]);
  });

  it('hand their servers over, and nobody takes one', async () => {
    const name = 'acme.tools/moving';
    await publish('dave', { name });
    const hand = (as: string, owner: string) => registry.call(as, 'POST', '/v1/servers', { name, owner });
    expect((await hand('mallory', 'mallory')).body.code).toBe('SERVER_OWNED');
    expect((await hand('dave', 'zoe')).body.code).toBe('NOT_FOUND');
    expect((await hand('dave', 'lockkeeper')).body.code).toBe('REQUEST_INVALID');
    expect((await serverOf(name))?.owner).toBe('dave');
    expect((await hand('dave', 'erin')).body).toMatchObject({ owner: 'erin' });
    expect((await publish('dave', { name, ...submissionOf('2.0.0') })).body.code).toBe('SERVER_OWNED');
    expect((await publish('erin', { name, ...submissionOf('2.0.0') })).status).toBe(201);
    expect((await hand('root', 'dave')).body).toMatchObject({ owner: 'dave' });
    const unknown = { name: 'acme.tools/none', owner: 'dave' };
    expect((await registry.call('root', 'POST', '/v1/servers', unknown)).body.code).toBe('NOT_FOUND');
  });

  describe('a name', () => {
    const other = { version: '2.0.0', source: 'npm:@evil/weather@2.0.0' };
    it('stays with its package', async () => {
      const before = await releases();
      const refused = await publish('dave', other);
      expect(refused.body).toMatchObject({ code: 'SOURCE_CHANGED', found: 'npm:@evil/weather' });
      expect((await publish('mallory', { ...other, newSource: true })).body.code).toBe('SERVER_OWNED');
      expect(await releases()).toBe(before);
      expect((await serverOf(NAME))?.package).toBe('npm:weather');
    });

    it('goes to another only on purpose, and reviewers are told until one from there was approved', async () => {
      const moved = await publish('dave', { ...other, newSource: true });
      expect(moved.body).toMatchObject({ formerPackage: 'npm:weather' });
      expect((await serverOf(NAME))?.package).toBe('npm:@evil/weather');
      expect(await events('server.new-source')).toEqual([{ subject: NAME }]);
      const next = await registry.scanned('dave', { version: '2.0.1', source: 'npm:@evil/weather@2.0.1' });
      const { body } = await registry.call('alice', 'GET', `/v1/releases/${next}`);
      expect(body.formerPackage).toBe('npm:weather');
      for (const key of [alice, bob]) await registry.approve(key, next);
      const last = await publish('dave', { version: '2.0.2', source: 'npm:@evil/weather@2.0.2' });
      expect(last.body.formerPackage).toBeNull();
      const back = await publish('dave', { ...submissionOf('3.0.0'), newSource: true });
      expect(back.body.formerPackage).toBe('npm:@evil/weather');
    });
  });

  describe('who leave', () => {
    it('are not made owner at the same moment', async () => {
      const name = 'acme.tools/hurry';
      await registry.person('nina', 'publisher');
      await publish('dave', { name });
      const before = (await events('server.orphaned')).length;
      const [handed, gone] = await Promise.all([
        registry.call('root', 'POST', '/v1/servers', { name, owner: 'nina' }),
        registry.call('root', 'POST', '/v1/people/nina/remove', {}),
      ]);
      const { orphaned } = (await serverOf(name)) ?? {};
      // Refused, or told: never an owner who left without a word.
      expect(gone.body.orphaned).toEqual(orphaned ? [name] : []);
      expect(handed.status).toBe(orphaned ? 200 : 404);
      expect((await events('server.orphaned')).length - before).toBe(orphaned ? 1 : 0);
      await registry.call('root', 'POST', '/v1/servers', { name, owner: 'dave' });
    });

    it('leave findings, and nothing is published until somebody answers', async () => {
      const name = 'acme.tools/left';
      await registry.person('carol', 'publisher');
      const id = await registry.approved('carol', [alice, bob], { name, ...submissionOf('1.0.0') });
      const gone = await registry.call('root', 'POST', '/v1/people/carol/remove', {});
      expect(gone.body).toMatchObject({ person: 'carol', orphaned: [name] });
      expect(await events('server.orphaned')).toContainEqual({ subject: name });
      expect((await registry.call('alice', 'GET', '/v1/attention')).body.orphaned).toMatchObject([
        { name, owner: 'carol', orphaned: true },
      ]);
      for (const as of ['dave', 'root'])
        expect((await publish(as, { name, ...submissionOf('1.1.0') })).body.code).toBe('SERVER_ORPHANED');
      // Nor by the schedule; other servers' candidates still come.
      await watchUpstream(registry.deps);
      const { body } = await registry.call('alice', 'GET', '/v1/releases?version=50.0.0');
      expect(body.releases.map((one: { name: string }) => one.name)).not.toContain(name);
      // What was approved goes on.
      expect((await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.state).toBe('approved');
      const { body: trust } = await registry.call(null, 'GET', '/v1/trust');
      const intent = {
        lockkeeper: 'intent/v1',
        project: 'acme/app',
        environment: 'development',
        registry: 'http://127.0.0.1:7411',
        trust: { rootKeys: trust.rootKeys, threshold: 1 },
        servers: { weather: { server: name, range: '^1.0.0' } },
      };
      await registry.person('fred', 'developer');
      expect((await registry.call('fred', 'POST', '/v1/locks', { intent, previous: null })).status).toBe(200);
      const dave = await registry.call('dave', 'POST', '/v1/servers', { name, owner: 'dave' });
      expect(dave.body.code).toBe('SERVER_OWNED');
      await registry.call('root', 'POST', '/v1/servers', { name, owner: 'dave', team: 'weather' });
      expect((await publish('dave', { name, ...submissionOf('1.1.0') })).status).toBe(201);
      expect((await registry.call('alice', 'GET', '/v1/attention')).body.orphaned).toEqual([]);
    });
  });
});

describe.each(servers())('servers from before owners, on $name', (server) => {
  it('belong to the person who asked first, and to the package approved last', async () => {
    const { pool, drop } = await freshDatabase(server);
    await pool.query('drop schema public cascade; create schema public');
    const folder = join(import.meta.dirname, '../../registry/db/migrations');
    await pool.query(
      'create table migrations (number integer primary key, applied_at timestamptz not null default now())',
    );
    for (const name of readdirSync(folder)
      .sort()
      .filter((file) => file < '0008')) {
      await pool.query(readFileSync(join(folder, name), 'utf8'));
      await pool.query('insert into migrations (number) values ($1)', [Number(name.slice(0, 4))]);
    }
    const digest = `sha256:${'0'.repeat(64)}`;
    const rows: [string, string, string, string][] = [
      ['a/one', 'npm:one@1.0.0', 'carol', 'approved'],
      ['a/one', 'npm:one@1.1.0', 'lockkeeper', 'in_review'],
      ['a/two', 'npm:@s/old@1.0.0', 'dave', 'rejected'],
      ['a/two', 'npm:@s/new@1.1.0', 'erin', 'approved'],
      ['a/two', 'npm:evil@1.2.0', 'mallory', 'in_review'],
    ];
    for (const [name, source, by, state] of rows)
      await pool.query(
        `insert into releases (name, version, purl, source, description, requested_by, submission, state, reason, report_digest)
         values ($1, $2, 'pkg:npm/x@1', $3, 'x', $4, '{}', $5, 'why', $6)`,
        [name, source.split('@').at(-1), source, by, state, digest],
      );
    await migrate(pool);
    const { rows: found } = await pool.query('select name, owner, team, package from servers order by name');
    expect(found).toEqual([
      { name: 'a/one', owner: 'carol', team: null, package: 'npm:one' },
      { name: 'a/two', owner: 'dave', team: null, package: 'npm:@s/new' },
    ]);
    await drop();
  });
});
