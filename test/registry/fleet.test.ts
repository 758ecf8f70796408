/** The fleet at the registry: what runtimes say, what people see of it, and what becomes of the silent. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgetInstances } from '../../registry/db/fleet.ts';
import type { FleetInstance, FleetItem } from '../../schemas/fleet.ts';
import { digestOf } from '../../schemas/json.ts';
import { fleetInstance } from '../helpers/fleet.ts';
import { type Answer, servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';

describe.each(servers())('the fleet on $name', (server) => {
  let registry: TestRegistry;
  let closureDigest: string;
  let release: number;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    for (const [person, role] of [
      ['dave', 'publisher'],
      ['root', 'admin'],
      ['erin', 'developer'],
      ['frank', 'developer'],
      ['gateway', 'runtime'],
    ] as const)
      await registry.person(person, role);
    const keys = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    release = await registry.approved('dave', keys);
    closureDigest = (await registry.call('alice', 'GET', `/v1/releases/${release}`)).body.closure.digest;
  });
  afterAll(() => registry.close());

  const one = (change: Partial<FleetInstance> = {}): FleetInstance =>
    fleetInstance({ closureDigest, ...change });
  const report = (as: string, instances: readonly FleetInstance[], runtime = 'j-1'): Promise<Answer> =>
    registry.call(as, 'POST', '/v1/fleet', { runtime, host: 'build-7', instances });
  const list = async (query = ''): Promise<FleetItem[]> =>
    (await registry.call('alice', 'GET', `/v1/fleet${query}`)).body.instances;
  const idle = (seconds: number): Promise<unknown> =>
    registry.pool.query('update fleet set seen_at = seen_at - make_interval(secs => $1)', [seconds]);

  it('shows what was said last, and what this registry says of those bytes', async () => {
    expect((await report('erin', [one()])).body).toEqual({ kept: 1 });
    const said = { ...one(), runtime: 'j-1', host: 'build-7', reportedBy: 'erin', release: 'approved' };
    expect(await list()).toEqual([{ ...said, lastSeen: expect.any(String) }]);
    await report('erin', [one({ state: 'DEGRADED' }), one({ id: 'i-2', closureDigest: digestOf('others') })]);
    expect((await list()).map(({ state, release: says }) => [state, says])).toEqual([
      ['DEGRADED', 'approved'],
      ['READY', null],
    ]);
    expect((await list('?state=DEGRADED')).map(({ id }) => id)).toEqual(['i-1']);
    expect(await list('?server=acme.tools/other')).toEqual([]);
    await report('erin', []);
    expect(await list()).toEqual([]);
  });

  it('does not know what it has not heard of for a minute, and forgets it after a day', async () => {
    await report('erin', [one()]);
    await idle(61);
    expect((await list())[0]?.state).toBe('unknown');
    expect(await list('?state=unknown')).toHaveLength(1);
    expect(await list('?state=READY')).toEqual([]);
    await report('erin', [one()]);
    expect((await list())[0]?.state).toBe('READY');
    await idle(86_401);
    expect(await list()).toEqual([]);
    await forgetInstances(registry.pool);
    const { rows } = await registry.pool.query('select 1 from fleet');
    expect(rows).toEqual([]);
  });

  it('takes from each only what is theirs, and lets nobody speak over another', async () => {
    await report('erin', [one()]);
    expect((await report('erin', [one({ user: 'frank' })])).status).toBe(403);
    expect((await report('dave', [one()])).status).toBe(403);
    expect((await registry.call('erin', 'GET', '/v1/fleet')).status).toBe(403);
    expect((await report('frank', [])).status).toBe(200);
    expect((await report('frank', [one({ user: 'local:frank', state: 'DEAD' })])).status).toBe(200);
    expect((await report('gateway', [one({ user: 'anybody@example.com' })], 'j-2')).status).toBe(200);
    expect((await list()).map(({ reportedBy, state }) => [reportedBy, state])).toEqual([
      ['erin', 'READY'],
      ['frank', 'DEAD'],
      ['gateway', 'READY'],
    ]);
    for (const bad of [
      [one(), one()],
      [one({ state: 'GONE' as 'DEAD' })],
      [one({ since: '2026-02-31T00:00:00.000Z' })],
      [one({ project: 'a\u0000b' })],
      Array.from({ length: 257 }, (_, n) => one({ id: `i-${n}` })),
    ])
      expect((await report('erin', bad)).status).toBe(400);
    expect((await list()).find(({ reportedBy }) => reportedBy === 'erin')?.state).toBe('READY');
  });

  it('takes so many of one sign-in', async () => {
    await registry.person('many', 'runtime');
    const full = Array.from({ length: 256 }, (_, n) => one({ id: `i-${n}`, server: 'acme.tools/many' }));
    for (let n = 0; n < 16; n++) expect((await report('many', full, `j-many-${n}`)).status).toBe(200);
    expect((await report('many', [one()], 'j-more')).body.code).toBe('RATE_LIMITED');
    expect((await report('many', full, 'j-many-3')).status).toBe(200);
    const { body } = await registry.call('alice', 'GET', '/v1/fleet?server=acme.tools/many');
    expect([body.instances.length, body.more]).toEqual([1000, true]);
  });

  it('tells how many a runtime keeps beside those it lists, once for each runtime', async () => {
    const unlisted = async (): Promise<number> =>
      (await registry.call('alice', 'GET', '/v1/fleet?server=acme.tools/none')).body.unlisted;
    const said = (more: unknown, runtime: string): Promise<Answer> => {
      const instances = [one(), one({ id: 'i-2' })];
      return registry.call('erin', 'POST', '/v1/fleet', { runtime, host: 'build-7', instances, more });
    };
    expect(await unlisted()).toBe(0);
    expect((await said(44, 'j-1')).status).toBe(200);
    expect((await said(1, 'j-2')).status).toBe(200);
    expect(await unlisted()).toBe(45);
    for (const bad of [-1, 0.5, '4', 1e9]) expect((await said(bad, 'j-2')).status).toBe(400);
    expect((await report('erin', [one()], 'j-2')).status).toBe(200);
    expect(await unlisted()).toBe(44);
    expect((await report('erin', [], 'j-2')).status).toBe(200);
    expect((await report('erin', [one()])).status).toBe(200);
    expect(await unlisted()).toBe(0);
  });

  it('tells that what was revoked runs still', async () => {
    await report('erin', [one()]);
    await registry.call('root', 'POST', `/v1/releases/${release}/revoke`, { reason: 'found a hole' });
    expect(
      (await list('?server=acme.tools/weather')).find(({ reportedBy }) => reportedBy === 'erin'),
    ).toMatchObject({
      state: 'READY',
      release: 'revoked',
    });
  });
});
