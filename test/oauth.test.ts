/** Real clients of both SDKs find a real issuer through the gateway's refusal, sign a person in, and call. */

import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as v2 from '@modelcontextprotocol/client';
import { UnauthorizedError as V1Unauthorized } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as V1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { plainPages } from '../runtime/gateway/plain.ts';
import type { Identity } from '../runtime/identity/identity.ts';
import type { RunningServer } from '../runtime/ports.ts';
import type { JwtIssuer } from '../schemas/identity.ts';
import type { Surface } from '../schemas/surface.ts';
import { FIXTURE } from './conformance/hops.ts';
import { certify, makeAuthority } from './helpers/certificates.ts';
import { type RunningGateway, startGateway } from './helpers/gateway.ts';
import { testIdentity } from './helpers/identity.ts';
import { startIssuer, type TestIssuer } from './helpers/issuer.ts';
import { DESK, type Desk, deskOf } from './helpers/people.ts';
import { captureOf, plainProcess, tempDir } from './helpers/session.ts';

const REDIRECT = 'http://127.0.0.1:7/back';
const CALL = { name: 'test_simple_text', arguments: {} };
const START_MS = 30_000;

let issuer: TestIssuer;
let documents: { url: string; close(): Promise<void> };
beforeAll(async () => {
  const authority = makeAuthority(tempDir(), 'authority');
  documents = await serveDocument(
    certify(authority, { name: 'localhost', san: 'DNS:localhost', usage: 'serverAuth' }),
  );
  issuer = await startIssuer({ people: { redirect: REDIRECT, ca: authority.cert } });
});
afterAll(async () => {
  await issuer.close();
  await documents.close();
});

/** What a client says of itself at its own address. */
async function serveDocument(tls: { key: string; cert: string }): Promise<typeof documents> {
  const server = createServer(tls, (_request, response) => {
    const document = {
      client_id: url,
      client_name: 'a desk',
      application_type: 'native',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}/desk.json`;
  return {
    url,
    close: async () => {
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
}

interface World {
  readonly gateway: RunningGateway;
  readonly at: string;
  /** From now on it lets in whom this says. */
  requires(config: Partial<JwtIssuer>): Promise<void>;
}

let surface: Surface;
const startFixture = (): Promise<RunningServer> => plainProcess([FIXTURE, 'stdio']);
beforeAll(async () => {
  const shown = await captureOf(await startFixture(), START_MS);
  surface = { ...shown, capture: { ...shown.capture, eras: ['session', 'stateless'] } };
}, START_MS);

/** A gateway that lets in whom the issuer names; `path` is added to its address as the resource. */
async function world(path = '/', door = '/servers/weather/mcp', doors = true): Promise<World> {
  let identity: Identity | undefined;
  const known = (): Identity => {
    if (!identity) throw new Error('asked before it knew anybody');
    return identity;
  };
  const gateway = await startGateway({
    captured: surface,
    handshakeMs: START_MS,
    policy: 'everyone: everything locked\n',
    start: startFixture,
    options: {
      identify: (request) => known().identify(request),
      plain: (at, from) =>
        plainPages({
          metadata: known().metadata,
          health: { live: () => ({ ok: true }), ready: () => ({ ok: true, reasons: [] }) },
          metrics: { text: () => '' },
          metricsFor: 'this machine',
        })(at, from),
    },
  });
  const requires = async (config: Partial<JwtIssuer>): Promise<void> => {
    const jwt = [{ issuer: issuer.url, skewSeconds: 0, scopes: ['mcp'], ...config }];
    identity = await testIdentity({ resource: `${gateway.url}${path}`, doors, jwt });
  };
  await requires({});
  open.push(gateway);
  return { gateway, at: `${gateway.url}${door}`, requires };
}

const open: RunningGateway[] = [];
afterEach(async () => {
  issuer.life = 300;
  for (const gateway of open.splice(0)) await gateway.close();
});

interface Connected {
  list(): Promise<string[]>;
  call(): Promise<unknown>;
  /** Takes the code that the person brought back. */
  finish(): Promise<void>;
  readonly session: string | undefined;
  close(): Promise<void>;
}

type Sdk = 'v1' | 'v2' | 'v2-auto';
const SDKS: readonly Sdk[] = ['v1', 'v2', 'v2-auto'];

/** Connects as a program does: what it may not yet, it signs its person in for, and then connects again. */
async function connect(sdk: Sdk, at: string, desk: Desk): Promise<Connected> {
  const open = sdk === 'v1' ? openV1 : (url: URL, provider: Desk) => openV2(url, provider, sdk);
  const first = open(new URL(at), desk);
  try {
    await first.connect();
    return first;
  } catch (error) {
    if (!(error instanceof V1Unauthorized || error instanceof v2.UnauthorizedError)) throw error;
    await first.finish();
    const second = open(new URL(at), desk);
    await second.connect();
    return second;
  }
}

type Opened = Connected & { connect(): Promise<void> };

function openV1(url: URL, desk: Desk): Opened {
  const client = new V1Client({ name: 'desk-v1', version: '1.0.0' });
  const transport = new V1Http(url, { authProvider: desk as never });
  return {
    connect: () => client.connect(transport as Transport),
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: () => client.callTool(CALL),
    finish: () => transport.finishAuth(desk.back()?.searchParams.get('code') ?? ''),
    get session() {
      return transport.sessionId;
    },
    close: () => client.close(),
  };
}

function openV2(url: URL, desk: Desk, sdk: Sdk): Opened {
  const options = sdk === 'v2-auto' ? { versionNegotiation: { mode: 'auto' as const } } : {};
  const client = new v2.Client({ name: `desk-${sdk}`, version: '1.0.0' }, options);
  const transport = new v2.StreamableHTTPClientTransport(url, { authProvider: desk });
  return {
    connect: () => client.connect(transport),
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: () => client.callTool(CALL),
    finish: () => transport.finishAuth(desk.back()?.searchParams ?? new URLSearchParams()),
    get session() {
      return transport.sessionId;
    },
    close: () => client.close(),
  };
}

const ANSWERED = { content: [{ type: 'text', text: 'This is a simple text response for testing.' }] };

/** Who made which calls, as the journal has it. */
async function callsIn(gateway: RunningGateway): Promise<string[]> {
  const made = (await gateway.records()).filter(
    ({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call',
  );
  return made.map(({ user, target }) => `${user} ${target}`);
}

const atDesk = () => ({ client: { client_id: DESK, issuer: issuer.url } });
const desk = (how: Partial<Parameters<typeof deskOf>[1]> = atDesk()): Desk =>
  deskOf('ada', { redirect: REDIRECT, ...how });
const param = (url: URL | undefined, name: string) => url?.searchParams.get(name);

describe.each(SDKS)('a client with SDK %s', (sdk) => {
  it.each([
    ['that the issuer knows', atDesk],
    ['that registers itself', () => ({})],
    ['with a document of its own', () => ({ document: documents.url })],
  ] as const)('%s signs its person in and calls', async (_how, how) => {
    const { gateway, at } = await world();
    const own = desk(how());
    const connected = await connect(sdk, at, own);
    expect(await connected.list()).toContain(CALL.name);
    expect(await connected.call()).toMatchObject(ANSWERED);
    await connected.close();
    expect(own.asked).toHaveLength(1);
    expect(param(own.asked[0], 'resource')).toBe(at);
    expect(param(own.asked[0], 'scope')).toBe('mcp');
    expect(param(own.asked[0], 'code_challenge_method')).toBe('S256');
    expect(await callsIn(gateway)).toEqual([`ada ${CALL.name}`]);
    expect(gateway.refusals[0]).toBe('UNAUTHENTICATED');
  });

  it('goes on where it was when its token has ended and was renewed', async () => {
    const { gateway, at } = await world();
    issuer.life = 2;
    const own = desk();
    const connected = await connect(sdk, at, own);
    await connected.call();
    const before = { session: connected.session, token: own.kept.tokens?.access_token };
    await new Promise((resolve) => setTimeout(resolve, 3000));
    issuer.life = 300;
    expect(await connected.call()).toMatchObject(ANSWERED);
    expect(gateway.refusals).toContain('TOKEN_EXPIRED');
    expect(own.kept.tokens?.access_token).not.toBe(before.token);
    expect(connected.session).toBe(before.session);
    expect(own.asked).toHaveLength(1);
    await connected.close();
    expect(await callsIn(gateway)).toEqual([`ada ${CALL.name}`, `ada ${CALL.name}`]);
    expect(new Set((await gateway.records()).flatMap(({ session }) => session ?? [])).size).toBe(1);
  });

  it('asks its person again when it needs a scope that its token has not', async () => {
    const { gateway, at, requires } = await world();
    const own = desk();
    await (await connect(sdk, at, own)).close();
    // With a token to renew, SDK v1 renews it and asks for nothing wider.
    if (sdk === 'v1' && own.kept.tokens) delete own.kept.tokens.refresh_token;
    await requires({ scopes: ['mcp', 'mcp:write'] });
    const connected = await connect(sdk, at, own);
    await connected.call();
    await connected.close();
    expect(gateway.refusals.filter((code) => code !== 'UNAUTHENTICATED')).toEqual(['SCOPE_MISSING']);
    expect(own.asked.map((url) => param(url, 'scope'))).toEqual(['mcp', 'mcp mcp:write']);
    expect(await callsIn(gateway)).toEqual([`ada ${CALL.name}`]);
  });

  it('with a token for another resource is refused, and gets one for this one', async () => {
    const { gateway, at } = await world();
    const own = desk();
    const token = await issuer.token('https://other.acme.test/mcp');
    own.kept.tokens = { access_token: token, token_type: 'Bearer', issuer: issuer.url };
    const connected = await connect(sdk, at, own);
    await connected.call();
    await connected.close();
    expect(gateway.refusals).toContain('TOKEN_INVALID');
    expect(own.asked).toHaveLength(1);
    expect(await callsIn(gateway)).toEqual([`ada ${CALL.name}`]);
  });

  it.each([
    ['/', '/mcp', true],
    ['/', '/mcp', false],
    ['/servers/', '/servers/weather/mcp', true],
    ['/servers/', '/servers/weather/mcp', false],
    ['/servers/weather/mcp', '/servers/weather/mcp', false],
    ['/mcp', '/servers/weather/mcp', true],
  ])('finds the issuer of the resource %s at %s; each address is one: %s', async (path, door, doors) => {
    const { gateway, at } = await world(path, door, doors);
    const own = desk();
    await (await connect(sdk, at, own)).close();
    expect(own.asked.map((url) => param(url, 'resource'))).toEqual([doors ? at : `${gateway.url}${path}`]);
  });

  it('does not go to an issuer for a resource that its address does not begin with', async () => {
    const { gateway, at } = await world('/mcp', '/servers/weather/mcp', false);
    const own = desk();
    await expect(connect(sdk, at, own)).rejects.toThrow('does not match expected');
    expect(own.asked).toEqual([]);
    expect(await callsIn(gateway)).toEqual([]);
  });
});
