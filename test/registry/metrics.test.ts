/** What a registry tells of itself, and to whom. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { queueScan } from '../../registry/queue.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { until } from '../helpers/wait.ts';

let registry: TestRegistry;
beforeAll(async () => {
  const [server] = servers();
  if (!server) throw new Error('no database');
  registry = await startTestRegistry(server);
  await registry.person('root', 'admin');
  await registry.person('dave', 'publisher');
  await registry.person('otto', 'auditor');
  await registry.person('erin', 'developer');
});
afterAll(() => registry.close());

const text = async (as = 'otto'): Promise<string> =>
  String((await registry.call<unknown>(as, 'GET', '/metrics')).body);
/** The value of one series; undefined where there is none. */
const figure = async (series: string): Promise<number | undefined> => {
  const line = (await text()).split('\n').find((one) => one.startsWith(`lockkeeper_registry_${series} `));
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
};

it('counts answers by route and status, refusals among them', async () => {
  await registry.call('erin', 'GET', '/v1/me');
  await registry.call(null, 'GET', '/v1/me');
  await registry.call('erin', 'GET', '/v1/releases/999999');
  await until(async () => (await figure('requests_total{route="me",status="200"}')) === 1);
  expect(await figure('requests_total{route="me",status="401"}')).toBe(1);
  expect(await figure('requests_total{route="release",status="404"}')).toBe(1);
  expect(await text()).not.toContain('/v1/');
});

it('tells of the queue and of releases as the database has them', async () => {
  await registry.submit('dave');
  await queueScan(registry.pool, '7');
  await registry.pool.query(
    `update graphile_worker._private_jobs set run_at = now() - interval '90 seconds' where key = 'scan:7'`,
  );
  await queueScan(registry.pool, '8');
  await registry.pool.query(
    `update graphile_worker._private_jobs set attempts = max_attempts where key = 'scan:8'`,
  );
  expect(await figure('jobs{task="scan",state="waiting"}')).toBe(2);
  expect(await figure('jobs{task="scan",state="failed"}')).toBe(1);
  expect(await figure('oldest_job_seconds{task="scan"}')).toBeGreaterThanOrEqual(90);
  expect(await figure('releases{state="submitted"}')).toBe(1);
  expect(await figure('people')).toBe(4);
  expect(await figure('connections{state="used"}')).toBeGreaterThanOrEqual(0);
});

it('counts a stream for as long as somebody hears it', async () => {
  const token = await registry.person('box', 'runtime');
  const url = await registry.app.listen({ port: 0, host: '127.0.0.1' });
  const asked = get(`${url}/v1/revocations/stream`, { headers: { authorization: `Bearer ${token}` } });
  const [stream] = (await once(asked, 'response')) as [IncomingMessage];
  expect(await figure('open_requests{route="revocationStream"}')).toBe(1);
  stream.destroy();
  await until(async () => (await figure('open_requests{route="revocationStream"}')) === 0);
});

it('tells nobody else', async () => {
  for (const as of [null, 'erin', 'dave']) {
    const { status, body } = await registry.call<unknown>(as, 'GET', '/metrics');
    expect(status).toBe(as === null ? 401 : 403);
    expect(JSON.stringify(body)).not.toContain('lockkeeper_registry');
  }
});
