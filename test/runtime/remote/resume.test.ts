/** Streams that break: what a session can take up again, it does; what it cannot is told. */
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { encode } from '../../../runtime/wire/message.ts';
import { type Connected, connectTo, type Served, serveTls } from '../../helpers/remote.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

const EVENTS = { 'content-type': 'text/event-stream' };
const JSON_TYPE = { 'content-type': 'application/json' };

interface Script {
  /** The answer to a call. */
  readonly call: (respond: (...events: string[]) => void, id: unknown, hangUp: () => void) => void;
  /** The answer to each GET: events, or a status. */
  readonly get?: (lastId: string | undefined, id: unknown, nth: number) => string[] | number;
  /** Leaves GET open after its events. */
  readonly stays?: boolean;
}

async function scripted({ call, get = () => 405, stays = false }: Script): Promise<Served> {
  let asked: unknown;
  let gets = 0;
  return serveTls((request, response, body) => {
    if (request.method === 'GET') {
      const said = get(request.headers['last-event-id'] as string | undefined, asked, gets++);
      if (typeof said === 'number') return void response.writeHead(said).end();
      response.writeHead(200, EVENTS).write(said.join('') || ':\n\n');
      if (!stays) response.end();
      return;
    }
    const { id, method } = JSON.parse(body) as { id?: unknown; method?: string };
    if (method === 'initialize') {
      const result = { protocolVersion: '2025-11-25' };
      return void response
        .writeHead(200, { ...JSON_TYPE, 'mcp-session-id': 's1' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    }
    if (id === undefined || method === undefined) return void response.writeHead(202).end();
    asked = id;
    response.writeHead(200, EVENTS);
    call(
      (...events) => void response.end(events.join('')),
      id,
      () => {
        response.write('id: broken\nretry: 100\ndata:\n\n');
        setTimeout(() => response.socket?.destroy(), 30);
      },
    );
  });
}

async function greeted(url: string): Promise<Connected> {
  const connected = await connectTo(url);
  await connected.peer.ask('initialize', {}, PATIENCE_MS);
  connected.peer.tell('notifications/initialized');
  return connected;
}

const resultOf = (id: unknown): string =>
  `data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { ok: true } })}\n\n`;
const notice = (n: number): string =>
  `id: n${n}\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { n } })}\n\n`;

describe('a call whose stream ends before its answer', () => {
  it('is taken up where the server said how', async () => {
    const { url, seen } = await scripted({
      call: (respond) => respond('id: one\nretry: 100\ndata:\n\n'),
      get: (last, id) => (last === 'one' ? [resultOf(id)] : 405),
    });
    const { peer } = await greeted(url);
    expect(await peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ ok: true });
    const taken = seen.filter(({ headers }) => headers['last-event-id'] === 'one');
    expect(taken).toHaveLength(1);
    expect(taken[0]?.headers['mcp-session-id']).toBe('s1');
  });

  it('is taken up after the connection broke as well, as often as something new came', async () => {
    const { url } = await scripted({
      call: (_, __, hangUp) => hangUp(),
      get: (last, id) => {
        if (last === 'broken') return ['id: two\ndata:\n\n'];
        return last === 'two' ? [resultOf(id)] : 405;
      },
    });
    const { peer } = await greeted(url);
    expect(await peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ ok: true });
  });

  it('is told as failed where it cannot be taken up, and is not asked again', async () => {
    const { url, seen } = await scripted({
      call: (respond) => respond('id: one\nretry: 100\ndata:\n\n'),
      get: () => 400,
    });
    const { peer } = await greeted(url);
    const error = (await peer
      .ask('tools/call', {}, PATIENCE_MS)
      .catch((thrown: Error) => thrown)) as Error & {
      found?: string;
    };
    expect(error.found).toContain('REMOTE_INVALID');
    const calls = seen.filter(({ method, body }) => method === 'POST' && body.includes('tools/call'));
    expect(calls).toHaveLength(1);
  });

  it('is not taken up again and again without a pause, whatever is promised', async () => {
    const opened: number[] = [];
    const { url } = await scripted({
      call: (respond) => respond('id: one\nretry: 0\ndata:\n\n'),
      get: (last, id, nth) => {
        if (last === undefined) return 405;
        opened.push(performance.now());
        return nth < 14 ? [`id: n${nth}\nretry: 0\ndata:\n\n`] : [resultOf(id)];
      },
    });
    const { peer } = await greeted(url);
    expect(await peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ ok: true });
    const pauses = opened.slice(1).map((at, nth) => at - (opened[nth] ?? at));
    expect(pauses.slice(-2).every((ms) => ms > 900)).toBe(true);
  });

  it('gives up after a few streams that bring nothing', async () => {
    const { url, seen } = await scripted({
      call: (respond) => respond('id: one\nretry: 0\ndata:\n\n'),
      get: (last) => (last === 'one' ? ['retry: 0\n\n'] : 405),
    });
    const { peer } = await greeted(url);
    await expect(peer.ask('tools/call', {}, PATIENCE_MS)).rejects.toThrow('REMOTE_INVALID');
    expect(seen.filter(({ headers }) => headers['last-event-id'] === 'one').length).toBeLessThanOrEqual(6);
  });
});

describe('the standing stream', () => {
  it('brings what the server says by itself, and goes on after its last word', async () => {
    const { url } = await scripted({
      call: (respond, id) => respond(resultOf(id)),
      get: (last) => (last === undefined ? ['retry: 100\n', notice(1)] : last === 'n1' ? [notice(2)] : []),
    });
    const { peer, heard } = await greeted(url);
    await until(() => heard.length >= 2);
    expect(heard.map((one) => (one.kind === 'notification' ? one.params.n : null))).toEqual([1, 2]);
    expect(await peer.ask('tools/call', {}, PATIENCE_MS)).toEqual({ ok: true });
  });

  it.each([405, 404, 501])(
    'is done without where there is none (%s, for a server without sessions)',
    async (status) => {
      const served = await serveTls((request, response, body) => {
        if (request.method === 'GET') return void response.writeHead(status).end();
        const { id } = JSON.parse(body) as { id?: unknown };
        if (id === undefined) return void response.writeHead(202).end();
        response.writeHead(200, JSON_TYPE).end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
      });
      const { peer } = await greeted(served.url);
      expect(await peer.ask('tools/list', {}, PATIENCE_MS)).toEqual({});
      await sleep(300);
      expect(served.seen.filter(({ method }) => method === 'GET')).toHaveLength(1);
    },
  );

  it('ends the session where the session is what is not there', async () => {
    const { url } = await scripted({ call: (respond, id) => respond(resultOf(id)), get: () => 404 });
    const { gone } = await greeted(url);
    expect(await gone).toMatchObject({ code: 'SERVER_DIED' });
  });
});

describe('what is taken back', () => {
  it('in a session is said, and its stream is left', async () => {
    let closed = false;
    const served = await serveTls((request, response, body) => {
      const { id, method } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (method === 'tools/call') {
        response.on('close', () => {
          closed = true;
        });
        return void response.writeHead(200, EVENTS).write(':\n\n');
      }
      if (id === undefined) return void response.writeHead(202).end();
      response.writeHead(200, JSON_TYPE).end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
    });
    const { peer } = await greeted(served.url);
    peer.send(encode({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'x' } }));
    await until(() => served.seen.some(({ body }) => body.includes('tools/call')));
    peer.send(encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }));
    await until(() => closed);
    expect(closed).toBe(true);
    expect(served.seen.some(({ body }) => body.includes('notifications/cancelled'))).toBe(true);
  });

  it('in a session leaves the next request of the same id alone', async () => {
    const streams: ServerResponse[] = [];
    let taken: ServerResponse | undefined;
    const served = await serveTls((request, response, body) => {
      const { id, method } = JSON.parse(body || '{}') as { id?: unknown; method?: string };
      if (request.method !== 'POST') return void response.writeHead(405).end();
      if (method === 'tools/call') {
        streams.push(response);
        return void response.writeHead(200, EVENTS).write(resultOf(id));
      }
      if (method === 'notifications/cancelled') return void (taken = response);
      if (id === undefined) return void response.writeHead(202).end();
      response.writeHead(200, JSON_TYPE).end(JSON.stringify({ jsonrpc: '2.0', id, result: {} }));
    });
    const { peer, heard } = await greeted(served.url);
    const call = encode({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'x' } });
    peer.send(call);
    await until(() => heard.length === 1);
    peer.send(encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }));
    await until(() => taken !== undefined);
    peer.send(call);
    await until(() => heard.length === 2);
    taken?.writeHead(202).end();
    // Both are answered, and kept no longer than a stream is after its answer.
    await until(() => streams.length === 2 && streams.every(({ closed }) => closed), 10_000);
  });

  it('in the stateless era is its stream, and nothing is said', async () => {
    let closed = false;
    const served = await serveTls((_, response) => {
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200, EVENTS).write(':\n\n');
    });
    const { peer } = await connectTo(served.url);
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    peer.send(encode({ jsonrpc: '2.0', id: 'a', method: 'tools/call', params: { name: 'x', _meta } }));
    await until(() => served.seen.length === 1);
    peer.send(encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'a' } }));
    await until(() => closed);
    expect(closed).toBe(true);
    expect(served.seen).toHaveLength(1);
  });
});
