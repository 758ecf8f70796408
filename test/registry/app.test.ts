import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES, type Route } from '../../schemas/api.ts';
import { sha256 } from '../../schemas/json.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';

const ALL = ['admin', 'reviewer', 'publisher', 'developer', 'auditor', 'runtime'];
const OPEN = ['anonymous', ...ALL];
const PEOPLE = ALL.filter((role) => role !== 'runtime');

/** Written down a second time on purpose: who may do what is changed in two places or not at all. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'GET /v1/health': OPEN,
  'GET /metrics': ['admin', 'auditor'],
  'GET /v1/trust': OPEN,
  'GET /v1/trust/files': PEOPLE,
  'POST /v1/sign-in': OPEN,
  'GET /v1/sign-in': OPEN,
  'POST /v1/sign-in/begin': OPEN,
  'POST /v1/sign-in/device': OPEN,
  'POST /v1/sign-in/end': OPEN,
  'GET /v1/me': ALL,
  'POST /v1/people': ['admin'],
  'GET /v1/people': ['admin'],
  'POST /v1/people/:person/code': ['admin'],
  'POST /v1/people/:person/remove': ['admin'],
  'POST /v1/people/:person/link': ['admin'],
  'POST /v1/tokens': ALL,
  'POST /v1/keys': ['reviewer'],
  'POST /v1/keys/rotate': ['admin'],
  'POST /v1/roots': ['admin'],
  'GET /v1/policy': ALL,
  'POST /v1/releases': ['admin', 'publisher'],
  'POST /v1/bundles': ['admin', 'publisher'],
  'GET /v1/servers': PEOPLE,
  'POST /v1/servers': ['admin', 'publisher'],
  'GET /v1/attention': PEOPLE,
  'GET /v1/releases': PEOPLE,
  'GET /v1/releases/:id': PEOPLE,
  'GET /v1/releases/:id/review': PEOPLE,
  'GET /v1/releases/:id/report': PEOPLE,
  'GET /v1/releases/:id/verdict': PEOPLE,
  'GET /v1/releases/:id/surface': PEOPLE,
  'GET /v1/releases/:id/sbom': PEOPLE,
  'GET /v1/releases/:id/diff': PEOPLE,
  'GET /v1/releases/:id/statement': ['reviewer'],
  'POST /v1/releases/:id/approvals': ['reviewer'],
  'POST /v1/releases/:id/reject': ['reviewer'],
  'POST /v1/releases/:id/deprecate': ['admin', 'reviewer'],
  'POST /v1/releases/:id/rescan': ['admin', 'reviewer'],
  'POST /v1/releases/:id/revoke': ['admin', 'reviewer'],
  'GET /v1/revocations': ALL,
  'GET /v1/revocations/stream': ALL,
  'GET /v1/blobs/:digest': ALL,
  'POST /v1/locks': ['admin', 'developer'],
  'POST /v1/locks/check': ALL,
  'POST /v1/audit': ['developer', 'runtime'],
  'GET /v1/audit': ['admin', 'auditor'],
  'GET /v1/calls': ['admin', 'auditor', 'reviewer'],
  'GET /v1/calls/:id': ['admin', 'auditor', 'reviewer'],
  'POST /v1/calls': ['developer', 'runtime'],
  'GET /v1/calls/:id/answer': ['developer', 'runtime'],
  'POST /v1/calls/:id/use': ['developer', 'runtime'],
  'POST /v1/calls/:id/withdraw': ['developer', 'runtime'],
  'POST /v1/calls/:id/approvals': ['reviewer'],
  'POST /v1/calls/:id/reject': ['admin', 'reviewer'],
  'GET /v1/fleet': ['admin', 'auditor', 'reviewer'],
  'POST /v1/fleet': ['developer', 'runtime'],
  'GET /v1/evidence': ['admin', 'auditor'],
  'GET /v1/evidence/entries': ['admin', 'auditor'],
  'GET /v1/evidence/records': ['admin', 'auditor'],
  'GET /v1/advisories': PEOPLE,
  'POST /v1/advisories': ['admin'],
  'POST /v1/advisories/check': ALL,
  'GET /v1/log': OPEN,
  'GET /v1/log/entries': ALL,
  'GET /v1/log/inclusion': OPEN,
  'GET /v1/log/consistency': OPEN,
  'GET /v0.1/servers': OPEN,
  'GET /v0.1/servers/:name/versions': OPEN,
  'GET /v0.1/servers/:name/versions/:version': OPEN,
  'GET /checkpoint': OPEN,
  'GET /tile/*': OPEN,
  'GET /tile/entries/*': ALL,
  'GET /': OPEN,
};
const routes = Object.values(ROUTES) as Route[];

describe('the table of routes', () => {
  it('has these routes and no others', () => {
    expect(routes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(Object.keys(MAY).sort());
  });

  it.each(routes)('$method $path is for these roles and no others', ({ method, path, roles }) => {
    expect([...roles].sort()).toEqual([...(MAY[`${method} ${path}`] ?? [])].sort());
  });
});

const KIB = 1024;
const LIMITS: Readonly<Record<string, number>> = {
  '/v1/audit': 16 * KIB * KIB,
  '/v1/advisories': 32 * KIB * KIB,
  '/v1/advisories/check': 16 * KIB * KIB,
  '/v1/fleet': KIB * KIB,
  '/v1/locks': 4 * KIB * KIB,
  '/v1/locks/check': 16 * KIB * KIB,
  '/v1/releases/:id/approvals': 16 * KIB * KIB,
  '/v1/releases': KIB * KIB,
  '/v1/roots': 4 * KIB * KIB,
};

describe.each(servers().slice(0, 1))('bodies', (server) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('all', 'admin', 'reviewer', 'publisher', 'developer', 'runtime');
  });
  afterAll(() => registry.close());

  it('of a bundle are bytes, and of nothing else', async () => {
    const authorization = `Bearer ${await registry.person('paul', 'publisher')}`;
    const send = async (url: string, payload: Buffer, headers: object): Promise<number> =>
      (await registry.app.inject({ method: 'POST', url, payload, headers: { authorization, ...headers } }))
        .statusCode;
    const bytes = { 'content-type': 'application/octet-stream' };
    const zip = Buffer.from('PK\x03\x04 and so on');
    expect(await send('/v1/bundles', zip, bytes)).toBe(200);
    expect(await registry.deps.blobs.has(sha256(zip))).toBe(true);
    expect(await send('/v1/bundles', Buffer.from('{}'), bytes)).toBe(400);
    expect(await send('/v1/bundles', Buffer.from('{}'), { 'content-type': 'application/json' })).toBe(400);
    expect(await send('/v1/releases', zip, bytes)).toBe(400);
    expect(await send('/v1/bundles', zip, { ...bytes, 'content-length': `${256 * KIB * KIB + 1}` })).toBe(
      413,
    );
  });

  const ofJson = routes.filter(({ method, path }) => method === 'POST' && path !== '/v1/bundles');
  it.each(ofJson.map(({ path }) => path))(
    'of %s are read up to its limit and not one byte more',
    async (path) => {
      const url = path.replace(':id', '1').replace(':person', 'nobody');
      const send = async (bytes: number): Promise<number> =>
        (await registry.call('all', 'POST', url, `{"x":"${'a'.repeat(bytes - 8)}"}`)).status;
      const limit = LIMITS[path] ?? 64 * KIB;
      expect(await send(limit)).toBe(400);
      expect(await send(limit + 1)).toBe(413);
    },
  );
});
