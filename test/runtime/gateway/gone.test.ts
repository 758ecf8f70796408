/** Clients that are gone before they are known, or before it is their turn: nothing is kept for them. */
import type { IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClientPort } from '../../../runtime/session/options.ts';
import type { Message } from '../../../runtime/wire/message.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { certify, makeAuthority } from '../../helpers/certificates.ts';
import {
  callsIn,
  type GatewaySetup,
  httpClient,
  post,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { People } from '../../helpers/policy.ts';
import { rawRequest, rawSocket } from '../../helpers/raw-http.ts';
import { codeOf, tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

let gateway: RunningGateway;
afterEach(() => gateway.close());

const caller = { user: 'erin', teams: [], via: 'token', actors: [] } as const;

const isGone = ({ headers }: IncomingMessage): boolean => headers['x-gone'] !== undefined;

/** A gateway that takes as long to know who calls as the client `x-gone` stays. */
async function started(asked: IncomingMessage[] = [], doors?: GatewaySetup['doors']): Promise<string> {
  const identify = async (request: IncomingMessage) => {
    asked.push(request);
    if (isGone(request) && !request.socket.closed)
      await new Promise((resolve) => request.socket.once('close', resolve));
    return { caller, servers: null, principal: 'erin', expires: null };
  };
  const options = { askedMs: 20, identify: identify as never };
  gateway = await startGateway({ options, ...(doors ? { doors } : {}) });
  return `${gateway.url}/servers/weather/mcp`;
}

it('a session whose credential is good no more ends with its server, though nobody asks anything of it', async () => {
  let wrong: LockkeeperError | null = null;
  const assertStands = async (): Promise<void> => {
    if (wrong) throw wrong;
  };
  const identify = async ({ headers }: IncomingMessage) => {
    const other = headers['x-user'] !== undefined;
    return {
      caller,
      servers: null,
      principal: `${other}`,
      expires: null,
      ...(other ? {} : { assertStands }),
    };
  };
  gateway = await startGateway({ options: { askedMs: 20, identify } });
  const url = `${gateway.url}/servers/weather/mcp`;
  const params = { name: 'echo', arguments: { message: 'hi' } };
  const clients = await Promise.all([httpClient(url), httpClient(url, { 'x-user': 'other' })]);
  for (const client of clients) await client.request(1, 'tools/call', params);
  await (await stateless(url, { id: 1, method: 'tools/call', params })).text();
  expect([gateway.sessions, gateway.processes.length]).toEqual([3, 3]);
  const because = (code: 'IDENTITY_UNVERIFIED' | 'TOKEN_INVALID') =>
    new LockkeeperError(code, { expected: 'it', found: 'none', next: 'Get one' });
  // What cannot be told for a moment ends nothing.
  wrong = because('IDENTITY_UNVERIFIED');
  expect((await clients[0]?.request(2, 'tools/call', params))?.[0]?.error).toBeUndefined();
  wrong = because('TOKEN_INVALID');
  await until(() => gateway.sessions === 1);
  await Promise.all([gateway.processes[0]?.exited, gateway.processes[2]?.exited]);
  expect((await clients[1]?.request(2, 'tools/call', params))?.[0]?.error).toBeUndefined();
  expect(gateway.refusals).toEqual(['TOKEN_INVALID', 'TOKEN_INVALID']);
});

describe('a call of a session that waits for people while its credential falls', () => {
  const POLICY = 'anyone: all locked tools\nanyone: ask one person before all locked tools\n';
  const params = { name: 'echo', arguments: { message: 'marked' } };
  const gone = new LockkeeperError('TOKEN_INVALID', { expected: 'it', found: 'none', next: 'Get one' });
  type How = 'stands' | 'expires' | 'is removed' | 'is refused when asked again' | 'is renewed meanwhile';

  it.each<[How, string, string | null]>([
    ['stands', 'servers/weather/mcp', null],
    ['expires', 'servers/weather/mcp', 'TOKEN_EXPIRED'],
    ['expires', 'mcp', 'TOKEN_EXPIRED'],
    ['is removed', 'servers/weather/mcp', 'TOKEN_INVALID'],
    ['is refused when asked again', 'servers/weather/mcp', 'TOKEN_INVALID'],
    ['is renewed meanwhile', 'servers/weather/mcp', null],
  ])('%s, at %s: %s', async (how, path, code) => {
    let fell = false;
    const identify = async ({ headers }: IncomingMessage) => {
      const isNew = headers['x-new'] !== undefined;
      if (fell && how === 'is refused when asked again' && !isNew)
        return { refusal: { status: 401, error: gone, headers: {} } } as const;
      return {
        ...{ caller, servers: null, principal: 'erin' },
        get expires() {
          const ends = how === 'expires' || (how === 'is renewed meanwhile' && !isNew);
          return ends && fell ? 1 : null;
        },
        ...(how === 'is removed'
          ? { assertStands: () => (fell ? Promise.reject(gone) : Promise.resolve()) }
          : {}),
      };
    };
    const people = new People();
    // Only where that is tried is anybody asked again in time.
    const askedMs = how === 'is refused when asked again' ? 20 : 60_000;
    gateway = await startGateway({ policy: POLICY, approvals: people, options: { askedMs, identify } });
    const url = `${gateway.url}/${path}`;
    const client = await httpClient(url);
    const name = path === 'mcp' ? 'weather__echo' : 'echo';
    void client.request(1, 'tools/call', { ...params, name }).catch(() => undefined);
    await until(() => people.asked.length === 1);
    fell = true;
    if (how === 'is refused when asked again') await until(() => gateway.refusals.includes('TOKEN_INVALID'));
    if (how === 'is renewed meanwhile')
      await post(url, { method: 'notifications/marked' }, { ...client.headers, 'x-new': '1' });
    people.decide();
    const kinds = ['request.forwarded', 'call.rejected'];
    const ended = async () => (await gateway.records()).find(({ kind }) => kinds.includes(kind));
    await expect.poll(ended).toBeDefined();
    expect(await ended()).toMatchObject(code === null ? { kind: kinds[0] } : { kind: kinds[1], code });
    if (code === null) return void (await until(() => callsIn(gateway, 'weather').includes('marked')));
    await gateway.replace(new Map());
    expect(callsIn(gateway, 'weather')).not.toContain('marked');
  });
});

describe('a client that goes while it is asked who it is', () => {
  it('holds no stream, and is asked no more', async () => {
    const asked: IncomingMessage[] = [];
    const url = await started(asked);
    const client = await httpClient(url);
    const session = `mcp-session-id: ${client.session}`;
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    for (const method of ['GET', 'POST']) {
      const socket = await rawSocket(url);
      const lines = [session, 'x-gone: 1', 'accept: application/json, text/event-stream'];
      socket.write(rawRequest(url, { method, lines, body: method === 'GET' ? '' : body }));
      await until(() => asked.some((one) => isGone(one) && one.method === method));
      socket.resetAndDestroy();
    }
    const gone = asked.filter(isGone);
    await until(() => gone.every(({ socket }) => socket.closed));
    const headers = { ...client.headers, accept: 'text/event-stream' };
    const stream = await fetch(url, { headers });
    expect(stream.status).toBe(200);
    const listener = asked.at(-1);
    await until(() => asked.filter((one) => one === listener).length > 3);
    expect(gone.map((one) => asked.filter((other) => other === one).length)).toEqual([1, 1]);
    await stream.body?.cancel();
  });

  it('ends its session all the same', async () => {
    const asked: IncomingMessage[] = [];
    const url = await started(asked);
    const client = await httpClient(url);
    const socket = await rawSocket(url);
    const lines = [`mcp-session-id: ${client.session}`, 'x-gone: 1'];
    socket.write(rawRequest(url, { method: 'DELETE', lines }));
    await until(() => asked.some(isGone));
    socket.resetAndDestroy();
    await until(() => gateway.sessions === 0);
    expect(callsIn(gateway, 'weather')).toBe('');
  });
});

describe('a client that never begins to speak TLS', () => {
  it('is let go as soon as one that sends no headers', async () => {
    const authority = makeAuthority(tempDir(), 'authority');
    const { key, cert } = certify(authority, { name: 'gateway', san: 'IP:127.0.0.1', usage: 'serverAuth' });
    const tls = { key: Buffer.from(key), cert: Buffer.from(cert) };
    gateway = await startGateway({ options: { tls }, limits: { headersMs: 300 } });
    const socket = await rawSocket(gateway.url);
    socket.resume();
    await until(() => socket.closed);
    expect(gateway.sessions).toBe(0);
  });
});

describe('a client of the stateless era that goes while the server does not read', () => {
  it('has cancelled what it asked: it is not asked later, and holds no place', async () => {
    const asked: IncomingMessage[] = [];
    const taken: Message[] = [];
    let port: ClientPort | undefined;
    const url = await started(asked, (doors) => {
      const path = '/servers/weather/mcp';
      const door = doors.get(path);
      if (!door) throw new Error('no door');
      const open: typeof door.open = (visit, client) => {
        port = client;
        client.pause();
        const backend = door.open(visit, client);
        return { ...backend, run: () => backend.run(), take: (message) => void taken.push(message) };
      };
      doors.set(path, { ...door, open });
    });
    const abort = new AbortController();
    const listen = { id: 1, method: 'subscriptions/listen', params: { notifications: {} } };
    const over = stateless(url, listen, { 'x-listens': '1' }, abort.signal).catch(() => 'over');
    const listening = await until(() => asked.find(({ headers }) => headers['x-listens'] && port));
    abort.abort();
    expect(await over).toBe('over');
    await until(() => listening.socket.closed);
    port?.resume();
    const next = stateless(url, { id: 2, method: 'tools/list' });
    await until(() => taken.length > 0);
    expect(taken.map((message) => 'method' in message && message.method)).toEqual(['tools/list']);
    await gateway.close();
    await next;
  });
});

describe('a client that cannot be told', () => {
  it('ends its own session, and nothing beside it', async () => {
    const url = await started([], (doors) => {
      const path = '/servers/weather/mcp';
      const door = doors.get(path);
      if (!door) throw new Error('no door');
      const open: typeof door.open = (visit, client) => {
        const send: ClientPort['send'] = (bytes, ...rest) => {
          if (bytes.includes('TOOL_REFUSED')) throw new Error('no way to say it');
          client.send(bytes, ...rest);
        };
        const aside: ClientPort['aside'] = (...said) => client.aside(...said);
        return door.open(visit, { send, aside, pause: () => client.pause(), resume: () => client.resume() });
      };
      doors.set(path, { ...door, open });
    });
    const [client, other] = [await httpClient(url), await httpClient(url)];
    const [refused] = await client.request(1, 'tools/call', { name: 'none' });
    expect(codeOf(refused ?? {})).toBe('NOT_FOUND');
    expect((await client.post({ id: 2, method: 'ping' })).status).toBe(404);
    expect((await other.request(1, 'ping'))[0]?.result).toEqual({});
  });
});
