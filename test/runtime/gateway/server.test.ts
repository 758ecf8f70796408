/** The gateway over HTTP: sessions, the stateless era, and who is turned away at the door. */
import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Trace } from '../../../runtime/gateway/ports.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import {
  callsIn,
  eventsIn,
  type GatewaySetup,
  httpClient,
  JSON_HEADERS,
  messagesOf,
  post,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { codeOf, INITIALIZE } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

async function started(setup: GatewaySetup = {}): Promise<{ gateway: RunningGateway; url: string }> {
  gateway = await startGateway(setup);
  return { gateway, url: `${gateway.url}/servers/weather/mcp` };
}

/** In letters of one byte, of two, of three and of four. */
const SAID = 'hé, 水 🌍';
const CALL = { name: 'echo', arguments: { message: SAID } };
const HI = { content: [{ type: 'text', text: SAID }] };

describe('a session over HTTP', () => {
  it('is greeted from the lock, starts its server for a call alone, and answers JSON', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const [list] = await client.request(1, 'tools/list');
    expect(JSON.stringify(list)).toContain('"name":"echo"');
    expect(gateway.processes.length).toBe(0);
    const response = await client.post({ id: 2, method: 'tools/call', params: CALL });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({ jsonrpc: '2.0', id: 2, result: HI });
    expect(gateway.processes.length).toBe(1);
    const records = await gateway.records();
    expect(
      records.filter(({ kind }) => kind === 'request.forwarded').map(({ user, target }) => [user, target]),
    ).toEqual([['erin', 'echo']]);
  });

  it('tells the headers of a request just before its message is judged', async () => {
    const told: unknown[] = [];
    const trace: Trace = (headers) => void told.push(headers.traceparent);
    const { url } = await started({ options: { trace } });
    const client = await httpClient(url);
    const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await (
      await post(url, { id: 1, method: 'tools/list' }, { ...client.headers, traceparent: parent })
    ).text();
    expect(told).toEqual([undefined, parent]);
  });

  it('answers with events where something comes before the answer', async () => {
    const { url } = await started();
    const client = await httpClient(url);
    const params = { name: 'act', arguments: { what: 'progress' }, _meta: { progressToken: 't' } };
    const response = await client.post({ id: 3, method: 'tools/call', params });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    expect(text).toMatch(/^id: 1-0\nretry: 1000\ndata: \n\nid: 1-1\n/);
    expect(eventsIn(text).map(({ method, id }) => method ?? id)).toEqual(['notifications/progress', 3]);
  });

  it('carries what the server asks on the stream of the call, and its answer back', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url, {}, { sampling: {} });
    const params = { name: 'act', arguments: { what: 'ask' } };
    const response = await client.post({ id: 4, method: 'tools/call', params });
    const reader = response.body?.getReader();
    let text = '';
    const read = async (): Promise<boolean> => {
      const { value, done } = (await reader?.read()) ?? { done: true };
      text += Buffer.from(value ?? new Uint8Array()).toString();
      return !done;
    };
    while (!text.includes('sampling/createMessage') && (await read()));
    const back = await client.post({ id: 'srv-3', result: { role: 'assistant', model: 'm' } });
    expect(back.status).toBe(202);
    while (await read());
    expect(eventsIn(text).at(-1)).toMatchObject({ id: 4, result: { content: [{ text: 'asked m' }] } });
    const records = await gateway.records();
    expect(
      records.some(
        ({ kind, method, direction }) =>
          kind === 'request.forwarded' && method === 'sampling/createMessage' && direction === 'to-client',
      ),
    ).toBe(true);
  });

  it('has one stream for what belongs to no request', async () => {
    const { url } = await started();
    const client = await httpClient(url);
    const headers = { ...client.headers, accept: 'text/event-stream' };
    const listening = await fetch(url, { headers });
    expect(listening.status).toBe(200);
    expect((await fetch(url, { headers })).status).toBe(409);
    const reader = listening.body?.getReader();
    await client.request(5, 'tools/call', { name: 'act', arguments: { what: 'change' } });
    let text = '';
    while (!text.includes('list_changed'))
      text += Buffer.from((await reader?.read())?.value ?? new Uint8Array()).toString();
    await reader?.cancel();
  });

  it('gives what was missed to a client that comes back', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const abort = new AbortController();
    const params = { name: 'act', arguments: { what: 'wait 400' }, _meta: { progressToken: 't' } };
    const first = { name: 'act', arguments: { what: 'progress' }, _meta: { progressToken: 't' } };
    const slow = client.post({ id: 6, method: 'tools/call', params }, abort.signal);
    // a notice while two calls are in flight goes to the one that its token names
    const [notice] = await client.request(7, 'tools/call', first);
    expect(notice?.id ?? 'notice').toBe(7);
    const streamed = await slow;
    const reader = streamed.body?.getReader();
    const seen = Buffer.from((await reader?.read())?.value ?? new Uint8Array()).toString();
    expect(seen).toContain('id: 1-0');
    abort.abort();
    await until(
      async () => (await gateway.records()).filter(({ kind }) => kind === 'request.finished').length > 1,
    );
    const again = await fetch(url, {
      headers: { ...client.headers, accept: 'text/event-stream', 'last-event-id': '1-1' },
    });
    expect(eventsIn(await again.text()).map(({ id }) => id)).toEqual([6]);
  });

  it('belongs to its caller, and ends when it is told to', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url, { 'x-user': 'ada' });
    const call = { id: 8, method: 'tools/call', params: CALL };
    const stolen = await post(url, call, { ...client.headers, 'x-user': 'mallory' });
    expect(stolen.status).toBe(404);
    expect(gateway.processes.length).toBe(0);
    const other = await fetch(url, { method: 'DELETE', headers: { ...client.headers, 'x-user': 'mallory' } });
    expect(other.status).toBe(404);
    expect((await client.request(8, 'tools/call', CALL))[0]?.result).toEqual(HI);
    expect((await fetch(url, { method: 'DELETE', headers: client.headers })).status).toBe(204);
    await until(() => gateway.sessions === 0);
    expect((await client.post(call)).status).toBe(404);
    await Promise.all(gateway.processes.map(({ exited }) => exited));
  });

  it('refuses an id in use without touching the call that has it', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const slow = client.request(9, 'tools/call', { name: 'act', arguments: { what: 'wait 300' } });
    await until(() => gateway.processes.length === 1);
    const second = await client.post({ id: 9, method: 'tools/call', params: CALL });
    expect(second.status).toBe(400);
    expect(codeOf((await second.json()) as JsonObject)).toBe('ID_DUPLICATE');
    expect((await slow)[0]?.result).toEqual({ content: [{ type: 'text', text: 'did wait 300' }] });
  });

  it('sees its server die, and a new one for the next call', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const [died] = await client.request(10, 'tools/call', { name: 'act', arguments: { what: 'die' } });
    expect(codeOf(died ?? {})).toBe('SERVER_DIED');
    expect((await client.request(11, 'tools/call', CALL))[0]?.result).toEqual(HI);
    expect(gateway.processes.length).toBe(2);
  });

  it('two sessions never share a server or an answer', async () => {
    const { gateway, url } = await started();
    const clients = await Promise.all(
      ['ada', 'bob', 'cleo'].map((user) => httpClient(url, { 'x-user': user })),
    );
    const answers = await Promise.all(
      clients.map((client, n) =>
        client.request(1, 'tools/call', { name: 'echo', arguments: { message: `m${n}` } }),
      ),
    );
    expect(answers.map(([answer]) => answer?.result)).toEqual(
      [0, 1, 2].map((n) => ({ content: [{ type: 'text', text: `m${n}` }] })),
    );
    expect(gateway.processes.length).toBe(3);
  });
});

const BOTH = {
  surface: (surface) => ({
    ...surface,
    capture: { ...surface.capture, eras: ['session', 'stateless'] },
  }),
} satisfies GatewaySetup;

describe('the stateless era over HTTP', () => {
  it('needs no session, gives each client its own id and token back, and shares one server of a caller', async () => {
    const { gateway, url } = await started(BOTH);
    const discovered = await messagesOf(await stateless(url, { id: 1, method: 'server/discover' }));
    expect(discovered[0]).toMatchObject({ result: { supportedVersions: ['2026-07-28'] } });
    expect(gateway.processes.length).toBe(0);
    const params = (what: string): JsonObject => ({
      name: 'act',
      arguments: { what },
      _meta: { progressToken: 't' },
    });
    const answers = await Promise.all(
      [1, 1, 'x', 1].map(async (id, n) =>
        messagesOf(
          await stateless(url, {
            id,
            method: 'tools/call',
            params: params(n === 3 ? 'progress' : `wait ${n}`),
          }),
        ),
      ),
    );
    expect(answers.map((messages) => messages.at(-1)?.id)).toEqual([1, 1, 'x', 1]);
    expect(answers[3]?.[0]).toMatchObject({ params: { progressToken: 't' } });
    expect(answers.slice(0, 3).map((messages) => messages.length)).toEqual([1, 1, 1]);
    expect(gateway.processes.length).toBe(1);
  });

  it('cancels at the server what a client closes', async () => {
    const { gateway, url } = await started(BOTH);
    const abort = new AbortController();
    const call = { id: 5, method: 'tools/call', params: { name: 'act', arguments: { what: 'never' } } };
    const waiting = stateless(url, call, {}, abort.signal).catch(() => null);
    await until(() => callsIn(gateway, 'weather').includes('never'));
    abort.abort();
    await waiting;
    const isCancel = ({ kind, method }: AuditBody): boolean =>
      kind === 'notice.forwarded' && method === 'notifications/cancelled';
    const records = await until(async () => {
      const told = await gateway.records();
      return told.some(isCancel) && told;
    });
    expect(records.filter(({ kind }) => kind === 'request.finished').at(-1)).toMatchObject({
      outcome: 'lost',
    });
  });

  it('holds a subscription open under the id of whoever asked', async () => {
    const { url } = await started(BOTH);
    const abort = new AbortController();
    const listening = await stateless(url, { id: 'mine', method: 'subscriptions/listen' }, {}, abort.signal);
    const reader = listening.body?.getReader();
    const seen = Buffer.from((await reader?.read())?.value ?? new Uint8Array()).toString();
    expect(eventsIn(seen)[0]?.params).toEqual({
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'mine' },
    });
    abort.abort();
  });

  it.each<[string, Record<string, string>, number]>([
    ['another method in the header', { 'mcp-method': 'tools/list' }, -32020],
    ['the method in capitals', { 'mcp-method': 'TOOLS/CALL' }, -32020],
    ['another name in the header', { 'mcp-name': 'act' }, -32020],
    ['a broken Base64 name', { 'mcp-name': '=?base64?ZWNobw?=' }, -32020],
    ['another version in the header', { 'mcp-protocol-version': '2025-11-25' }, -32020],
    ['a method given twice', { 'mcp-method': 'tools/call, tools/call' }, -32020],
  ])('refuses %s, and nothing runs', async (_what, headers, code) => {
    const { gateway, url } = await started(BOTH);
    const response = await stateless(url, { id: 1, method: 'tools/call', params: CALL }, headers);
    expect(response.status).toBe(400);
    const body = (await response.json()) as { id: number; error: { code: number } };
    expect([body.id, body.error.code]).toEqual([1, code]);
    expect(gateway.processes.length).toBe(0);
  });

  it('refuses a version that is no text', async () => {
    const { url } = await started(BOTH);
    const _meta = { 'io.modelcontextprotocol/protocolVersion': { toString: 1 } };
    const response = await stateless(url, { id: 1, method: 'tools/list', params: { _meta } });
    expect(response.status).toBe(400);
  });

  it('takes a name in Base64 and spaces around it', async () => {
    const { url } = await started(BOTH);
    for (const name of ['=?base64?ZWNobw==?=', '  echo  ']) {
      const response = await stateless(
        url,
        { id: 1, method: 'tools/call', params: CALL },
        { 'mcp-name': name },
      );
      expect(response.status).toBe(200);
      await response.text();
    }
  });

  it('answers what it does not know with 404', async () => {
    const { url } = await started(BOTH);
    const response = await stateless(url, { id: 1, method: 'tools/unheard' });
    expect(response.status).toBe(404);
    expect(((await response.json()) as { error: { code: number } }).error.code).toBe(-32601);
  });
});

describe('at the door', () => {
  const raw = (url: string, headers: Record<string, string | string[]>, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(url, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const hello = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE });

  it.each<[string, Record<string, string>, number, string]>([
    ['a rebound name', { host: 'evil.example' }, 403, 'HOST_REFUSED'],
    ['a rebound name with our port', { host: 'evil.example:80' }, 403, 'HOST_REFUSED'],
    ['a name that ends like ours', { host: 'evil-localhost' }, 403, 'HOST_REFUSED'],
    ['a page of elsewhere', { origin: 'https://evil.example' }, 403, 'HOST_REFUSED'],
    ['a page of nowhere', { origin: 'null' }, 403, 'HOST_REFUSED'],
    ['a form', { 'content-type': 'text/plain' }, 415, 'REQUEST_INVALID'],
    ['a packed body', { 'content-encoding': 'gzip' }, 415, 'REQUEST_INVALID'],
    ['a client that reads no events', { accept: 'application/json' }, 406, 'REQUEST_INVALID'],
    ['a version of nobody', { 'mcp-protocol-version': '1999-01-01', 'mcp-session-id': 'x' }, 400, ''],
  ])('%s is turned away, and no session begins', async (_what, headers, status, code) => {
    const { gateway, url } = await started();
    const body = headers['mcp-session-id'] ? hello.replace('initialize', 'tools/list') : hello;
    expect(await raw(url, { ...JSON_HEADERS, ...headers }, body)).toBe(
      headers['mcp-session-id'] ? 404 : status,
    );
    expect(gateway.sessions).toBe(0);
    if (code) expect(gateway.refusals).toEqual([code]);
  });

  it('a header that decides something may come once', async () => {
    const { gateway, url } = await started();
    expect(await raw(url, { ...JSON_HEADERS, authorization: ['a', 'b'] }, hello)).toBe(400);
    expect(gateway.sessions).toBe(0);
  });

  it.each([
    ['no JSON', '{', -32700],
    ['a batch', `[${hello}]`, -32600],
    ['a member twice', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32700],
    ['no version', '{"id":1,"method":"ping"}', -32600],
  ])('%s is refused as the protocol says', async (_what, body, code) => {
    const { url } = await started();
    const response = await post(url, body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { code: number } }).error.code).toBe(code);
  });

  it('takes a message over several lines as one', async () => {
    const { url } = await started();
    const response = await post(url, JSON.stringify(JSON.parse(hello), null, 2).replaceAll('\n', '\r\n'));
    expect(response.status).toBe(200);
    await response.text();
  });

  it('a body over the limit is not read', async () => {
    const { gateway, url } = await started({ limits: { messageBytes: 1000 } });
    const params = { ...INITIALIZE, more: 'x'.repeat(2000) };
    const response = await post(url, { id: 1, method: 'initialize', params });
    expect(response.status).toBe(413);
    expect(gateway.sessions).toBe(0);
  });

  const begin = async (url: string, user: string): Promise<number> =>
    (await post(url, { id: 1, method: 'initialize', params: INITIALIZE }, { 'x-user': user })).status;

  it('sessions are bounded, in all and for each caller', async () => {
    const { url } = await started({ limits: { sessions: 3, sessionsEach: 2 } });
    const statuses: number[] = [];
    for (const user of ['ada', 'ada', 'ada', 'bob', 'cleo']) statuses.push(await begin(url, user));
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
  });

  it('a session that is idle makes room', async () => {
    const { gateway, url } = await started({ limits: { sessions: 1, idleMs: 100 } });
    expect(await begin(url, 'ada')).toBe(200);
    await until(() => gateway.sessions === 0);
    expect(await begin(url, 'cleo')).toBe(200);
  });

  it('servers that run at once are bounded: one that nothing needs makes room, one that is needed does not', async () => {
    const { gateway, url } = await started({
      instances: { running: 1, runningEach: 1, starting: 1, waitMs: 4000 },
    });
    const [ada, bob] = await Promise.all(['ada', 'bob'].map((user) => httpClient(url, { 'x-user': user })));
    expect((await ada?.request(1, 'tools/call', CALL))?.[0]?.result).toEqual(HI);
    expect((await bob?.request(1, 'tools/call', CALL))?.[0]?.result).toEqual(HI);
    expect(gateway.processes.length).toBe(2);
    await gateway.processes[0]?.exited;
    const slow = bob?.request(2, 'tools/call', { name: 'act', arguments: { what: 'late' } });
    await until(() => callsIn(gateway, 'weather').includes('late'));
    expect(codeOf((await ada?.request(2, 'tools/call', CALL))?.[0] ?? {})).toBe('RATE_LIMITED');
    await bob?.request(3, 'tools/call', { name: 'act', arguments: { what: 'settle' } });
    expect((await slow)?.[0]?.error).toBeUndefined();
    expect(gateway.processes.length).toBe(2);
  });

  it('a door that is replaced ends what went through it, and no other', async () => {
    const { gateway } = await started({ servers: { weather: 'good', docs: 'good' } });
    const [weather, docs] = await Promise.all(
      ['weather', 'docs'].map((alias) => httpClient(`${gateway.url}/servers/${alias}/mcp`)),
    );
    await weather?.request(1, 'tools/call', CALL);
    await docs?.request(1, 'tools/call', CALL);
    const doors = new Map([...gateway.doors].filter(([path]) => path.includes('docs')));
    await gateway.replace(doors);
    expect((await weather?.post({ id: 2, method: 'tools/call', params: CALL }))?.status).toBe(404);
    expect((await docs?.request(2, 'tools/call', CALL))?.[0]?.result).toEqual(HI);
  });
});
