/**
 * A client that is hostile in what it says: sessions, ids and messages that are not its own or are none. Each row tells
 * what is answered; no server is started or called for it, and other sessions go on.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../schemas/common.ts';
import { inBothEras, textOf } from '../../helpers/eras.ts';
import {
  callsIn,
  eventsIn,
  type GatewaySetup,
  type HttpClient,
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

const SETUP = {
  servers: { weather: 'good', docs: 'good' },
  surface: inBothEras,
} satisfies GatewaySetup;

let gateway: RunningGateway;
let url: string;
let ada: HttpClient;
beforeEach(async () => {
  gateway = await startGateway(SETUP);
  url = `${gateway.url}/servers/weather/mcp`;
  ada = await httpClient(url, { 'x-user': 'ada' }, { sampling: {} });
});
afterEach(() => gateway.close());

const echo = (message: string): JsonObject => ({ name: 'echo', arguments: { message } });
const act = (what: string): JsonObject => ({ name: 'act', arguments: { what } });
const calls = (): string => callsIn(gateway, 'weather', 'docs');

/** Nothing ran, and the session that was there answers. */
async function nothingRan(): Promise<void> {
  expect(gateway.processes.length).toBe(0);
  expect(calls()).toBe('');
  expect(textOf((await ada.request('mine', 'tools/call', echo('mine')))[0])).toBe('mine');
}

/** Reads a response until it says this. */
async function readUntil(response: Response, word: string): Promise<() => Promise<string>> {
  const reader = response.body?.getReader();
  let text = '';
  const read = async (): Promise<boolean> => {
    const { value, done } = (await reader?.read()) ?? { done: true };
    text += Buffer.from(value ?? new Uint8Array()).toString();
    return !done;
  };
  while (!text.includes(word) && (await read()));
  return async () => {
    while (await read());
    return text;
  };
}

describe('a session of somebody else', () => {
  const ids: [string, (id: string) => string][] = [
    ['guessed', () => 'A'.repeat(32)],
    ['cut short', (id) => id.slice(0, -1)],
    ['with more behind it', (id) => `${id}A`],
    ['in capitals', (id) => id.toUpperCase()],
    ['twice in one header', (id) => `${id}, ${id}`],
    ['nothing', () => ''],
    ['a word of the language', () => '__proto__'],
    ['a number', () => '0'],
  ];
  it.each(ids)('%s: 404, for calls, streams and the end alike', async (_what, made) => {
    const headers = { ...ada.headers, 'mcp-session-id': made(ada.session) };
    const called = await post(url, { id: 1, method: 'tools/call', params: echo('stolen') }, headers);
    expect([called.status, codeOf((await called.json()) as JsonObject)]).toEqual([404, 'NOT_FOUND']);
    for (const method of ['GET', 'DELETE'])
      expect(
        (await fetch(url, { method, headers: { ...headers, accept: 'text/event-stream' } })).status,
      ).toBe(404);
    await nothingRan();
  });

  const callers: [string, Record<string, string>][] = [
    ['another person', { 'x-user': 'mallory' }],
    ['the same person with another team', { 'x-teams': 'admins' }],
    ['the same person with a credential for less', { 'x-servers': 'weather' }],
  ];
  it.each(callers)('%s is told that there is none', async (_what, other) => {
    const headers = { ...ada.headers, ...other };
    for (const message of [
      { id: 1, method: 'tools/call', params: echo('stolen') },
      { method: 'notifications/cancelled', params: { requestId: 1 } },
      { id: 'srv-3', result: {} },
    ])
      expect((await post(url, message, headers)).status).toBe(404);
    for (const method of ['GET', 'DELETE'])
      expect(
        (await fetch(url, { method, headers: { ...headers, accept: 'text/event-stream' } })).status,
      ).toBe(404);
    await nothingRan();
  });

  it.each(['/servers/docs/mcp', '/mcp'])('is not known at %s', async (path) => {
    const call = { id: 1, method: 'tools/call', params: { ...echo('stolen'), name: 'docs__echo' } };
    expect((await post(`${gateway.url}${path}`, call, ada.headers)).status).toBe(404);
    await nothingRan();
  });

  it('named in the address counts for nothing', async () => {
    const { 'mcp-session-id': _, ...headers } = ada.headers;
    const asked = await post(
      `${url}?mcp-session-id=${ada.session}`,
      { id: 1, method: 'tools/list' },
      headers,
    );
    expect([asked.status, codeOf((await asked.json()) as JsonObject)]).toEqual([400, 'REQUEST_INVALID']);
    await nothingRan();
  });

  it('lends nothing to a request of the stateless era', async () => {
    const headers = { 'mcp-session-id': ada.session, 'x-user': 'mallory' };
    await messagesOf(await stateless(url, { id: 1, method: 'tools/call', params: echo('hers') }, headers));
    const forwarded = (await gateway.records()).filter(({ kind }) => kind === 'request.forwarded');
    expect(forwarded.map(({ user }) => user)).toEqual(['mallory']);
  });

  it('is over once it was ended, for its owner as well, and calls that come in between leave no server', async () => {
    await ada.request(1, 'tools/call', echo('first'));
    const slow = ada.post({ id: 2, method: 'tools/call', params: act('never') });
    await until(() => calls().includes('never'));
    const ended = fetch(url, { method: 'DELETE', headers: ada.headers });
    const late = Array.from({ length: 20 }, (_, n) =>
      ada.post({ id: 100 + n, method: 'tools/call', params: echo('late') }),
    );
    expect((await ended).status).toBe(204);
    await Promise.all([slow, ...late].map(async (one) => (await one).text()));
    await until(() => gateway.sessions === 0);
    await Promise.all(gateway.processes.map(({ exited }) => exited));
    expect((await ada.post({ id: 3, method: 'tools/list' })).status).toBe(404);
    const before = gateway.processes.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gateway.processes.length).toBe(before);
  });
});

describe('ids that are not one’s own', () => {
  it('1 and "1" are two requests', async () => {
    const answers = await Promise.all(
      [1, '1'].map((id) => ada.request(id, 'tools/call', act(`wait ${typeof id === 'string' ? 51 : 50}`))),
    );
    expect(answers.map(([answer]) => [answer?.id, textOf(answer)])).toEqual([
      [1, 'did wait 50'],
      ['1', 'did wait 51'],
    ]);
  });

  it('a cancelled request is over, its id is not used again, and no late answer is taken for another', async () => {
    const held = ada.post({ id: 5, method: 'tools/call', params: act('late') });
    await until(() => calls().includes('late'));
    expect((await ada.post({ method: 'notifications/cancelled', params: { requestId: 5 } })).status).toBe(
      202,
    );
    expect(await (await held).text()).toBe('');
    const [again] = await ada.request(5, 'tools/call', echo('another'));
    expect(codeOf(again ?? {})).toBe('ID_DUPLICATE');
    expect(calls()).not.toContain('another');
    expect(textOf((await ada.request(6, 'tools/call', act('settle')))[0])).toBe('did settle');
  });

  it('cancelling frees its place: a client may do so for ever', async () => {
    await gateway.close();
    gateway = await startGateway({ ...SETUP, limits: { waitingEach: 3 } });
    url = `${gateway.url}/servers/weather/mcp`;
    ada = await httpClient(url);
    for (let id = 1; id <= 10; id++) {
      const held = ada.post({ id, method: 'tools/call', params: act('never') });
      await until(() => calls().split('never').length > id);
      await ada.post({ method: 'notifications/cancelled', params: { requestId: id } });
      await (await held).text();
    }
    expect(textOf((await ada.request(99, 'tools/call', echo('free')))[0])).toBe('free');
  });

  it('what another session asked is cancelled by nobody else', async () => {
    const bob = await httpClient(url, { 'x-user': 'ada' });
    const slow = ada.request(7, 'tools/call', act('wait 600'));
    await until(() => calls().includes('wait 600'));
    await bob.post({ method: 'notifications/cancelled', params: { requestId: 7 } });
    for (const requestId of [7, 1])
      await stateless(url, { id: 1, method: 'tools/list' }, { 'x-user': 'ada' }).then(() =>
        post(
          url,
          { method: 'notifications/cancelled', params: { requestId } },
          { 'x-user': 'ada', 'mcp-protocol-version': '2026-07-28' },
        ),
      );
    expect(textOf((await slow)[0])).toBe('did wait 600');
  });

  it('what a server asked one client is answered by no other', async () => {
    const asking = await ada.post({ id: 8, method: 'tools/call', params: act('ask') });
    const rest = await readUntil(asking, 'sampling/createMessage');
    for (const user of ['mallory', 'ada']) {
      const other = await httpClient(url, { 'x-user': user }, { sampling: {} });
      expect((await other.post({ id: 'srv-3', result: { role: 'assistant', model: user } })).status).toBe(
        202,
      );
    }
    await ada.post({ id: 'srv-3', result: { role: 'assistant', model: 'hers' } });
    expect(textOf(eventsIn(await rest()).at(-1))).toBe('asked hers');
  });

  it('an answer to nothing goes nowhere, and is told', async () => {
    for (const id of ['srv-1', 'srv-3', 0, 'lk-all-1'])
      expect((await ada.post({ id, result: {} })).status).toBe(202);
    expect((await gateway.records()).filter(({ kind }) => kind === 'response.refused').length).toBe(4);
    await nothingRan();
  });

  it('progress is told to the request that its token is of, also where another has the same one', async () => {
    const params = { ...act('progress'), _meta: { progressToken: 't' } };
    const waits = { ...act('wait 400'), _meta: { progressToken: 't' } };
    const bob = await httpClient(url, { 'x-user': 'bob' });
    const [slow, told] = await Promise.all([
      bob.request(1, 'tools/call', waits),
      ada.request(1, 'tools/call', params),
    ]);
    expect(slow.length).toBe(1);
    expect(told.length).toBe(2);
    const one = (id: number, asked: JsonObject): Promise<JsonObject[]> =>
      stateless(url, { id, method: 'tools/call', params: asked }, { 'x-user': 'cleo' }).then(messagesOf);
    const [quiet, heard] = await Promise.all([one(1, waits), one(1, params)]);
    expect([quiet?.length, heard?.length]).toEqual([1, 2]);
  });

  it.each([
    '1-0',
    '999999999-999999999',
    '9999999999999999999-1',
    '-1-0',
    '0--1',
    '0',
    'x',
    '0-1-2',
    '1e3-0',
    ' ',
  ])('Last-Event-ID %s is no stream of this session', async (id) => {
    const headers = { ...ada.headers, accept: 'text/event-stream', 'last-event-id': id };
    const listening = await fetch(url, { headers });
    expect([listening.status, codeOf((await listening.json()) as JsonObject)]).toEqual([
      400,
      'REQUEST_INVALID',
    ]);
    await nothingRan();
  });

  it('a stream of somebody else is nobody’s', async () => {
    const asking = await ada.post({ id: 8, method: 'tools/call', params: act('ask') });
    const rest = await readUntil(asking, 'sampling/createMessage');
    const bob = await httpClient(url, { 'x-user': 'bob' });
    for (const headers of [bob.headers, { ...ada.headers, 'x-user': 'bob' }]) {
      const listening = await fetch(url, {
        headers: { ...headers, accept: 'text/event-stream', 'last-event-id': '1-0' },
      });
      expect([400, 404]).toContain(listening.status);
    }
    await ada.post({ id: 'srv-3', result: { model: 'm' } });
    expect(await rest()).toContain('asked m');
  });
});

describe('messages that are none', () => {
  const message = (rest: string): string => `{"jsonrpc":"2.0",${rest}}`;
  const call = message('"id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"x"}}');
  const PARSE = -32700;
  const INVALID = -32600;
  it.each<[string, string | Buffer, number]>([
    ['nothing', '', PARSE],
    ['spaces', ' \r\n\t ', PARSE],
    ['half of one', call.slice(0, -1), PARSE],
    ['one and a half', `${call}{`, PARSE],
    ['two', `${call}\n${call}`, PARSE],
    ['a batch of one', `[${call}]`, INVALID],
    ['a batch of none', '[]', INVALID],
    ['a batch of 10,000', `[${Array(10_000).fill(call).join(',')}]`, INVALID],
    ['null', 'null', INVALID],
    ['a text', '"tools/call"', INVALID],
    ['a comment', `/**/${call}`, PARSE],
    ['arrays 100,000 deep', '['.repeat(100_000), PARSE],
    ['objects 100,000 deep', '{"a":'.repeat(100_000), PARSE],
    [
      'params 70 deep',
      message(`"id":1,"method":"ping","params":{"a":${'['.repeat(70)}${']'.repeat(70)}}`),
      PARSE,
    ],
    ['a key twice', message('"id":1,"method":"ping","method":"tools/call"'), PARSE],
    ['a key twice, once in disguise', message('"id":1,"method":"ping","m\\u0065thod":"tools/call"'), PARSE],
    ['a key twice, far inside', message('"id":1,"method":"ping","params":{"a":[{"b":1,"b":2}]}'), PARSE],
    [
      'no UTF-8',
      Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from([0xff, 0x22, 0x7d])]),
      PARSE,
    ],
    [
      'UTF-8 that is too long',
      Buffer.concat([
        Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'),
        Buffer.from([0xc0, 0xaf, 0x22, 0x7d]),
      ]),
      PARSE,
    ],
    ['UTF-16', Buffer.from(call, 'utf16le'), PARSE],
    ['a mark before it', `\ufeff${call}`, PARSE],
    ['half of a character', message('"id":1,"method":"\\ud800"'), PARSE],
    ['NUL', message('"id":1,"method":"pi\0ng"'), PARSE],
    ['a packed body', Buffer.from('1f8b0800000000000003ab56ca2a', 'hex'), PARSE],
    ['a number beyond all', message('"id":1e400,"method":"ping"'), PARSE],
    ['an id that two readers read differently', message('"id":9007199254740993,"method":"ping"'), PARSE],
    ['NaN', message('"id":NaN,"method":"ping"'), PARSE],
    ['an id of null', message('"id":null,"method":"ping"'), INVALID],
    ['an id with a fraction', message('"id":1.5,"method":"ping"'), INVALID],
    ['an id that is an object', message('"id":{},"method":"ping"'), INVALID],
    ['an id of 300 characters', message(`"id":"${'x'.repeat(300)}","method":"ping"`), INVALID],
    ['a method that is a number', message('"id":1,"method":1'), INVALID],
    ['a method of 300 characters', message(`"id":1,"method":"${'x'.repeat(300)}"`), INVALID],
    ['params that are a list', message('"id":1,"method":"ping","params":[1]'), INVALID],
    ['a call and an answer', message('"id":1,"method":"ping","result":{}'), INVALID],
    ['a result and an error', message('"id":1,"result":{},"error":{"code":1,"message":"x"}'), INVALID],
    ['neither', message('"id":1'), INVALID],
    ['another JSON-RPC', '{"jsonrpc":"2.1","id":1,"method":"ping"}', INVALID],
  ])('%s', async (_what, body, code) => {
    for (const headers of [ada.headers, {}, { 'mcp-protocol-version': '2026-07-28' }]) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...JSON_HEADERS, ...headers },
        body: new Uint8Array(Buffer.from(body)),
      });
      const answer = (await response.json()) as { id: unknown; error: { code: number } };
      expect([response.status, answer.error.code, answer.id]).toEqual([400, code, null]);
    }
    expect(gateway.sessions).toBe(1);
    await nothingRan();
  });

  it.each<[string, JsonObject, string]>([
    ['a method of nobody', { id: 1, method: 'tools/shell' }, 'METHOD_REFUSED'],
    ['a method of the language', { id: 1, method: '__proto__' }, 'METHOD_REFUSED'],
    ['a call of nothing', { id: 1, method: 'tools/call' }, 'FRAME_INVALID'],
    [
      'a call of a word of the language',
      { id: 1, method: 'tools/call', params: { name: 'constructor' } },
      'TOOL_REFUSED',
    ],
    [
      'arguments that the schema has not',
      { id: 1, method: 'tools/call', params: { name: 'echo', arguments: { message: 'x', more: 1 } } },
      'ARGUMENTS_INVALID',
    ],
    [
      'arguments that are a list',
      { id: 1, method: 'tools/call', params: { name: 'echo', arguments: ['x'] } },
      'ARGUMENTS_INVALID',
    ],
    [
      'a resource of nobody',
      { id: 1, method: 'resources/read', params: { uri: 'file:///etc/passwd' } },
      'TOOL_REFUSED',
    ],
  ])('%s is refused by the gate', async (_what, message, code) => {
    const [answer] = await messagesOf(await ada.post(message));
    expect(codeOf(answer ?? {})).toBe(code);
    expect((await gateway.records()).at(-1)).toMatchObject({ kind: 'request.refused', code });
    await nothingRan();
  });
});

describe('a session that is not begun as it should be', () => {
  it('what comes before initialize is refused, and begins nothing', async () => {
    for (const message of [
      { id: 1, method: 'tools/call', params: echo('early') },
      { method: 'notifications/initialized' },
      { id: 1, result: {} },
    ]) {
      const early = await post(url, message);
      expect([early.status, codeOf((await early.json()) as JsonObject)]).toEqual([400, 'REQUEST_INVALID']);
    }
    expect(gateway.sessions).toBe(1);
    await nothingRan();
  });

  it('initialize in a session begins another one, and leaves the first as it is', async () => {
    const second = await post(url, { id: 0, method: 'initialize', params: INITIALIZE }, ada.headers);
    expect(second.status).toBe(200);
    expect(second.headers.get('mcp-session-id')).not.toBe(ada.session);
    await second.text();
    expect(gateway.sessions).toBe(2);
    await nothingRan();
  });

  it.each<[string, JsonObject]>([
    ['no version', { capabilities: {}, clientInfo: { name: 'x', version: '1' } }],
    ['a version of nobody', { ...INITIALIZE, protocolVersion: '1999-01-01' }],
    ['a version that is no text', { ...INITIALIZE, protocolVersion: 7 }],
    ['capabilities of the language', { ...INITIALIZE, capabilities: { constructor: {}, toString: {} } }],
    ['a name without end', { ...INITIALIZE, clientInfo: { name: 'x'.repeat(100_000), version: '1' } }],
  ])('initialize with %s is answered, and what follows is held to the lock', async (_what, params) => {
    const greeted = await post(url, { id: 0, method: 'initialize', params });
    expect(greeted.status).toBe(200);
    await greeted.text();
    await nothingRan();
  });

  it('a flood of notices starts nothing and holds up nobody', async () => {
    const bob = await httpClient(url, { 'x-user': 'bob' });
    const flood = Array.from({ length: 300 }, async (_, n) => {
      const params = n % 2 === 0 ? { progressToken: n, progress: 1 } : { requestId: n };
      const method = n % 2 === 0 ? 'notifications/progress' : 'notifications/cancelled';
      return (await bob.post({ method, params })).status;
    });
    const [statuses, [answer]] = await Promise.all([Promise.all(flood), ada.request(1, 'tools/list')]);
    expect(new Set(statuses)).toEqual(new Set([202]));
    expect(answer?.result).toBeDefined();
    await nothingRan();
  });
});
