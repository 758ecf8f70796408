/** Where parts of the gateway meet: a door replaced while it is used, what servers say amid each other, who stops counting. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Identified } from '../../../runtime/identity/identified.ts';
import { Breakers } from '../../../runtime/lifecycle/breakers.ts';
import type { RunningServer } from '../../../runtime/ports.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { inBothEras, textOf } from '../../helpers/eras.ts';
import {
  callsIn,
  eventsIn,
  type GatewaySetup,
  type HttpClient,
  httpClient,
  messagesOf,
  post,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { rawRequest, rawSocket } from '../../helpers/raw-http.ts';
import { codeOf, INITIALIZE, plainProcess, SCRIPTED } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const BOTH = {
  servers: { weather: 'good', docs: 'good' },
  surface: inBothEras,
} satisfies GatewaySetup;

let gateway: RunningGateway;
afterEach(() => gateway?.close());
const start = async (setup: GatewaySetup = BOTH): Promise<RunningGateway> => {
  gateway = await startGateway(setup);
  return gateway;
};

const act = (what: string, alias?: string): JsonObject => ({
  name: alias === undefined ? 'act' : `${alias}__act`,
  arguments: { what },
});

const STATELESS = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Takes its time to stop. */
async function slowToStop(how: string, log: string): Promise<RunningServer> {
  const child = await plainProcess([SCRIPTED, how, log]);
  return Object.assign(Object.create(child) as RunningServer, {
    stop: async (graceMs: number) => {
      await sleep(300);
      return child.stop(graceMs);
    },
  });
}

describe('a lock that changes', () => {
  const SLOW = { ...BOTH, start: (_alias, log) => slowToStop('good', log) } satisfies GatewaySetup;
  /** Other doors that lead to the same. */
  const others = (): RunningGateway['doors'] =>
    new Map([...gateway.doors].map(([path, door]) => [path, { ...door }]));

  it('starts nothing under the old one any more, for a session that still ends', async () => {
    await start(SLOW);
    const url = `${gateway.url}/mcp`;
    const client = await httpClient(url);
    await client.request(1, 'tools/call', act('x', 'weather'));
    const replaced = gateway.replace(others());
    const late = Array.from({ length: 20 }, async (_, n) => {
      await sleep(n * 20);
      return client.post({ id: `late-${n}`, method: 'tools/call', params: act('late', 'docs') });
    });
    await replaced;
    const answers = await Promise.all((await Promise.all(late)).map((one) => one.json()));
    expect(new Set(answers.map((one) => codeOf(one as JsonObject)))).toEqual(new Set(['NOT_FOUND']));
    expect(existsSync(gateway.log('docs'))).toBe(false);
    expect(gateway.processes.length).toBe(1);
  });

  it('is followed at once by who has no session', async () => {
    await start(SLOW);
    const url = `${gateway.url}/servers/weather/mcp`;
    const call = async (id: number): Promise<unknown> =>
      textOf((await messagesOf(await stateless(url, { id, method: 'tools/call', params: act('x') })))[0]);
    expect(await call(1)).toBe('did x');
    const replaced = gateway.replace(others());
    expect(await call(2)).toBe('did x');
    await replaced;
    expect(gateway.processes.length).toBe(2);
  });

  const INIT = { method: 'initialize', params: { ...INITIALIZE, protocolVersion: '2025-11-25' } };
  const CALL = { method: 'tools/call', params: { ...act('x'), _meta: STATELESS } };
  it.each<[string, JsonObject, string[]]>([
    ['a session', INIT, []],
    ['a call', CALL, ['mcp-protocol-version: 2026-07-28', 'mcp-method: tools/call', 'mcp-name: act']],
  ])('counts for who had asked for half of %s before it', async (_what, message, lines) => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const caller = { user: 'erin', teams: [], via: 'token', actors: [] } as const;
    const identify = async (): Promise<Identified> => {
      setImmediate(resolve);
      return { caller, servers: null, principal: 'erin', expires: null };
    };
    await start({ ...BOTH, options: { identify } });
    const path = '/servers/weather/mcp';
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message });
    const request = rawRequest(`${gateway.url}${path}`, { body, lines });
    const socket = await rawSocket(gateway.url);
    socket.write(request.subarray(0, -5));
    await asked;
    await gateway.replace(new Map([...gateway.doors].filter(([each]) => each !== path)));
    socket.write(request.subarray(-5));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 404 /);
    expect([gateway.sessions, gateway.processes.length, callsIn(gateway, 'weather')]).toEqual([0, 0, '']);
    socket.destroy();
  });
});

describe('what servers say beside each other', () => {
  const asking = (): Promise<HttpClient> => httpClient(`${gateway.url}/mcp`, {}, { sampling: {} });

  it('a question that is taken back is its own server’s, by the id that the client knows', async () => {
    await start();
    const client = await asking();
    const docs = client.request(1, 'tools/call', act('withdraw', 'docs'));
    await until(() => callsIn(gateway, 'docs').includes('withdraw'));
    const [asked, ...said] = await client.request(2, 'tools/call', act('withdraw', 'weather'));
    await docs;
    const ids = (await docs).concat(said).filter(({ method }) => method === 'notifications/cancelled');
    expect(asked?.method).toBe('sampling/createMessage');
    expect(ids.map(({ params }) => (params as JsonObject).requestId)).toEqual(
      [(await docs)[0], asked].map((one) => one?.id),
    );
    const kinds = (await gateway.records()).filter(({ kind }) => kind === 'response.refused');
    expect(kinds.map(({ message }) => message)).toEqual(
      Array(2).fill('a question taken back that the server has not asked'),
    );
  });

  it('progress of a question is told to who asked it alone, by the token it gave', async () => {
    await start();
    const client = await asking();
    await client.request(1, 'tools/call', { name: 'docs__echo', arguments: { message: 'hi' } });
    const response = await client.post({ id: 2, method: 'tools/call', params: act('withdraw', 'weather') });
    const reader = response.body?.getReader();
    const said: Uint8Array[] = [];
    const asked = await until(async () => {
      said.push((await reader?.read())?.value ?? new Uint8Array());
      const text = Buffer.concat(said).toString();
      const whole = eventsIn(text.slice(0, text.lastIndexOf('\n\n') + 1));
      return whole.find(({ method }) => method === 'sampling/createMessage');
    });
    const token = (asked.params as { _meta?: { progressToken: number } } | undefined)?._meta?.progressToken;
    const progress = (progressToken: number | string | undefined): Promise<Response> =>
      client.post({
        method: 'notifications/progress',
        params: { progressToken: progressToken ?? 'none', progress: 1 },
      });
    await progress(token);
    await progress(4711);
    await progress('7');
    await reader?.cancel();
    await gateway.records();
    await until(() => callsIn(gateway, 'weather').includes('notifications/progress'));
    const told = (alias: string): string => callsIn(gateway, alias);
    expect(told('weather').match(/notifications\/progress/g)?.length).toBe(1);
    expect(told('weather')).toContain('"progressToken":7');
    expect(told('docs')).not.toContain('notifications/progress');
  });

  it('progress of a token that the client never gave is told to nobody', async () => {
    await start();
    const client = await httpClient(`${gateway.url}/servers/weather/mcp`);
    expect(await client.request(1, 'tools/call', act('stray'))).toHaveLength(1);
    const said = (await gateway.records()).map(({ message }) => message);
    expect(said).toContain('progress of nothing that the client asked');
  });

  it('its last words go to the journal and to no client, nor to the next one whom it keeps waiting', async () => {
    // A clock that stands: what rests, rests however long this takes.
    await start({ ...BOTH, door: { breakers: new Breakers({ now: () => 0 }) } });
    const url = `${gateway.url}/servers/weather/mcp`;
    const answers: string[] = [];
    for (const user of ['ada', 'bob', 'cleo']) {
      const client = await httpClient(url, { 'x-user': user });
      answers.push(JSON.stringify(await client.request(1, 'tools/call', act('last words'))));
    }
    const other = await httpClient(url, { 'x-user': 'mallory' });
    answers.push(JSON.stringify(await other.request(1, 'tools/call', act('x'))));
    expect(answers.at(-1)).toContain('SERVER_RESTING');
    expect(answers.filter((one) => one.includes('lastwords'))).toEqual([]);
    const died = (await gateway.records()).filter(({ message }) => message?.includes('last saying'));
    expect(died.length).toBeGreaterThan(0);
  });
});

describe('the stateless era', () => {
  it('knows no initialize: a caller’s other clients go on', async () => {
    await start();
    for (const path of ['/servers/weather/mcp', '/mcp']) {
      const url = `${gateway.url}${path}`;
      const refused = await stateless(url, { id: 1, method: 'initialize', params: INITIALIZE });
      expect([refused.status, ((await refused.json()) as { error: { code: number } }).error.code]).toEqual([
        404, -32601,
      ]);
      const listed = await messagesOf(await stateless(url, { id: 1, method: 'tools/list' }));
      expect(listed[0]?.result).toMatchObject({ resultType: 'complete' });
    }
  });
});

const EXPIRED = new LockkeeperError('TOKEN_EXPIRED', {
  expected: 'a token that has not ended',
  found: 'one that has',
  next: 'Get another one',
});

describe('a credential that ends', () => {
  it('is heard no more by the stream that it began, and its call is over at the server', async () => {
    let holds = true;
    const refusal = { status: 401, headers: {}, error: EXPIRED };
    await start({
      ...BOTH,
      options: {
        askedMs: 30,
        identify: async ({ headers }) => {
          const user = String(headers['x-user'] ?? 'erin');
          if (!holds && user === 'erin') return { refusal };
          const caller = { user, teams: [], via: 'token', actors: [] } as const;
          return { caller, servers: null, principal: user, expires: null };
        },
      },
    });
    const url = `${gateway.url}/servers/weather/mcp`;
    const [erin, ada] = [await httpClient(url), await httpClient(url, { 'x-user': 'ada' })];
    const listen = (client: HttpClient): Promise<Response> =>
      fetch(url, { headers: { ...client.headers, accept: 'text/event-stream' } });
    const [hers, adas] = await Promise.all([listen(erin), listen(ada)]);
    const call = stateless(url, { id: 1, method: 'tools/call', params: act('never') }).catch(() => null);
    await until(() => callsIn(gateway, 'weather').includes('never'));
    holds = false;
    await expect(hers.text()).rejects.toThrow();
    expect(await call).toBeNull();
    expect((await post(url, { method: 'notifications/initialized' }, erin.headers)).status).toBe(401);
    expect(gateway.refusals).toContain('TOKEN_EXPIRED');
    await until(() => callsIn(gateway, 'weather').includes('cancelled'));
    const [said] = await ada.request(2, 'tools/call', act('say hi'));
    expect(said?.error ?? null).toBeNull();
    await adas.body?.cancel();
  });
});
