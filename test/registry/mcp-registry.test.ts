import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../helpers/registry.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

const [server] = servers();
const NAME = 'acme.tools%2Fweather';
const OFFICIAL = 'io.modelcontextprotocol.registry/official';
const APPROVAL = 'dev.lockkeeper/approval';

/** What clients of that API read. */
interface Item {
  readonly server: {
    readonly name: string;
    readonly version: string;
    readonly packages: readonly unknown[];
    readonly $schema: string;
  };
  readonly _meta: { readonly [OFFICIAL]: { readonly status: string }; readonly [APPROVAL]: Approvals };
}
interface Approvals {
  readonly approvals: readonly unknown[];
}
interface Page extends Item {
  readonly servers: readonly Item[];
  readonly metadata: { readonly count: number; readonly nextCursor?: string };
}

describe('the MCP registry API v0.1', () => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;

  beforeAll(async () => {
    if (!server) throw new Error('no database');
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    for (const version of ['1.0.0', '1.9.0', '1.10.0'])
      await registry.approved('dave', [alice, bob], submissionOf(version));
    await registry.scanned('dave', submissionOf('2.0.0'));
    await registry.approved('dave', [alice, bob], { ...submissionOf('1.0.0'), name: 'acme.tools/forecast' });
  });
  afterAll(() => registry.close());

  const get = (url: string): Promise<Answer<Page>> => registry.call(null, 'GET', url);

  it('lists approved releases alone, with everything a client demands', async () => {
    const { status, body, headers } = await get('/v0.1/servers');
    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(Object.keys(body).sort()).toEqual(['metadata', 'servers']);
    expect(body.metadata.count).toBe(4);
    expect(body.servers.map(({ server }) => server.version)).not.toContain('2.0.0');
    for (const item of body.servers) {
      expect(Object.keys(item._meta[OFFICIAL]).sort()).toEqual([
        'isLatest',
        'publishedAt',
        'status',
        'statusChangedAt',
        'updatedAt',
      ]);
      expect(item.server.packages).toHaveLength(1);
      expect(item.server.packages[0]).toMatchObject({
        registryType: 'npm',
        identifier: 'weather',
        version: item.server.version,
        transport: { type: 'stdio' },
      });
      expect(item.server.$schema).toContain('2025-12-11');
    }
  });

  it.each([
    `/v0.1/servers/${NAME}/versions/latest`,
    `/v0.1/servers/acme.tools%2fweather/versions/1.10.0`,
    `//v0.1/servers/${NAME}/versions/latest/`,
  ])('answers %s', async (url) => {
    const { status, body } = await get(url);
    expect(status).toBe(200);
    expect(body.server).toMatchObject({ name: 'acme.tools/weather', version: '1.10.0' });
    expect(body._meta[OFFICIAL]).toMatchObject({ isLatest: true, status: 'active' });
    expect(body._meta[APPROVAL].approvals).toHaveLength(2);
  });

  it('lists versions newest first', async () => {
    const { body } = await get(`/v0.1/servers/${NAME}/versions`);
    expect(body.servers.map(({ server }) => server.version)).toEqual(['1.10.0', '1.9.0', '1.0.0']);
  });

  it.each([
    `/v0.1/servers/${NAME}/versions/2.0.0`,
    '/v0.1/servers/nobody%2Fnothing/versions',
    `/v0.1/servers/${NAME}/versions/1.0.0%2Bx`,
  ])('answers 404 to %s, never 401 or 403', async (url) => {
    for (const as of [null, 'lk_stale']) {
      const { status, body, headers } = await registry.call(as, 'GET', url);
      expect(status).toBe(404);
      expect(body.error).toBe(body.detail);
      expect(headers['access-control-allow-origin']).toBe('*');
    }
  });

  it('pages with a cursor that keeps the search', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await get(
        cursor === undefined
          ? '/v0.1/servers?limit=1&search=WEATHER'
          : `/v0.1/servers?limit=1&cursor=${cursor}`,
      );
      seen.push(...body.servers.map(({ server }) => `${server.name}@${server.version}`));
      cursor = body.metadata.nextCursor;
      if (cursor !== undefined) expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
    } while (cursor !== undefined && seen.length < 10);
    expect(seen).toEqual([
      'acme.tools/weather@1.0.0',
      'acme.tools/weather@1.10.0',
      'acme.tools/weather@1.9.0',
    ]);
  });

  it.each([
    'limit=0',
    'limit=abc',
    'limit=-1',
    'updated_since=yesterday',
    'updated_since=2026-01-01T00:00:00Z&include_deleted=false',
    'cursor=eyJ9',
    'cursor=%00',
  ])('answers 400 to %s', async (query) => {
    expect((await get(`/v0.1/servers?${query}`)).status).toBe(400);
  });

  it('caps a limit over 100 and filters by latest', async () => {
    const { body } = await get('/v0.1/servers?limit=1000&version=latest');
    expect(body.servers.map(({ server }) => server.version).sort()).toEqual(['1.0.0', '1.10.0']);
  });

  it('shows a revoked release as deleted, only to those who ask for it', async () => {
    const id = await registry.approved('dave', [alice, bob], {
      ...submissionOf('1.0.0'),
      name: 'acme.tools/gone',
    });
    const before = new Date().toISOString();
    await registry.call('bob', 'POST', `/v1/releases/${id}/revoke`, { reason: 'CVE' });
    expect((await get('/v0.1/servers/acme.tools%2Fgone/versions')).status).toBe(404);
    expect((await get('/v0.1/servers?search=gone')).body.servers).toEqual([]);
    const { body } = await get(`/v0.1/servers?updated_since=${encodeURIComponent(before)}`);
    expect(body.servers.map((item) => item._meta[OFFICIAL].status)).toEqual(['deleted']);
  });

  it('answers a preflight without asking who calls', async () => {
    const { statusCode, headers } = await registry.app.inject({ method: 'OPTIONS', url: '/v0.1/servers' });
    expect(statusCode).toBe(204);
    expect(headers['access-control-allow-origin']).toBe('*');
  });
});
