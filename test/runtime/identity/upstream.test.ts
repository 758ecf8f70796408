/** What servers are shown: secrets from their places, tokens of a real issuer, and never what a caller came with. */

import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../../runtime/gate/caller.ts';
import { keepSubject, renewSubject } from '../../../runtime/identity/identified.ts';
import { openUpstream, type Upstream } from '../../../runtime/identity/upstream.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';
import { accepted, bearer, RESOURCE, testIdentity } from '../../helpers/identity.ts';
import { type OwnKey, ownKey, startIssuer, type TestIssuer } from '../../helpers/issuer.ts';
import { tempDir } from '../../helpers/session.ts';

const API = 'https://api.acme.test/mcp';
const nobody: Caller = { user: 'ci:build', teams: [], via: 'token', actors: [] };

interface TestUpstream extends Upstream {
  readonly troubles: LockkeeperError[];
  later(seconds: number): void;
}

async function upstreamOf(
  config: unknown,
  from: { dir?: string; environment?: object } = {},
): Promise<TestUpstream> {
  let ahead = 0;
  const troubles: LockkeeperError[] = [];
  const upstream = await openUpstream(config, {
    dir: from.dir ?? tempDir(),
    environment: { PATH: process.env.PATH, ...from.environment },
    now: () => new Date(Date.now() + ahead),
    aliases: ['docs', 'code'],
    onTrouble: (error) => void troubles.push(error),
  });
  return { ...upstream, troubles, later: (seconds) => void (ahead += seconds * 1000) };
}

describe('a secret of the gateway', () => {
  it('is read from a file, a variable or a program, and shown in the header that is configured', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'key'), 'from-a-file\n', { mode: 0o600 });
    const header = { kind: 'header', name: 'X-Api-Key' };
    const from = { dir, environment: { DOCS_KEY: 'from-a-variable' } };
    for (const [secret, value] of [
      ['file:key', 'from-a-file'],
      ['env:DOCS_KEY', 'from-a-variable'],
      [{ command: ['/bin/sh', '-c', 'echo from-a-program'] }, 'from-a-program'],
    ]) {
      const upstream = await upstreamOf({ docs: { ...header, secret } }, from);
      expect(await upstream.headersFor('docs', nobody)).toEqual({ 'x-api-key': value });
      expect(await upstream.headersFor('code', nobody)).toEqual({});
    }
    const named = { kind: 'header', name: 'Authorization', prefix: 'Bearer ', secret: 'file:key' };
    const upstream = await upstreamOf({ docs: named }, from);
    expect(await upstream.headersFor('docs', nobody)).toEqual({ authorization: 'Bearer from-a-file' });
  });

  it('that was replaced is read again in a minute, or once the server refused it', async () => {
    const dir = tempDir();
    const write = (text: string): void => writeFileSync(join(dir, 'key'), text, { mode: 0o600 });
    write('one');
    const upstream = await upstreamOf(
      { docs: { kind: 'header', name: 'X-Key', secret: 'file:key' } },
      { dir },
    );
    write('two');
    upstream.forget('docs');
    expect(await upstream.headersFor('docs', nobody)).toEqual({ 'x-key': 'one' });
    upstream.later(6);
    upstream.forget('docs');
    expect(await upstream.headersFor('docs', nobody)).toEqual({ 'x-key': 'two' });
    write('three');
    upstream.later(61);
    expect(await upstream.headersFor('docs', nobody)).toEqual({ 'x-key': 'three' });
    chmodSync(join(dir, 'key'), 0o644);
    upstream.later(61);
    const error = await upstream.headersFor('docs', nobody).catch((thrown: LockkeeperError) => thrown);
    expect(error).toMatchObject({ code: 'UPSTREAM_CREDENTIAL', found: 'SECRET_UNUSABLE' });
    expect(String((error as Error).message)).not.toContain(dir);
    expect(upstream.troubles[0]?.message).toContain('0644');
  });

  it.each([
    ['a file that is not there', 'file:none', 'SECRET_MISSING'],
    ['a folder', 'file:folder', 'SECRET_UNUSABLE'],
    ['an empty file', 'file:empty', 'SECRET_UNUSABLE'],
    ['a file that others may read', 'file:open', 'SECRET_UNUSABLE'],
    ['a file of a megabyte', 'file:huge', 'SECRET_UNUSABLE'],
    ['a secret of two lines', 'file:lines', 'SECRET_UNUSABLE'],
    ['no variable', 'env:NONE', 'SECRET_MISSING'],
    ['a program that is not there', { command: ['/nowhere/secret'] }, 'SECRET_MISSING'],
    ['a program that fails', { command: ['/bin/sh', '-c', 'echo s3cret; exit 1'] }, 'SECRET_MISSING'],
    ['a program that floods', { command: ['/bin/sh', '-c', 'yes'] }, 'SECRET_MISSING'],
    ['its value in the configuration', 's3cret', 'CONFIG_INVALID'],
    ['an empty command', { command: [] }, 'CONFIG_INVALID'],
  ])('in %s refuses to start, and is in no message', async (_name, secret, code) => {
    const dir = tempDir();
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'empty'), '\n', { mode: 0o600 });
    writeFileSync(join(dir, 'open'), 's3cret', { mode: 0o644 });
    writeFileSync(join(dir, 'huge'), 's3cret'.repeat(200_000), { mode: 0o600 });
    writeFileSync(join(dir, 'lines'), 's3cret\r\nX-Evil: 1', { mode: 0o600 });
    const opening = upstreamOf({ docs: { kind: 'header', name: 'X-Key', secret } }, { dir });
    const error = await opening.then(
      () => null,
      (thrown: LockkeeperError) => thrown,
    );
    expect(error?.code).toBe(code);
    if (secret !== 's3cret') expect(error?.message).not.toContain('s3cret\r');
    expect(error?.message).not.toContain('X-Evil');
  });

  it.each([
    ['of a server that is not locked', { evil: { kind: 'header', name: 'X-Key', secret: 'env:PATH' } }],
    ['in a header of the protocol', { docs: { kind: 'header', name: 'Mcp-Session-Id', secret: 'env:PATH' } }],
    ['in a header of the connection', { docs: { kind: 'header', name: 'host', secret: 'env:PATH' } }],
    ['with an unknown key', { docs: { kind: 'header', name: 'X-Key', secret: 'env:PATH', also: 1 } }],
    ['of an unknown kind', { docs: { kind: 'passthrough' } }],
  ])('%s is no configuration', async (_name, config) => {
    await expect(upstreamOf(config)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('a token of a real issuer', () => {
  let issuer: TestIssuer;
  let key: OwnKey;
  beforeAll(async () => {
    key = await ownKey('gateway-1');
    issuer = await startIssuer({ clientKey: key.jwk });
  });
  afterAll(() => issuer.close());
  const environment = { GATEWAY_SECRET: 'gw secret/+:' };
  const asked = (): number => issuer.asked.filter((path) => path === '/token').length;
  const claimsOf = async (upstream: Upstream, caller: Caller) => {
    const { authorization = '' } = await upstream.headersFor('docs', caller);
    return decodeJwt(authorization.replace(/^Bearer /, ''));
  };
  const own = () => ({
    kind: 'client-credentials',
    tokenUrl: `${issuer.url}/token`,
    clientId: 'gateway',
    auth: { method: 'basic', secret: 'env:GATEWAY_SECRET' },
    resource: API,
    scope: 'mcp',
  });
  const exchange = () => ({
    kind: 'token-exchange',
    tokenUrl: `${issuer.url}/token`,
    clientId: 'gateway',
    auth: { method: 'basic', secret: 'env:GATEWAY_SECRET' },
    audience: API,
    issuer: issuer.url,
  });

  it('for the gateway itself is asked for once, and again shortly before it ends', async () => {
    const upstream = await upstreamOf({ docs: own() }, { environment });
    const before = asked();
    const all = await Promise.all([1, 2, 3].map(() => claimsOf(upstream, nobody)));
    expect(all[0]).toMatchObject({ iss: issuer.url, aud: API, sub: 'gateway', scope: 'mcp' });
    expect(asked() - before).toBe(1);
    upstream.later(269);
    await claimsOf(upstream, nobody);
    expect(asked() - before).toBe(1);
    upstream.later(2);
    await claimsOf(upstream, nobody);
    expect(asked() - before).toBe(2);
    upstream.later(6);
    upstream.forget('docs');
    await claimsOf(upstream, nobody);
    expect(asked() - before).toBe(3);
  });

  it('is got with a signed assertion as well', async () => {
    const dir = tempDir();
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(join(dir, 'key.pem'), pem, { mode: 0o600 });
    const auth = {
      method: 'private_key_jwt',
      key: 'file:key.pem',
      algorithm: 'ES256',
      kid: 'gateway-1',
      audience: issuer.url,
    };
    const upstream = await upstreamOf({ docs: { ...own(), clientId: 'signer', auth } }, { dir });
    expect(await claimsOf(upstream, nobody)).toMatchObject({ aud: API, sub: 'signer' });
    writeFileSync(join(dir, 'key.pem'), 'no key', { mode: 0o600 });
    await expect(upstreamOf({ docs: { ...own(), auth } }, { dir })).rejects.toMatchObject({
      code: 'SECRET_UNUSABLE',
    });
  });

  it('for a caller is exchanged for theirs, and goes to nobody else', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: issuer.url }] });
    issuer.claims = { email: 'ada@acme.test' };
    const ada = await issuer.token(RESOURCE);
    issuer.claims = { email: 'bob@acme.test' };
    const bob = await issuer.token(RESOURCE);
    issuer.claims = {};
    const [one, two] = [await accepted(identity, bearer(ada)), await accepted(identity, bearer(bob))];
    const upstream = await upstreamOf({ docs: exchange() }, { environment });
    const before = asked();
    const claims = await Promise.all([one, one, two].map(({ caller }) => claimsOf(upstream, caller)));
    expect(claims.map(({ email }) => email)).toEqual(['ada@acme.test', 'ada@acme.test', 'bob@acme.test']);
    expect(claims[0]).toMatchObject({ aud: API, act: { sub: 'gateway' } });
    expect(asked() - before).toBe(2);
    const { authorization } = await upstream.headersFor('docs', one.caller);
    expect([ada, bob].map((token) => authorization?.includes(token))).toEqual([false, false]);
  });

  it('is exchanged anew for a session whose client came with a new token', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: issuer.url }] });
    const began = await accepted(identity, bearer(await issuer.token(RESOURCE)));
    const upstream = await upstreamOf({ docs: exchange() }, { environment });
    await upstream.headersFor('docs', began.caller);
    upstream.later(400);
    await expect(upstream.headersFor('docs', began.caller)).rejects.toThrow(/has ended/);
    const later = Date.now() + 600_000;
    const shown: Caller = { ...began.caller };
    keepSubject(shown, { token: await issuer.token(RESOURCE), issuer: issuer.url, expires: later });
    renewSubject(began.caller, shown);
    expect(await claimsOf(upstream, began.caller)).toMatchObject({ aud: API });
    // Of who came without one, nothing is taken over.
    renewSubject(began.caller, nobody);
    expect(await claimsOf(upstream, began.caller)).toMatchObject({ aud: API });
  });

  it('for a caller without a token of that issuer is not had, and nothing is asked', async () => {
    const upstream = await upstreamOf(
      { docs: { ...exchange(), issuer: 'https://other.acme.test' } },
      { environment },
    );
    const caller: Caller = { user: 'ada', teams: [], via: 'jwt', actors: [] };
    keepSubject(caller, { token: 'A', issuer: issuer.url, expires: Date.now() + 60_000 });
    const before = asked();
    for (const who of [nobody, caller, { ...caller }])
      await expect(upstream.headersFor('docs', who)).rejects.toMatchObject({ code: 'UPSTREAM_CREDENTIAL' });
    const ended: Caller = { ...caller };
    keepSubject(ended, { token: 'A', issuer: 'https://other.acme.test', expires: Date.now() - 1 });
    await expect(upstream.headersFor('docs', ended)).rejects.toThrow(/has ended/);
    expect(asked()).toBe(before);
  });

  it('is not had with a wrong secret; the endpoint’s own word is told, and no secret', async () => {
    const upstream = await upstreamOf({ docs: own() }, { environment: { GATEWAY_SECRET: 'wrong-one' } });
    const error = await upstream.headersFor('docs', nobody).catch((thrown: LockkeeperError) => thrown);
    expect(error).toMatchObject({ code: 'UPSTREAM_CREDENTIAL', found: '"status 401, invalid_client"' });
    expect((error as Error).stack).not.toContain('wrong-one');
  });
});

describe('a hostile token endpoint', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  const seen: string[] = [];
  async function endpoint(answer: RequestListener): Promise<string> {
    const server = createServer((request, response) => {
      seen.push(request.url ?? '');
      answer(request, response);
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  }
  const says =
    (value: unknown, status = 200): RequestListener =>
    (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof value === 'string' ? value : JSON.stringify(value));
    };
  const fine = { access_token: 'T', token_type: 'Bearer', expires_in: 60 };
  const callerOf = (token: string): Caller => {
    const caller: Caller = { user: 'ada', teams: [], via: 'jwt', actors: [] };
    keepSubject(caller, { token, issuer: 'https://issuer.acme.test', expires: Date.now() + 60_000 });
    return caller;
  };
  const open = (tokenUrl: string) =>
    upstreamOf(
      {
        docs: {
          kind: 'token-exchange',
          tokenUrl,
          clientId: 'gateway',
          auth: { method: 'post', secret: 'env:KEY' },
          issuer: 'https://issuer.acme.test',
        },
      },
      { environment: { KEY: 'k' } },
    );

  it('gets what the platform says now, and nothing that is no token of it', async () => {
    const forms: string[] = [];
    const tokenUrl = await endpoint((request, response) => {
      request.on('data', (part: Buffer) => void forms.push(part.toString()));
      request.on('end', () => says(fine)(request, response));
    });
    const dir = tempDir();
    const platform = (text: string): void => writeFileSync(join(dir, 'token'), text, { mode: 0o600 });
    const docs = {
      ...{ kind: 'jwt-bearer', tokenUrl, clientId: 'gateway' },
      ...{ auth: { method: 'none' }, assertion: 'file:token' },
    };
    platform('a.b.c');
    const upstream = await upstreamOf({ docs }, { dir });
    platform('d.e.f');
    expect(await upstream.headersFor('docs', callerOf('S'))).toEqual({ authorization: 'Bearer T' });
    const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
    expect(forms.map((form) => Object.fromEntries(new URLSearchParams(form)))).toEqual([
      { grant_type, assertion: 'd.e.f', client_id: 'gateway' },
    ]);
    platform('no token');
    await expect(upstreamOf({ docs }, { dir })).rejects.toMatchObject({ code: 'SECRET_UNUSABLE' });
  });

  it('is held to the form of its answer, which without a change is taken', async () => {
    const upstream = await open(await endpoint(says(fine)));
    expect(await upstream.headersFor('docs', callerOf('S'))).toEqual({ authorization: 'Bearer T' });
  });

  it.each([
    ['gives back the caller’s own token', says({ ...fine, access_token: 'S' }), /own token/],
    ['gives a token with a line break', says({ ...fine, access_token: 'T\r\nX-Evil: 1' }), /without a token/],
    [
      'gives a token of 1 MiB',
      says({ ...fine, access_token: 'T'.repeat(1 << 20) }),
      /more than 524288 bytes/,
    ],
    ['gives no token', says({ token_type: 'Bearer' }), /without a token/],
    ['gives a list', says([fine]), /without a token/],
    [
      'gives one key twice',
      says('{"access_token":"T","access_token":"U","token_type":"Bearer"}'),
      /without a token/,
    ],
    ['gives another kind', says({ ...fine, token_type: 'DPoP' }), /another kind/],
    [
      'gives a refresh token',
      says({ ...fine, issued_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }),
      /another kind/,
    ],
    ['gives one without a life', says({ ...fine, expires_in: 0 }), /without a life/],
    [
      'says what it was sent',
      says({ error: 'invalid_grant', error_description: 'S k' }, 400),
      /status 400, invalid_grant"/,
    ],
    ['says it in its code', says({ error: 'SECRET k' }, 400), /status 400"/],
    [
      'sends elsewhere',
      (_q, response) => void response.writeHead(307, { location: '/elsewhere' }).end(),
      /status 307/,
    ],
    ['never ends', (_q, response) => void response.write('{'), /within 5 s/],
    ['hangs up', (request) => void request.socket.destroy(), /ECONNRESET|socket hang up/],
  ] as readonly (readonly [string, RequestListener, RegExp])[])(
    'that %s is not believed',
    async (_name, answer, words) => {
      seen.length = 0;
      const upstream = await open(await endpoint(answer));
      const caller = callerOf('S');
      await expect(upstream.headersFor('docs', caller)).rejects.toThrow(words);
      await expect(upstream.headersFor('docs', caller)).rejects.toMatchObject({
        code: 'UPSTREAM_CREDENTIAL',
      });
      // Once: a failure is not tried again at once, and nobody is sent elsewhere.
      expect(seen).toEqual(['/token']);
    },
  );
});
