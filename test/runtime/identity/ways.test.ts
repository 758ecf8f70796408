/** The other ways: the gateway's own tokens, client certificates over real TLS, and one person on their own machine. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertOwnUser, inTurns } from '../../../runtime/identity/behind.ts';
import { namesIn } from '../../../runtime/identity/certificate.ts';
import type { Identification } from '../../../runtime/identity/identity.ts';
import { addToken, listTokens, removeToken } from '../../../runtime/identity/tokens.ts';
import { hideSecrets } from '../../../runtime/journal/secrets.ts';
import { type Authority, certify, makeAuthority } from '../../helpers/certificates.ts';
import {
  accepted,
  bearer,
  RESOURCE,
  refused,
  requestWith,
  type TestIdentity,
  testIdentity,
} from '../../helpers/identity.ts';
import { acceptedAt, acceptedFrom } from '../../helpers/loopback.ts';
import { tempDir } from '../../helpers/session.ts';

const soon = (): string => new Date(Date.now() + 3_600_000).toISOString();

describe('the gateway’s own tokens', () => {
  const wanted = () => ({ user: 'ci:build', teams: ['ci'], servers: ['docs'], expires: soon() });

  it('are known by what they hash to, reach the servers they name, and end', async () => {
    const file = join(tempDir(), 'tokens.json');
    const { token, entry } = await addToken(file, wanted(), new Date());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain(token.slice(-43));
    expect(hideSecrets(`the token ${token}`, () => 'hidden')).toBe('the token hidden');
    const identity = await testIdentity({ tokens: { file } });
    expect(await accepted(identity, bearer(token))).toMatchObject({
      caller: { user: 'ci:build', teams: ['ci'], via: 'token', actors: [] },
      servers: ['docs'],
      expires: Date.parse(entry.expires),
    });
    identity.later(3600);
    expect(await refused(identity, bearer(token))).toMatchObject({
      status: 401,
      error: { code: 'TOKEN_EXPIRED' },
    });
  });

  it('that were removed, made up or changed by a letter are refused', async () => {
    const file = join(tempDir(), 'tokens.json');
    const one = await addToken(file, wanted(), new Date());
    const other = await addToken(file, { ...wanted(), user: 'eve' }, new Date());
    const identity = await testIdentity({ tokens: { file } });
    const mixed = `lkg_${one.entry.id}_${other.token.slice(-43)}`;
    const last = one.token.endsWith('A') ? 'B' : 'A';
    for (const bad of [
      mixed,
      `${one.token.slice(0, -1)}${last}`,
      `${one.token}A`,
      'lkg_',
      one.token.toUpperCase(),
    ]) {
      const { error } = await refused(identity, bearer(bad));
      expect(['TOKEN_INVALID', 'UNAUTHENTICATED'], bad).toContain(error.code);
    }
    await accepted(identity, bearer(one.token));
    await removeToken(file, one.entry.id);
    identity.later(1);
    expect((await refused(identity, bearer(one.token))).error.code).toBe('TOKEN_INVALID');
    expect((await accepted(identity, bearer(other.token))).caller.user).toBe('eve');
    expect((await listTokens(file)).map(({ user }) => user)).toEqual(['eve']);
  });

  it('count no longer when their file is not whole, not there, or may be read by others; strangers hear no path', async () => {
    const file = join(tempDir(), 'tokens.json');
    const { token } = await addToken(file, wanted(), new Date());
    const whole = readFileSync(file);
    const identity = await testIdentity({ tokens: { file } });
    const spoil: readonly (() => void)[] = [
      () => writeFileSync(file, whole.subarray(0, -9)),
      () => chmodSync(file, 0o644),
      () => rmSync(file),
    ];
    for (const damage of spoil) {
      writeFileSync(file, whole);
      chmodSync(file, 0o600);
      identity.later(2);
      await accepted(identity, bearer(token));
      damage();
      identity.later(2);
      await refused(identity, bearer(token));
      const { status, error } = await refused(identity, bearer(token));
      expect({ status, code: error.code }).toEqual({ status: 503, code: 'IDENTITY_UNVERIFIED' });
      expect(error.message).not.toContain(file);
    }
    expect(identity.troubles.map(({ code }) => code)).toEqual([
      'JSON_INVALID',
      'SECRET_UNUSABLE',
      'SECRET_MISSING',
    ]);
    await expect(testIdentity({ tokens: { file } })).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  });

  it('are all there when many are made at once', async () => {
    const file = join(tempDir(), 'tokens.json');
    const made = await Promise.all(Array.from({ length: 8 }, () => addToken(file, wanted(), new Date())));
    expect(new Set((await listTokens(file)).map(({ id }) => id))).toEqual(
      new Set(made.map(({ entry }) => entry.id)),
    );
  });
});

describe('client certificates', () => {
  let authority: Authority;
  let middle: Authority;
  let dir: string;
  let identity: TestIdentity;
  let server: ReturnType<typeof createServer>;
  const answers: Identification[] = [];

  beforeAll(async () => {
    dir = tempDir();
    authority = makeAuthority(dir, 'authority');
    middle = certify(authority, { name: 'middle', ca: true });
    const users = [
      { san: 'URI:spiffe://acme/ci', user: 'ci:build', teams: ['ci'] },
      { san: 'email:ada@acme.test', user: 'ada@acme.test' },
      { san: 'DNS:box.acme.test', user: 'box' },
    ];
    writeFileSync(join(dir, 'both.pem'), authority.cert + middle.cert);
    identity = await testIdentity({ certificates: { ca: 'both.pem', users } }, dir);
    const own = certify(authority, { name: 'gateway', san: 'IP:127.0.0.1', usage: 'serverAuth' });
    server = createServer({ ...identity.tls, key: own.key, cert: own.cert }, async (request, response) => {
      answers.push(await identity.identify(request));
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  async function call(who: Authority | null, chain = '', headers = {}): Promise<Identification> {
    const { port } = server.address() as AddressInfo;
    const shown = who ? { key: who.key, cert: who.cert + chain } : {};
    const sent = httpsRequest({
      port,
      host: '127.0.0.1',
      ca: authority.cert,
      agent: false,
      headers,
      ...shown,
    });
    sent.end();
    const [response] = await once(sent, 'response');
    response.resume();
    await once(response, 'end');
    return answers.pop() as Identification;
  }
  const codeOf = (answer: Identification): string =>
    'refusal' in answer ? answer.refusal.error.code : 'let in';

  it('are known by exactly the name that is configured', async () => {
    for (const [san, user] of [
      ['URI:spiffe://acme/ci', 'ci:build'],
      ['email:ada@acme.test', 'ada@acme.test'],
      [['DNS:other.acme.test', 'DNS:box.acme.test'], 'box'],
    ] as const)
      expect(await call(certify(authority, { name: 'client', san }))).toMatchObject({
        caller: { user, via: 'certificate' },
        servers: null,
      });
    const below = certify(middle, { name: 'below', san: 'DNS:box.acme.test' });
    expect(await call(below)).toMatchObject({ caller: { user: 'box' } });
  });

  it.each([
    ['a name that is not configured', 'DNS:evil.acme.test', 'IDENTITY_UNNAMED'],
    ['a name of another kind', 'DNS:ada@acme.test', 'IDENTITY_UNNAMED'],
    ['a name with more behind it', 'DNS:box.acme.test.evil.test', 'IDENTITY_UNNAMED'],
    ['two names of two users', ['DNS:box.acme.test', 'email:ada@acme.test'], 'IDENTITY_UNNAMED'],
    ['a name that holds another', 'URI:x:y, DNS:box.acme.test', 'IDENTITY_UNNAMED'],
  ])('with %s name nobody', async (_what, san, code) => {
    expect(codeOf(await call(certify(authority, { name: 'client', san })))).toBe(code);
  });

  it('of another authority, for servers, of an authority, or of none are refused', async () => {
    const other = makeAuthority(dir, 'other');
    const san = 'DNS:box.acme.test';
    expect(codeOf(await call(certify(other, { name: 'client', san })))).toBe('CERTIFICATE_INVALID');
    const forServers = certify(authority, { name: 'client', san, usage: 'serverAuth' });
    expect(codeOf(await call(forServers))).toBe('CERTIFICATE_INVALID');
    expect(codeOf(await call(certify(authority, { name: 'client', san, ca: true })))).toBe(
      'CERTIFICATE_INVALID',
    );
    const unknown = certify(authority, { name: 'unknown', ca: true });
    const below = certify(unknown, { name: 'client', san });
    expect(codeOf(await call(below, unknown.cert))).toBe('CERTIFICATE_INVALID');
    expect(codeOf(await call(null))).toBe('UNAUTHENTICATED');
  });

  it('are judged by our own authorities, whatever the TLS server believed', async () => {
    const other = makeAuthority(dir, 'public');
    const foreign = new X509Certificate(certify(other, { name: 'client', san: 'DNS:box.acme.test' }).cert);
    const { error } = await refused(identity, requestWith({ certificate: foreign, authorized: true }));
    expect(error.found).toContain('one of another authority');
    const ca = certify(authority, { name: 'client', san: 'DNS:box.acme.test', ca: true });
    const asAuthority = { certificate: new X509Certificate(ca.cert), authorized: true };
    expect((await refused(identity, requestWith(asAuthority))).error.found).toContain('of an authority');
    const good = new X509Certificate(certify(authority, { name: 'client', san: 'DNS:box.acme.test' }).cert);
    await accepted(identity, requestWith({ certificate: good, authorized: true }));
    expect((await refused(identity, requestWith({ certificate: good }))).error.code).toBe(
      'CERTIFICATE_INVALID',
    );
  });

  it('end on a connection that stays open', async () => {
    const certificate = new X509Certificate(
      certify(authority, { name: 'client', san: 'DNS:box.acme.test' }).cert,
    );
    const later = await testIdentity(
      { certificates: { ca: 'authority.pem', users: [{ san: 'DNS:box.acme.test', user: 'box' }] } },
      dir,
    );
    await accepted(later, requestWith({ certificate, authorized: true }));
    later.later(31 * 86_400);
    const { error } = await refused(later, requestWith({ certificate, authorized: true }));
    expect(error.code).toBe('CERTIFICATE_INVALID');
    expect(error.found).toContain('valid from');
  });

  it('beside a token are two credentials', async () => {
    const client = certify(authority, { name: 'client', san: 'DNS:box.acme.test' });
    expect(codeOf(await call(client, '', { authorization: 'Bearer A' }))).toBe('CREDENTIAL_FORM');
  });

  it('have names that cannot be read as two', () => {
    expect(namesIn({ subjectAltName: 'DNS:a, URI:"x:y, DNS:b", email:c@d' })).toEqual(['DNS:a', 'email:c@d']);
    expect(namesIn({ subjectAltName: undefined })).toEqual([]);
  });
});

describe('nobody', () => {
  const here = 'http://127.0.0.1:7412/mcp';
  const local = (
    headers: readonly (readonly [string, string])[] = [['Host', '127.0.0.1:7412']],
    from = '127.0.0.1',
  ) => requestWith({ headers, from });

  it('is the signed-in person, from this machine', async () => {
    const identity = await testIdentity({ resource: here, nobody: 'loopback' });
    expect(identity).toMatchObject({ loopbackOnly: true, metadata: null, tls: null });
    for (const [listen, to] of [
      ['127.0.0.1', '127.0.0.1'],
      ['::', '::1'],
      ['::', '127.0.0.1'],
    ] as const) {
      await using socket = await acceptedAt(listen, to);
      for (const headers of [
        [['Host', '127.0.0.1:7412']],
        [
          ['host', 'localhost'],
          ['origin', 'http://localhost:3000'],
        ],
      ] as const)
        expect((await accepted(identity, requestWith({ headers, socket }))).caller).toMatchObject({
          user: 'ada',
          via: 'nobody',
        });
    }
  });

  it('is not another user of this machine', async () => {
    const own = process.getuid?.() ?? 0;
    await using socket = own === 0 ? await acceptedFrom(65_534) : await acceptedAt('127.0.0.1', '127.0.0.1');
    const found = `one of the user ${own === 0 ? 65_534 : own}`;
    await expect(assertOwnUser(socket, own === 0 ? 0 : own + 1)).rejects.toMatchObject({ found });
    if (own !== 0) return;
    const identity = await testIdentity({ resource: here, nobody: 'loopback' });
    const request = requestWith({ headers: [['Host', 'localhost']], socket });
    expect(await refused(identity, request)).toMatchObject({ status: 401, error: { found } });
  });

  it('is not let in from a connection that its program closed, which the kernel lists as root’s', async () => {
    const identity = await testIdentity({ resource: here, nobody: 'loopback' });
    await using socket = await acceptedAt('127.0.0.1', '127.0.0.1');
    await socket.closeOther();
    const request = requestWith({ headers: [['Host', 'localhost']], socket });
    expect(await refused(identity, request)).toMatchObject({
      status: 401,
      error: { found: expect.stringContaining('names no user') },
    });
  });

  it.each([
    ['another machine', local(undefined, '192.0.2.7')],
    ['no address', requestWith({ headers: [['Host', 'localhost']], from: '' })],
    ['a name that leads here', local([['Host', 'rebind.evil.test']])],
    [
      'two hosts',
      local([
        ['Host', 'localhost'],
        ['Host', 'evil.test'],
      ]),
    ],
    ['no host', local([])],
    [
      'a page of another site',
      local([
        ['Host', 'localhost'],
        ['Origin', 'https://evil.test'],
      ]),
    ],
    [
      'a page without an origin',
      local([
        ['Host', 'localhost'],
        ['Origin', 'null'],
      ]),
    ],
    [
      'a proxy',
      local([
        ['Host', 'localhost'],
        ['X-Forwarded-For', '192.0.2.7'],
      ]),
    ],
  ])('is not let in from %s', async (_name, request) => {
    const identity = await testIdentity({ resource: here, nobody: 'loopback' });
    expect(await refused(identity, request)).toMatchObject({
      status: 401,
      error: { code: 'UNAUTHENTICATED' },
    });
  });

  it('is not let in with a credential that does not hold', async () => {
    const identity = await testIdentity({ resource: here, nobody: 'loopback' });
    const request = local([
      ['Host', 'localhost'],
      ['Authorization', 'Bearer A.B.C'],
    ]);
    expect(await refused(identity, request)).toMatchObject({ status: 401 });
  });
});

describe('a configuration', () => {
  it.each([
    ['that names no way', {}],
    ['with an unknown key', { nobody: 'loopback', resource: 'http://127.0.0.1/mcp', anybody: true }],
    [
      'with nobody beside others',
      { nobody: 'loopback', resource: 'http://127.0.0.1/mcp', jwt: [{ issuer: 'https://a.test' }] },
    ],
    ['with nobody from elsewhere', { nobody: 'loopback' }],
    ['with an empty list of issuers', { jwt: [] }],
    ['with an issuer in the clear', { jwt: [{ issuer: 'http://issuer.acme.test' }] }],
    ['with a user in the URL', { jwt: [{ issuer: 'https://a:b@issuer.acme.test' }] }],
    ['with keys in the clear', { jwt: [{ issuer: 'https://a.test', keys: { url: 'http://a.test/keys' } }] }],
    ['with a shared secret', { jwt: [{ issuer: 'https://a.test', algorithms: ['HS256'] }] }],
    ['with no algorithm', { jwt: [{ issuer: 'https://a.test', algorithms: [] }] }],
    ['with a prefix of this machine', { jwt: [{ issuer: 'https://a.test', prefix: 'local' }] }],
    [
      'with a resource in the clear',
      { resource: 'http://gateway.acme.test/mcp', jwt: [{ issuer: 'https://a.test' }] },
    ],
    ['with a query', { resource: `${RESOURCE}?a=1`, jwt: [{ issuer: 'https://a.test' }] }],
  ])('%s does not start', async (_name, config) => {
    await expect(testIdentity(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('tells clients where to get tokens', async () => {
    const jwt = [{ issuer: 'https://issuer.acme.test', scopes: ['mcp'] }];
    const { metadata } = await testIdentity({ jwt });
    expect(metadata?.paths).toEqual([
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
    ]);
    expect(JSON.parse(String(metadata?.body))).toEqual({
      resource: RESOURCE,
      resource_name: 'Lockkeeper gateway',
      authorization_servers: ['https://issuer.acme.test'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['mcp'],
    });
  });

  it.each([
    ['https://gateway.acme.test/', 'https://gateway.acme.test', ''],
    ['https://gateway.acme.test/tools/', 'https://gateway.acme.test/tools', '/tools'],
    [RESOURCE, 'https://gateway.acme.test', ''],
  ])('tells who calls one address of %s that it is that very one', async (resource, base, below) => {
    const identity = await testIdentity({ resource, jwt: [{ issuer: 'https://issuer.acme.test' }] });
    const well = `/.well-known/oauth-protected-resource${below}`;
    for (const door of ['/servers/docs/mcp', '/mcp']) {
      const { headers } = await refused(identity, requestWith({ url: `${door}?a=1` }));
      expect(headers['www-authenticate']).toContain(
        `resource_metadata="https://gateway.acme.test${well}${door}"`,
      );
      const found = JSON.parse(String(identity.metadata?.find(`${well}${door}`))) as { resource: string };
      expect(found.resource).toBe(`${base}${door}`);
    }
    const elsewhere = await refused(identity, requestWith({ url: '/servers/a/b/mcp' }));
    expect(elsewhere.headers['www-authenticate']).toContain(`="${identity.metadata?.url}"`);
    for (const path of ['/servers/Docs/mcp', '/servers/mcp', '/x', '/servers/docs/mcp/'])
      expect(identity.metadata?.find(`${well}${path}`)).toBeNull();
  });

  it('is one resource for all addresses where it says so', async () => {
    const resource = 'https://gateway.acme.test/';
    const jwt = [{ issuer: 'https://issuer.acme.test' }];
    const identity = await testIdentity({ resource, doors: false, jwt });
    const { headers } = await refused(identity, requestWith({ url: '/servers/docs/mcp' }));
    expect(headers['www-authenticate']).toContain('oauth-protected-resource"');
    expect(identity.metadata?.find('/.well-known/oauth-protected-resource/servers/docs/mcp')).toBeNull();
  });
});

describe('readings in turns', () => {
  it('are shared by all who asked before one began, and by nobody who came later', async () => {
    const readings: PromiseWithResolvers<number>[] = [];
    const read = inTurns(() => {
      readings.push(Promise.withResolvers<number>());
      return readings.at(-1)?.promise ?? Promise.reject(new Error('none'));
    });
    const first = [read(), read()];
    await setImmediate();
    const later = [read(), read(), read()];
    await setImmediate();
    expect(readings).toHaveLength(1);
    readings[0]?.resolve(1);
    expect(await Promise.all(first)).toEqual([1, 1]);
    await setImmediate();
    expect(readings).toHaveLength(2);
    readings[1]?.reject(new Error('not readable'));
    expect((await Promise.allSettled(later)).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    const last = read();
    await setImmediate();
    readings[2]?.resolve(3);
    expect(await last).toBe(3);
  });
});
