/** Hearing of revocations, from registries that break off, lie or never stop talking. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { EventReader, type ServerEvent } from '../../cli/events.ts';
import { revocationsOf, type Timing } from '../../cli/revocations.ts';
import type { RevocationEvent } from '../../schemas/revocation.ts';
import { PATIENCE_MS } from '../helpers/wait.ts';

const FAST: Timing = { pollMs: 200, connectMs: 300, silenceMs: 300, firstWaitMs: 20 };
/** For streams that answer, however busy the machine is. */
const PATIENT: Timing = { ...FAST, connectMs: PATIENCE_MS, silenceMs: PATIENCE_MS };
const digest = `sha256:${'a'.repeat(64)}`;
const eventOf = (id: number): RevocationEvent => ({
  id,
  server: 'acme.tools/weather',
  version: `1.0.${id}`,
  closureDigest: digest,
  reason: 'found a hole',
  revokedBy: 'alice',
  at: '2026-11-24T12:00:00.000Z',
  signedBy: null,
  digest,
  envelope: null,
});
const sse = (id: number): string => `id: ${id}\nevent: revocation\ndata: ${JSON.stringify(eventOf(id))}\n\n`;

let server: Server | undefined;
let over: AbortController | undefined;
afterEach(() => {
  over?.abort();
  server?.closeAllConnections();
  server?.close();
});

interface World {
  readonly heard: number[];
  readonly said: string[];
  readonly asked: string[];
}

/** A registry that answers streams and questions as it is told. */
async function listenTo(
  stream: (response: ServerResponse, request: IncomingMessage, nth: number) => void,
  list: (after: number) => unknown = (after) => ({ revocations: [], next: String(after) }),
  timing: Timing = FAST,
): Promise<World> {
  let nth = 0;
  const world: World = { heard: [], said: [], asked: [] };
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    world.asked.push(`${url.pathname}${url.search}`);
    if (url.pathname.endsWith('/stream')) return stream(response, request, ++nth);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(list(Number(url.searchParams.get('after')))));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const api = openApi(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'lk_t');
  over = new AbortController();
  revocationsOf(api, { say: (line) => void world.said.push(line), timing }).subscribe(
    'acme.tools/weather',
    (event) => void world.heard.push((event as RevocationEvent | undefined)?.id ?? -1),
    over.signal,
  );
  return world;
}

const opened = (response: ServerResponse): ServerResponse => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': open\n\n');
  return response;
};

describe('revocations over a stream', () => {
  it('come at once; after a break the thread is taken up by the last id, and nothing is asked twice', async () => {
    const world = await listenTo(
      (response, _request, nth) => {
        opened(response);
        if (nth === 1) response.end(sse(3) + sse(5));
        if (nth === 2) response.write(sse(8));
      },
      undefined,
      PATIENT,
    );
    await expect.poll(() => world.heard).toEqual([3, 5, 8]);
    const streams = world.asked.filter((path) => path.includes('stream'));
    expect(streams).toEqual([
      '/v1/revocations/stream?server=acme.tools%2Fweather&after=0',
      '/v1/revocations/stream?server=acme.tools%2Fweather&after=5',
    ]);
    expect(world.said).toEqual([]);
  });

  it('are asked for while there is no stream, and a person is told once', async () => {
    let refuse = true;
    const world = await listenTo(
      (response) => {
        if (!refuse) return void opened(response);
        response.writeHead(429, { 'content-type': 'application/problem+json' }).end('{}');
      },
      (after) => ({ revocations: after < 4 ? [eventOf(4)] : [], next: '4' }),
    );
    await expect.poll(() => world.heard).toEqual([4]);
    await sleep(600);
    expect(world.heard).toEqual([4]);
    expect(world.said).toHaveLength(1);
    expect(world.said[0]).toContain('cut off');
    refuse = false;
    await sleep(700);
    expect(world.asked.length).toBeLessThan(30);
  });

  it('a stream that falls silent is given up', async () => {
    const world = await listenTo(
      (response) => void opened(response),
      (after) => ({ revocations: after < 2 ? [eventOf(2)] : [], next: '2' }),
    );
    await expect.poll(() => world.heard).toEqual([2]);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['redirects', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['is a page', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(sse(9))],
    ['is a page without end', (response) => flood(response.writeHead(200), 'x')],
    ['fails without end', (response) => flood(response.writeHead(500), 'x')],
    ['is one endless line', (response) => flood(opened(response), 'data: ')],
    ['is endless lines of data', (response) => flood(opened(response), 'data\n')],
    ['is cut in the middle of an event', (response) => opened(response).end(sse(9).slice(0, 60))],
    ['never answers', () => undefined],
  ])('that %s tells nothing, and the next question is heard', async (_name, hostile) => {
    const before = process.memoryUsage().rss;
    const world = await listenTo(hostile, (after) => ({
      revocations: after < 1 ? [eventOf(1)] : [],
      next: '1',
    }));
    await expect.poll(() => world.heard).toEqual([1]);
    await sleep(500);
    expect(world.heard).toEqual([1]);
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
  });

  it('hand on what is malformed for the watcher to leave, and go on', async () => {
    const world = await listenTo(
      (response) => {
        const odd = [
          'event: revocation\ndata: {',
          'event: other\ndata: {}',
          'data: {"id":7}',
          'id: x\nid',
          ':',
        ];
        opened(response).write(`${odd.map((text) => `${text}\n\n`).join('')}${sse(6)}`);
      },
      undefined,
      PATIENT,
    );
    await expect.poll(() => world.heard).toEqual([-1, 6]);
  });
});

/** As fast as it is read. */
function flood(response: ServerResponse, text: string): void {
  const block = text.repeat(20_000);
  const more = (): void => {
    while (!response.destroyed && response.write(block));
  };
  response.on('drain', more);
  more();
}

describe('server-sent events', () => {
  const read = (chunks: readonly string[]): ServerEvent[] => {
    const events: ServerEvent[] = [];
    const reader = new EventReader((event) => void events.push(event));
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
    return events;
  };

  it('are read the same however the bytes are cut', () => {
    const text =
      'retry: 5\r\nid: 1\r\nevent: a\r\ndata: x\r\ndata:y\r\n\r\n: beat\n\ndata: ü\n\nid: 2\n\ndata\n\n';
    const wanted = [
      { id: '1', type: 'a', data: 'x\ny' },
      { id: '1', type: '', data: 'ü' },
      { id: '2', type: '', data: '' },
    ];
    expect(read([text])).toEqual(wanted);
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    const events: ServerEvent[] = [];
    const reader = new EventReader((event) => void events.push(event));
    for (const byte of bytes) reader.push(byte);
    expect(events).toEqual(wanted);
  });

  it('end at the limit', () => {
    expect(() => read(['data: ', 'x'.repeat(300_000)])).toThrow('larger than the limit');
    expect(() => read(Array.from({ length: 100_000 }, () => 'data\n'))).toThrow('larger than the limit');
  });
});
