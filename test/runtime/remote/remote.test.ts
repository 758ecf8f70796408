/** Real servers of both SDKs behind TLS on loopback, spoken to through our carrier. */
import { describe, expect, it } from 'vitest';
import {
  CLIENT_CAPABILITIES,
  captureSurface,
  SESSION_VERSION,
  STATELESS_VERSION,
  statelessMeta,
} from '../../../runtime/session/capture.ts';
import type { Peer } from '../../../runtime/session/peer.ts';
import { encode } from '../../../runtime/wire/message.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import type { Era } from '../../../schemas/surface.ts';
import { connectTo, type Served, serveBoth, serveOld, serveSessions } from '../../helpers/remote.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

async function greet(peer: Peer, era: Era): Promise<string[]> {
  const protocolVersion = era === 'session' ? SESSION_VERSION : STATELESS_VERSION;
  const { surface } = await captureSurface(peer, {
    ...{ era, protocolVersion, clientCapabilities: CLIENT_CAPABILITIES, timeoutMs: PATIENCE_MS },
  });
  return Object.keys(surface.tools);
}

function call(era: Era, name: string, args: JsonObject = {}): JsonObject {
  const meta = era === 'stateless' ? { _meta: statelessMeta(CLIENT_CAPABILITIES) } : {};
  return { name, arguments: args, ...meta };
}

describe.each<[string, Era, () => Promise<Served>, 'streamable-http' | 'http-sse']>([
  ['sessions that answer in events', 'session', () => serveSessions(), 'streamable-http'],
  ['sessions that answer in JSON', 'session', () => serveSessions(true), 'streamable-http'],
  ['the stateless era', 'stateless', () => serveBoth(), 'streamable-http'],
  ['the newer SDK in the older era', 'session', () => serveBoth('stateless'), 'streamable-http'],
  ['the old transport', 'session', serveOld, 'http-sse'],
])('%s', (_, era, serve, transport) => {
  it('shows its surface and answers calls', async () => {
    const { url } = await serve();
    const { peer, server, events, bad } = await connectTo(url, { transport });
    expect(await greet(peer, era)).toContain('echo');
    const result = await peer.ask('tools/call', call(era, 'echo', { text: 'hé\u2028llo' }), PATIENCE_MS);
    expect(result.content).toEqual([{ type: 'text', text: 'hé\u2028llo' }]);
    const many = await Promise.all(
      Array.from({ length: 32 }, (__, i) =>
        peer.ask('tools/call', call(era, 'echo', { text: `${i}` }), PATIENCE_MS),
      ),
    );
    expect(many.map(({ content }) => (content as { text: string }[])[0]?.text)).toEqual(
      Array.from({ length: 32 }, (__, i) => `${i}`),
    );
    expect(bad).toEqual([]);
    expect(
      events.every(({ host, via, outcome }) => `${host} ${via} ${outcome}` === 'localhost remote allowed'),
    ).toBe(true);
    expect(server.isolation).toMatchObject({ driver: 'remote', tls: 'TLSv1.3', address: '127.0.0.1' });
    await server.stop(2000);
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a session', () => {
  it('keeps its id and version in each request, listens, and says goodbye', async () => {
    const { url, seen } = await serveSessions();
    const { peer, server } = await connectTo(url);
    await greet(peer, 'session');
    const get = await until(() => seen.find(({ method }) => method === 'GET'));
    const [first, ...rest] = seen.filter(({ method }) => method === 'POST');
    expect(first?.headers['mcp-session-id']).toBeUndefined();
    expect(first?.headers['mcp-protocol-version']).toBeUndefined();
    const id = get.headers['mcp-session-id'];
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    for (const { headers } of rest)
      expect([headers['mcp-session-id'], headers['mcp-protocol-version']]).toEqual([id, SESSION_VERSION]);
    expect(first?.headers['accept-encoding']).toBe('identity');
    await server.stop(2000);
    expect(seen.at(-1)).toMatchObject({ method: 'DELETE', headers: { 'mcp-session-id': id } });
  });

  it('passes progress and the questions of a server, and its answers back', async () => {
    const { url } = await serveSessions();
    const { peer, heard } = await connectTo(url);
    await greet(peer, 'session');
    await peer.ask('tools/call', { ...call('session', 'slow'), _meta: { progressToken: 7 } }, PATIENCE_MS);
    expect(heard.map((one) => (one.kind === 'notification' ? one.params.progress : null))).toEqual([1, 2, 3]);
    const asked = peer.ask('tools/call', call('session', 'ask'), PATIENCE_MS);
    const question = await until(() => heard.find(({ kind }) => kind === 'request'));
    if (question.kind !== 'request') throw new Error('no question');
    expect(question.method).toBe('elicitation/create');
    peer.send(encode({ jsonrpc: '2.0', id: question.id, result: { action: 'decline' } }));
    expect((await asked).content).toEqual([{ type: 'text', text: 'decline' }]);
  });

  it('is dead once the server has forgotten it', async () => {
    const { url, forget } = await serveSessions();
    const { peer, gone } = await connectTo(url);
    await greet(peer, 'session');
    forget();
    await expect(peer.ask('tools/list', {}, PATIENCE_MS)).rejects.toMatchObject({ code: 'SERVER_DIED' });
    expect((await gone).found).toContain('forgotten');
  });
});

describe('the stateless era', () => {
  it('says in headers what the message says', async () => {
    const { url, seen } = await serveBoth();
    const { peer } = await connectTo(url);
    await greet(peer, 'stateless');
    await peer.ask('tools/call', call('stateless', 'echo', { text: 'x' }), PATIENCE_MS);
    expect(seen.at(-1)?.headers).toMatchObject({
      'mcp-protocol-version': STATELESS_VERSION,
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    });
    expect(seen.some(({ headers }) => headers['mcp-session-id'] !== undefined)).toBe(false);
    expect(seen.some(({ method }) => method === 'GET')).toBe(false);
  });
});
