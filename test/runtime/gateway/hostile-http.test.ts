/**
 * A client that is hostile in its HTTP: each row is sent as bytes, and told what is answered. None of them begins a
 * session, starts or calls a server, ends what somebody else has, or goes without a record.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../schemas/common.ts';
import { type HttpClient, httpClient, type RunningGateway, startGateway } from '../../helpers/gateway.ts';
import { type RawRequest, raw, rawRequest } from '../../helpers/raw-http.ts';
import { INITIALIZE } from '../../helpers/session.ts';

let gateway: RunningGateway;
let url: string;
let victim: HttpClient;
beforeAll(async () => {
  gateway = await startGateway();
  url = `${gateway.url}/servers/weather/mcp`;
  victim = await httpClient(url, { 'x-user': 'ada' });
  await victim.request(1, 'tools/call', { name: 'echo', arguments: { message: 'mine' } });
});
afterAll(() => gateway?.close());

const message = (rest: JsonObject): string => JSON.stringify({ jsonrpc: '2.0', ...rest });
const HELLO = message({ id: 1, method: 'initialize', params: INITIALIZE });
const CALL = message({
  id: 7,
  method: 'tools/call',
  params: { name: 'echo', arguments: { message: 'smuggled' } },
});
const PING = message({ id: 8, method: 'ping' });

/** What a row knows only once there is a gateway: its port and the victim’s session. */
type Made = (at: { port: string; session: string }) => RawRequest | string;
type Sent = RawRequest | Made | string;
type Row = readonly [what: string, request: Sent, status: number, code?: string];

const hello = (request: RawRequest): RawRequest => ({ body: HELLO, ...request });
const header = (line: string): RawRequest => hello({ lines: [line] });
const target = (path: string): RawRequest => hello({ target: path });

async function sent(request: Sent): Promise<Awaited<ReturnType<typeof raw>>> {
  const at = { port: new URL(url).port, session: `mcp-session-id: ${victim.session}` };
  const made = typeof request === 'function' ? request(at) : request;
  return raw(url, typeof made === 'string' ? made : rawRequest(url, made));
}

/** Nothing that anybody has was touched. */
async function holds(before: { sessions: number; log: string; refusals: number }): Promise<void> {
  expect(gateway.sessions).toBe(before.sessions);
  expect(gateway.processes.length).toBe(1);
  expect(readFileSync(gateway.log('weather'), 'utf8')).toBe(before.log);
  expect(gateway.refusals.length).toBe(before.refusals + 1);
  expect((await victim.request('still', 'tools/list'))[0]?.result).toBeDefined();
}

const standing = (): { sessions: number; log: string; refusals: number } => ({
  sessions: gateway.sessions,
  log: readFileSync(gateway.log('weather'), 'utf8'),
  refusals: gateway.refusals.length,
});

function refuses(rows: readonly Row[]): void {
  for (const [what, request, status, code = 'REQUEST_INVALID'] of rows)
    it(what, async () => {
      const before = standing();
      const { statuses, text, closed } = await sent(request);
      expect([statuses, /"code":"([A-Z_]+)"/.exec(text)?.[1], closed]).toEqual([[status], code, true]);
      await holds(before);
      expect(gateway.refusals.at(-1)).toBe(code);
    });
}

describe('a name that is not ours', () => {
  const hosts = [
    ...['evil.example', 'localhost.', 'localhost.:80', 'evil-localhost', '127.0.0.1.evil.example'],
    ...['[::ffff:127.0.0.1]', '::1', '127.1', '0x7f.0.0.1', '2130706433', '0.0.0.0'],
    ...['user@localhost', 'localhost@evil.example', 'localhost:80:80', 'localhost:', 'localhost:0x50'],
    ...['localhost evil.example', 'localhost,evil.example', 'localhost/evil.example', ''],
  ];
  refuses(hosts.map((host) => [`Host: ${host}`, header(`host: ${host}`), 403, 'HOST_REFUSED']));
  refuses([
    [
      'Host: a rebound name with our port',
      ({ port }) => header(`host: evil.example:${port}`),
      403,
      'HOST_REFUSED',
    ],
    ['two Hosts', hello({ lines: ['host: localhost', 'host: evil.example'] }), 400],
    ['the same Host twice', hello({ lines: ['host: localhost', 'host: localhost'] }), 400],
    ['no Host', hello({ without: ['host'] }), 400, 'HOST_REFUSED'],
    ['HTTP/1.0 without Host', hello({ without: ['host'], version: 'HTTP/1.0' }), 400, 'HOST_REFUSED'],
    [
      'a name that a proxy is said to have seen',
      hello({ lines: ['host: evil.example', 'x-forwarded-host: localhost', 'forwarded: host=localhost'] }),
      403,
      'HOST_REFUSED',
    ],
  ]);
  const origins = [
    ...['https://evil.example', 'null', '', 'file://', 'http://localhost.evil.example', 'HTTP://LOCALHOST'],
    ...['http://localhost@evil.example', 'http://evil.example#localhost', 'http://evil.example/localhost'],
    ...['http://localhost/', 'http://localhost. ', 'localhost', 'http://localhost, http://evil.example'],
  ];
  refuses(origins.map((origin) => [`Origin: ${origin}`, header(`origin: ${origin}`), 403, 'HOST_REFUSED']));
  refuses([
    ['two Origins', hello({ lines: ['origin: http://localhost', 'origin: https://evil.example'] }), 400],
  ]);
});

describe('an address that is not ours', () => {
  const paths = [
    ...['http://evil.example/servers/weather/mcp', '*', '//servers/weather/mcp', '/', '/SERVERS/WEATHER/MCP'],
    ...[
      '/servers/docs/../weather/mcp',
      '/servers/weather%2fmcp',
      '/servers/weather/mcp/',
      '/servers/weather/mcp;x',
    ],
    ...['/servers/weather/mcp#x', '/servers/weather\\mcp', '/servers/__proto__/mcp', '/servers//mcp'],
    ...['/servers/weather/mcp%00', `/${'a'.repeat(8000)}`],
  ];
  refuses(paths.map((path) => [path.slice(0, 50), target(path), 404, 'NOT_FOUND']));
  refuses(
    ['PUT', 'PATCH', 'TRACE', 'OPTIONS', 'PROPFIND', 'QUERY'].map((method) => [method, { method }, 405]),
  );
  refuses(['get', 'BREW', 'POST POST'].map((method) => [method, { method }, 400]));
  refuses([
    ['CONNECT', { method: 'CONNECT', target: 'example.com:443' }, 405],
    ['a NUL', target('/servers/weather/mcp\0'), 400],
    ['HTTP/0.9', 'GET /servers/weather/mcp\r\n\r\n', 400, 'HOST_REFUSED'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['HTTP/1.2', hello({ version: 'HTTP/1.2' }), 400],
    ['TLS', Buffer.from('16030100aa010000a6', 'hex').toString('latin1'), 400],
    ['a browser’s socket', { method: 'GET', lines: ['upgrade: websocket'] }, 400],
  ]);
});

describe('a request inside of a request', () => {
  const inner = ({ session }: { session: string }): string =>
    rawRequest(url, { lines: [session, 'x-user: ada'], body: CALL }).toString('latin1');
  /** What follows is a call in the victim’s session, for whoever reads the body’s end elsewhere. */
  const followed = (lines: readonly string[], body: string, without: string[] = ['content-length']): Made => {
    return (at) => ({
      lines: [
        'connection: keep-alive',
        ...lines.map((line) => line.replace('LENGTH', String(inner(at).length))),
      ],
      without,
      body: `${body}${inner(at)}`,
    });
  };
  refuses([
    [
      'length and chunks',
      followed(['transfer-encoding: chunked', 'content-length: LENGTH'], '0\r\n\r\n'),
      400,
    ],
    [
      'chunks and a short length',
      followed(['content-length: 4', 'transfer-encoding: chunked'], '5c\r\n'),
      400,
    ],
    ['two lengths', followed(['content-length: 0', 'content-length: LENGTH'], ''), 400],
    ['the same length twice', followed(['content-length: 0', 'content-length: 0'], ''), 400],
    ['a list of lengths', followed(['content-length: 0, 0'], ''), 400],
  ]);
  const lengths = ['+0', '0x0', '-1', '0 0', '1e1', '99999999999999999999999', '0\xa0'];
  refuses(lengths.map((length) => [`length ${length}`, followed([`content-length: ${length}`], ''), 400]));
  const codings = [
    'xchunked',
    'chunked, identity',
    'identity',
    'gzip, chunked',
    '\x0bchunked',
    'chunked,',
    '"chunked"',
  ];
  refuses(
    codings.map((coding) => [
      `coding ${JSON.stringify(coding)}`,
      followed([`transfer-encoding: ${coding}`], '0\r\n\r\n'),
      400,
    ]),
  );
  refuses([
    [
      'two codings',
      followed(['transfer-encoding: chunked', 'transfer-encoding: identity'], '0\r\n\r\n'),
      400,
    ],
    ['a space before a colon', followed(['transfer-encoding : chunked'], '0\r\n\r\n'), 400],
    [
      'chunks in HTTP/1.0',
      (at) => ({
        version: 'HTTP/1.0',
        lines: ['connection: keep-alive', 'transfer-encoding: chunked'],
        without: ['content-length'],
        body: `0\r\n\r\n${inner(at)}`,
      }),
      400,
    ],
  ]);
  const size = PING.length.toString(16);
  const chunks = [
    ['an extension over two lines', `${size};a=b\nx\r\n${PING}\r\n0\r\n\r\n`],
    ['an extension of 20,000 bytes', `${size};${'a'.repeat(20_000)}\r\n${PING}\r\n0\r\n\r\n`],
    ['a size that overflows', `fffffffffffffffff\r\n${PING}\r\n0\r\n\r\n`],
    ['a size below zero', `-1\r\n${PING}\r\n0\r\n\r\n`],
    ['bare line feeds', `${size}\n${PING}\n0\n\n`],
    ['no line end after it', `${size}\r\n${PING}XX0\r\n\r\n`],
  ] as const;
  refuses(
    chunks.map(([what, body]) => [
      `a chunk with ${what}`,
      followed(['transfer-encoding: chunked'], body),
      400,
    ]),
  );
  refuses([
    [
      'a session in a trailer',
      ({ session }) => ({
        lines: ['transfer-encoding: chunked', 'trailer: mcp-session-id'],
        without: ['content-length'],
        body: `${PING.length.toString(16)}\r\n${PING}\r\n0\r\n${session}\r\n\r\n`,
      }),
      400,
    ],
  ]);
});

describe('headers that are none', () => {
  const lines: Readonly<Record<string, string>> = {
    'a folded line': 'x-a: b\r\n c: d',
    'a bare line feed': 'x-a: b\nx-c: d',
    'a bare carriage return': 'x-a: b\rx-c: d',
    'NUL in a value': 'x-a: b\0c',
    'NUL in a name': 'x\0a: b',
    'no colon': 'nonsense',
    'no name': ': b',
    'a space in a name': 'x a: b',
  };
  refuses(
    Object.entries(lines).map(([what, line]) => [what, ({ session }) => ({ lines: [session, line] }), 400]),
  );
  refuses([
    ['20,000 bytes of one', header(`x-a: ${'b'.repeat(20_000)}`), 431],
    ['1,000 of them', hello({ lines: Array.from({ length: 1000 }, (_, n) => `x-${n}: some value`) }), 431],
    [
      'bare line feeds alone',
      ({ session }) =>
        rawRequest(url, { lines: [session] })
          .toString()
          .replaceAll('\r', ''),
      400,
    ],
    ['another expectation', header('expect: 200-ok'), 417],
  ]);
  const once = ['mcp-session-id', 'authorization', 'content-type', 'origin'];
  refuses(
    once.map((name) => [
      `${name} twice`,
      ({ session }) => hello({ lines: [session, `${name}: x`, `${name}: y`] }),
      400,
    ]),
  );
});

describe('a body that is not what it says', () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/json+evil',
    '',
  ];
  refuses(types.map((type) => [`type ${type || '(none)'}`, header(`content-type: ${type}`), 415]));
  refuses(
    ['gzip', 'br', 'identity, gzip'].map((coding) => [coding, header(`content-encoding: ${coding}`), 415]),
  );
  refuses(
    ['application/json', 'text/html', 'q=1', ''].map((type) => [
      `accept ${type}`,
      header(`accept: ${type}`),
      406,
    ]),
  );
});

describe('what only looks hostile', () => {
  it.each<[string, RawRequest]>([
    ['a name in capitals', header('host: LOCALHOST')],
    ['another name of loopback', header('host: [::1]:7413')],
    ['a page of its own address', header('origin: http://127.0.0.1:7413')],
    ['a query', target('/servers/weather/mcp?x=1')],
    ['100-continue', header('expect: 100-continue')],
    ['an upgrade that is not taken', hello({ lines: ['upgrade: h2c', 'connection: upgrade'] })],
    [
      'chunks with extensions',
      hello({
        lines: ['transfer-encoding: Chunked'],
        without: ['content-length'],
        body: `${HELLO.length.toString(16)};a=b\r\n${HELLO}\r\n0\r\n\r\n`,
      }),
    ],
  ])('%s is answered', async (_what, request) => {
    const { statuses } = await sent(request);
    expect(statuses.at(-1)).toBe(200);
  });

  it('a method in another header is no method', async () => {
    const lines = ['x-http-method-override', 'x-http-method', 'x-method-override'].map(
      (name) => `${name}: DELETE`,
    );
    const { statuses } = await sent(({ session }) => ({
      lines: [session, 'x-user: ada', ...lines],
      body: message({ id: 9, method: 'tools/list' }),
    }));
    expect(statuses).toEqual([200]);
    expect((await victim.request(10, 'tools/list'))[0]?.result).toBeDefined();
  });

  it('requests in a row on one connection are answered in their order', async () => {
    const one = (id: number, last: boolean): string =>
      rawRequest(url, {
        lines: [
          `mcp-session-id: ${victim.session}`,
          'x-user: ada',
          ...(last ? [] : ['connection: keep-alive']),
        ],
        body: message({ id, method: 'tools/list' }),
      }).toString();
    const { text } = await raw(url, Array.from({ length: 50 }, (_, n) => one(100 + n, n === 49)).join(''));
    const ids = [...text.matchAll(/"id":(\d+)/g)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: 50 }, (_, n) => 100 + n));
  });

  it('HEAD tells nothing, and starts nothing', async () => {
    const before = standing();
    const { statuses } = await sent({ method: 'HEAD' });
    expect(statuses).toEqual([405]);
    await holds(before);
  });
});
