/** Remote servers that do what they please, over real TLS: each is refused by name, within its bounds, and nothing breaks. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MAX_ASKED } from '../../../runtime/remote/outlet.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';
import { type Answer, type Connected, connectTo, type Served, serveTls } from '../../helpers/remote.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const EVENTS = { 'content-type': 'text/event-stream' };
const LIMITS = { bytes: 300_000, wholeMs: 700, takenMs: 500, sweepMs: 50 };

function idOf(body: string): string | number | undefined {
  return (JSON.parse(body) as { id?: string | number }).id;
}

const result = (body: string, more: object = {}): string =>
  JSON.stringify({ jsonrpc: '2.0', id: idOf(body), result: { ok: true }, ...more });

/** Greets as it should; what it does with anything else is the test's. */
function afterGreeting(then: Answer): Answer {
  return (request, response, body) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { method } = JSON.parse(body) as { method?: string };
    if (method === 'initialize')
      return void response
        .writeHead(200, { ...JSON_TYPE, 'mcp-session-id': 's1' })
        .end(result(body, { result: { protocolVersion: '2025-11-25' } }));
    if (method === 'notifications/initialized') return void response.writeHead(202).end();
    return then(request, response, body);
  };
}

async function greeted(url: string, limits = LIMITS): Promise<Connected> {
  const connected = await connectTo(url, { limits });
  await connected.peer.ask('initialize', {}, PATIENCE_MS);
  connected.peer.tell('notifications/initialized');
  return connected;
}

/** The refusal that a call ends in, in the words that stand in its answer. */
async function refusalIn({ peer, gone }: Connected, ms = PATIENCE_MS): Promise<unknown> {
  const answered = peer.ask('tools/call', { name: 'x' }, ms).then(
    () => 'it was answered',
    (error: LockkeeperError) =>
      (error.cause as { data?: { code?: string } } | undefined)?.data?.code ?? error.code,
  );
  return Promise.race([answered, gone.then(({ code }) => code)]);
}

type Row = [
  what: string,
  code: string,
  answer: (response: ServerResponse, body: string, request: IncomingMessage) => void,
];

/** Writes until the other side has enough. */
function pour(response: Writable, chunk: string): void {
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

/** A stream of events that is nothing but this, again and again. */
const stream = (text: string) => (response: ServerResponse) => {
  response.writeHead(200, EVENTS);
  pour(response, text.repeat(5000));
};

/** Past the HTTP server, whatever is written. */
const raw = (text: string) => (response: ServerResponse) => void response.socket?.write(text);

const ROWS: Row[] = [
  [
    'sends elsewhere',
    'REMOTE_INVALID',
    (r, body) =>
      void r.writeHead(307, { ...JSON_TYPE, location: 'https://evil.example/mcp' }).end(result(body)),
  ],
  [
    'sends to another path',
    'REMOTE_INVALID',
    (r, body) => void r.writeHead(308, { ...JSON_TYPE, location: '/mcp/' }).end(result(body)),
  ],
  [
    'packs its answer',
    'REMOTE_INVALID',
    (r, body) => void r.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(result(body)),
  ],
  [
    'answers with a page',
    'REMOTE_INVALID',
    (r) => void r.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  ],
  [
    'does not say what it answers with',
    'REMOTE_INVALID',
    (r, body) => void r.writeHead(200).end(result(body)),
  ],
  ['takes a request for a notice', 'REMOTE_INVALID', (r) => void r.writeHead(202).end()],
  ['answers with nothing', 'REMOTE_INVALID', (r) => void r.writeHead(200, JSON_TYPE).end()],
  [
    'answers with a batch',
    'REMOTE_INVALID',
    (r, body) => void r.writeHead(200, JSON_TYPE).end(`[${result(body)}]`),
  ],
  ['answers with no JSON', 'REMOTE_INVALID', (r) => void r.writeHead(200, JSON_TYPE).end('{"jsonrpc"')],
  [
    'answers another request',
    'REMOTE_INVALID',
    (r) => void r.writeHead(200, JSON_TYPE).end('{"jsonrpc":"2.0","id":99,"result":{}}'),
  ],
  [
    'ends its stream without an answer',
    'REMOTE_INVALID',
    (r) => void r.writeHead(200, EVENTS).end(': hello\n\n'),
  ],
  [
    'ends in the middle of its answer',
    'REMOTE_INVALID',
    (r, body) => void r.writeHead(200, EVENTS).end(`data: ${result(body)}`),
  ],
  [
    'promises more than it sends',
    'SERVER_DIED',
    (r) => {
      r.writeHead(200, { ...JSON_TYPE, 'content-length': '1000' }).write('{');
      setTimeout(() => r.socket?.destroy(), 20);
    },
  ],
  ['hangs up', 'SERVER_DIED', (r) => void r.socket?.destroy()],
  [
    'is out of order',
    'SERVER_DIED',
    (r) => void r.writeHead(503, { 'content-type': 'text/html' }).end('<html>'.repeat(50_000)),
  ],
  [
    'says in words of its own that it failed',
    'SERVER_DIED',
    (r) => void r.writeHead(500, JSON_TYPE).end('{"error":"no"}'),
  ],
  [
    'turns us away',
    'REMOTE_REFUSED',
    (r) => void r.writeHead(401, { 'www-authenticate': 'Bearer realm="x"' }).end(),
  ],
  ['has forgotten the session', 'SERVER_DIED', (r) => void r.writeHead(404).end()],
  [
    'sends a JSON text without end',
    'FRAME_TOO_LARGE',
    (r) => {
      r.writeHead(200, JSON_TYPE).write('{"jsonrpc":"2.0","result":"');
      pour(r, 'x'.repeat(65_536));
    },
  ],
  [
    'sends a line without end',
    'FRAME_TOO_LARGE',
    (r) => {
      r.writeHead(200, EVENTS).write('data: ');
      pour(r, 'x'.repeat(65_536));
    },
  ],
  [
    'sends an event without end',
    'FRAME_TOO_LARGE',
    (r) => {
      r.writeHead(200, EVENTS);
      pour(r, 'data: and on\n'.repeat(5000));
    },
  ],
  ['streams empty lines', 'RATE_LIMITED', stream('\n')],
  ['streams comments', 'RATE_LIMITED', stream(':\n')],
  ['streams events without data', 'RATE_LIMITED', stream('data:\n\n')],
  ['streams events of another name', 'RATE_LIMITED', stream('event: other\ndata: x\n\n')],
  ['streams fields that nobody knows', 'RATE_LIMITED', stream('x\n')],
  [
    'answers in parts of one byte',
    'REMOTE_INVALID',
    (r) => {
      const { socket } = r;
      socket?.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
      );
      if (socket) pour(socket, '1\r\n \r\n'.repeat(5000));
    },
  ],
  [
    'sends a JSON text byte by byte',
    'SERVER_SILENT',
    (r) => {
      r.writeHead(200, JSON_TYPE).write('{');
      const timer = setInterval(() => r.write(' '), 20);
      r.on('close', () => clearInterval(timer));
    },
  ],
  [
    'sends an event byte by byte',
    'SERVER_SILENT',
    (r) => {
      r.writeHead(200, EVENTS).write('data: {');
      const timer = setInterval(() => r.write(' '), 20);
      r.on('close', () => clearInterval(timer));
    },
  ],
  [
    'sends more headers than any',
    'REMOTE_INVALID',
    (r) => void r.writeHead(200, { ...JSON_TYPE, 'x-pad': 'x'.repeat(60_000) }).end(),
  ],
  [
    'promises an answer for ever',
    'REMOTE_INVALID',
    (r) => {
      const timer = setInterval(() => r.writeProcessing(), 2);
      r.on('close', () => clearInterval(timer));
    },
  ],
  ['speaks no HTTP', 'REMOTE_INVALID', raw('220 mail.example ESMTP\r\n\r\n')],
  [
    'says twice how long it is',
    'REMOTE_INVALID',
    raw('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'),
  ],
  [
    'says its length in two ways',
    'REMOTE_INVALID',
    raw('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'),
  ],
  [
    'folds its headers',
    'REMOTE_INVALID',
    raw('HTTP/1.1 200 OK\r\ncontent-type: a\r\n b\r\ncontent-length: 2\r\n\r\n{}'),
  ],
  [
    'changes to another protocol',
    'REMOTE_INVALID',
    raw('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
  ],
  [
    'has two types',
    'REMOTE_INVALID',
    raw(
      'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    ),
  ],
];

/** Silence is waited out, and not for as long as a busy machine may take to answer. */
const limitsFor = (code: string): typeof LIMITS =>
  code === 'SERVER_SILENT' ? LIMITS : { ...LIMITS, wholeMs: PATIENCE_MS };
const patienceFor = (code: string): number => (code === 'SERVER_SILENT' ? 10_000 : PATIENCE_MS);

describe('a server that', () => {
  it.each(ROWS)('%s is refused: %s', async (_, code, answer) => {
    const { url } = await serveTls(
      afterGreeting((request, response, body) => answer(response, body, request)),
    );
    const connected = await greeted(url, limitsFor(code));
    expect(await refusalIn(connected, patienceFor(code))).toBe(code);
  });

  it.each(ROWS.filter(([, code]) => code !== 'FRAME_TOO_LARGE'))(
    '%s as its first word is refused before anything: %s',
    async (what, code, answer) => {
      const { url } = await serveTls((request, response, body) => answer(response, body, request));
      const connected = await connectTo(url, { limits: limitsFor(code) });
      const asked = connected.peer.ask('initialize', {}, patienceFor(code));
      const found = await asked.then(
        () => 'it was answered',
        (error: LockkeeperError) => error.code,
      );
      expect(found).toBe(what === 'has forgotten the session' ? 'REMOTE_INVALID' : code);
    },
  );

  it('never ends an answer that says nothing is not waited for', async () => {
    const usual = afterGreeting(
      (_, response, body) => void response.writeHead(200, JSON_TYPE).end(result(body)),
    );
    const { url } = await serveTls((request, response, body) => {
      if (body.includes('notifications/initialized')) response.writeHead(202).write('x');
      else usual(request, response, body);
    });
    const { peer } = await greeted(url);
    await expect(peer.ask('tools/call', { name: 'x' }, PATIENCE_MS)).resolves.toBeDefined();
  });

  it('fails one call does not fail the next', async () => {
    let calls = 0;
    const { url } = await serveTls(
      afterGreeting((_, response, body) => {
        if (++calls === 1) return void response.socket?.destroy();
        response.writeHead(200, JSON_TYPE).end(result(body));
      }),
    );
    const connected = await greeted(url);
    expect(await refusalIn(connected)).toBe('SERVER_DIED');
    expect(await connected.peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ ok: true });
    expect(calls).toBe(2);
  });
});

describe('what comes', () => {
  it('is held back where nobody reads, and waits outside', async () => {
    let sent = 0;
    const chunk = `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${'x'.repeat(10_000)}"}}\n\n`;
    const { url } = await serveTls((_, response) => {
      response.writeHead(200, EVENTS);
      const more = (): void => {
        for (let free = true; free && !response.destroyed; sent += chunk.length) free = response.write(chunk);
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const { server, peer } = await connectTo(url, { limits: LIMITS });
    server.stdout.pause();
    peer.tell('notifications/x');
    peer.ask('initialize', {}, 60_000).catch(() => undefined);
    let before = -1;
    await until(async () => {
      before = sent;
      await sleep(500);
      return sent === before;
    });
    // What the kernel and TLS hold on both sides, and our own few chunks.
    expect(sent).toBeLessThan(16 * 1024 * 1024);
    await server.stop(0);
  });

  it('waits outside as well while the server does not take that the session is open', async () => {
    let take: () => void = () => undefined;
    const { url, seen } = await serveTls((_, response, body) => {
      if (body.includes('notifications/initialized')) take = () => void response.writeHead(202).end();
      else if (body.includes('initialize')) response.writeHead(200, JSON_TYPE).end(result(body));
      else response.writeHead(202).end();
    });
    const { server, peer } = await connectTo(url);
    await peer.ask('initialize', {}, PATIENCE_MS);
    peer.tell('notifications/initialized');
    await until(() => seen.length === 2);
    let taken = 0;
    for (let at = 0; at < 9; at++)
      server.stdin.write('{"jsonrpc":"2.0","method":"notifications/x"}\n', () => void taken++);
    await turn();
    expect(taken).toBe(0);
    take();
    await until(() => taken === 9 && seen.filter(({ body }) => body.includes('/x')).length === 9);
  });

  it('may be written over several lines, and is one', async () => {
    const { url } = await serveTls(
      afterGreeting((_, response, body) => {
        const lines = JSON.stringify(JSON.parse(result(body, { result: { text: 'a\nb' } })), null, 2);
        if (Math.random() < 2)
          response.writeHead(200, EVENTS).end(
            lines
              .split('\n')
              .map((line) => `data: ${line}\n`)
              .join('')
              .concat('\n'),
          );
      }),
    );
    const { peer, bad } = await greeted(url);
    expect(await peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ text: 'a\nb' });
    expect(bad).toEqual([]);
  });
});

describe('answers that are not whole', () => {
  const part = `{"jsonrpc":"2.0","id":`;
  /** A server that begins each answer with so many bytes as its call says, and ends it when it is told to. */
  const slow = async (limits: object) => {
    const ends: (() => void)[] = [];
    const { url } = await serveTls(
      afterGreeting((_, response, body) => {
        const { id, params } = JSON.parse(body) as { id: string; params: { size: number } };
        const begun = `${part}${JSON.stringify(id)},"result":{"x":"${'x'.repeat(params.size)}`;
        response.writeHead(200, JSON_TYPE).write(begun);
        ends.push(() => response.end('"}}'));
      }),
    );
    const connected = await connectTo(url, { limits: { ...LIMITS, wholeMs: PATIENCE_MS, ...limits } });
    await connected.peer.ask('initialize', {}, PATIENCE_MS);
    connected.peer.tell('notifications/initialized');
    const call = (size: number): Promise<string> =>
      connected.peer.ask('tools/call', { size }, PATIENCE_MS).then(
        ({ x }) => `whole ${String(x).length}`,
        (error: LockkeeperError) => (error.cause as { message: string }).message,
      );
    return { call, ends };
  };

  it.each([
    ['one remote server', { heldBytes: 400_000 }],
    ['all remote servers', { heldByAll: 400_000 }],
  ])(
    'are bounded for %s: one too many is refused by name, small ones and the others are not',
    async (whose, limits) => {
      const { call, ends } = await slow(limits);
      const first = [call(250_000), call(250_000)];
      const third = call(250_000);
      // Each of them holds its part before the next is judged by what all hold.
      const refused = await Promise.race([third, ...first]);
      expect(refused).toContain(`at most 400000 bytes of answers of ${whose} that are not whole yet`);
      const small = call(1000);
      await until(() => ends.length === 4);
      for (const end of ends) end();
      const all = await Promise.all([...first, third, small]);
      expect(all.filter((said) => said.startsWith('whole'))).toEqual([
        'whole 250000',
        'whole 250000',
        'whole 1000',
      ]);
      // What they held is let go of.
      const again = [call(250_000), call(250_000)];
      await until(() => ends.length === 6);
      for (const end of ends.slice(4)) end();
      expect(await Promise.all(again)).toEqual(['whole 250000', 'whole 250000']);
    },
  );
});

describe('a session id', () => {
  it.each([
    ['with a space', 'a b'],
    ['without a character', ''],
    ['of 2000 characters', 'x'.repeat(2000)],
    ['of which there are two', ['a', 'b']],
  ])('%s is refused', async (_, id) => {
    const { url, seen } = await serveTls((__, response, body) => {
      response.writeHead(200, { ...JSON_TYPE, 'mcp-session-id': id }).end(result(body));
    });
    const { peer } = await connectTo(url, { limits: LIMITS });
    await expect(peer.ask('initialize', {}, PATIENCE_MS)).rejects.toMatchObject({ code: 'REMOTE_INVALID' });
    expect(seen).toHaveLength(1);
  });
});

describe('the old transport', () => {
  const events = (...said: string[]): Promise<Served> =>
    serveTls((request, response) => {
      if (request.method === 'GET') response.writeHead(200, EVENTS).write(said.join(''));
      else response.writeHead(202).end();
    });

  it.each([
    ['at another place', 'event: endpoint\ndata: https://evil.example/messages\n\n'],
    ['at another place without a scheme', 'event: endpoint\ndata: //evil.example/messages\n\n'],
    ['at another port', 'event: endpoint\ndata: https://localhost:1/messages\n\n'],
    ['without TLS', 'event: endpoint\ndata: http://localhost/messages\n\n'],
    ['with a user', 'event: endpoint\ndata: https://evil@localhost/messages\n\n'],
    ['that is none', 'event: endpoint\ndata: https://[\n\n'],
    ['never', ': hello\n\n'],
    ['that has no end', 'event: endpoint\ndata: /mess'],
  ])('that names an address %s is refused', async (_, said) => {
    const { url, seen } = await events(said);
    await expect(connectTo(url, { transport: 'http-sse', limits: LIMITS })).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:REMOTE_INVALID|SERVER_SILENT)$/),
    });
    expect(seen.map(({ method }) => method)).toEqual(['GET']);
  });

  it('that answers nothing that was taken back has room for what comes next', async () => {
    let opened: ServerResponse | undefined;
    const { url, seen } = await serveTls((request, response, body) => {
      if (request.method === 'GET') {
        response.writeHead(200, EVENTS).write('event: endpoint\ndata: /messages\n\n');
        opened = response;
        return;
      }
      response.writeHead(202).end();
      if (body.includes('last')) opened?.write(`data: ${result(body)}\n\n`);
    });
    const limits = { ...LIMITS, takenMs: PATIENCE_MS };
    const { peer } = await connectTo(url, { transport: 'http-sse', limits });
    const say = (message: object): void =>
      peer.send(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })));
    for (let id = 1; id <= MAX_ASKED; id++) {
      say({ id, method: 'tools/call', params: { name: 'never' } });
      say({ method: 'notifications/cancelled', params: { requestId: id } });
    }
    await until(() => seen.length === 1 + 2 * MAX_ASKED);
    expect(await peer.ask('tools/call', { name: 'last' }, PATIENCE_MS)).toEqual({ ok: true });
  });

  it('that names a second address is dead', async () => {
    const { url } = await events('event: endpoint\ndata: /one\n\n', 'event: endpoint\ndata: /two\n\n');
    const refused = await connectTo(url, { transport: 'http-sse', limits: LIMITS }).then(
      ({ gone }) => gone,
      (error: LockkeeperError) => error,
    );
    expect(refused.code).toBe('REMOTE_INVALID');
  });
});
