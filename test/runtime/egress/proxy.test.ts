import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type EgressProxy, startEgressProxy } from '../../../runtime/egress/proxy.ts';
import { isInside, permits } from '../../../runtime/egress/rules.ts';
import { serverNameOf } from '../../../runtime/egress/sni.ts';
import type { EgressEvent } from '../../../runtime/ports.ts';
import { tempDir } from '../../helpers/session.ts';

let proxy: EgressProxy | undefined;
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

async function start(
  allow: string[],
  resolve: (host: string) => Promise<string>,
  onEvent?: (event: EgressEvent) => Promise<void>,
): Promise<{ path: string; events: EgressEvent[] }> {
  const events: EgressEvent[] = [];
  const path = join(tempDir(), 'p.sock');
  const keep = async (event: EgressEvent): Promise<void> => {
    events.push(event);
  };
  proxy = await startEgressProxy({ socketPath: path, allow, resolve, onEvent: onEvent ?? keep });
  return { path, events };
}

async function ask(path: string, target: string): Promise<string> {
  const socket = connect(path);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n\r\n`);
  const [chunk] = (await Promise.race([
    once(socket, 'data'),
    once(socket, 'close').then(() => [Buffer.from('closed')]),
  ])) as [Buffer];
  socket.destroy();
  return chunk.toString().split('\r\n')[0] ?? '';
}

describe('the way out', () => {
  it('is shut for everything that was not permitted, and says so to the record first', async () => {
    const { path, events } = await start(
      ['api.example.com:443', '*.weather.example:80'],
      async () => '93.184.216.34',
    );
    for (const target of [
      'evil.example:443',
      'api.example.com:80',
      'api.example.com.evil.example:443',
      'weather.example:80',
      '93.184.216.34:443',
      '[::1]:443',
      'localhost:443',
    ]) {
      expect(await ask(path, target), target).toContain('403');
    }
    expect(events).toHaveLength(7);
    expect(events.every((event) => event.outcome === 'refused')).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '10.0.0.5',
    '169.254.169.254',
    '192.168.1.1',
    '172.20.0.1',
    '100.100.0.1',
    '0.0.0.0',
    '::1',
    'fe80::1',
    'fd00::1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
  ])('is shut when a permitted name leads to %s', async (address) => {
    const { path, events } = await start(['api.example.com:443'], async () => address);
    expect(await ask(path, 'api.example.com:443')).toContain('403');
    expect(events[0]?.reason).toContain('inside');
  });

  it('is shut when the record cannot be kept', async () => {
    const { path } = await start(
      ['api.example.com:443'],
      async () => '93.184.216.34',
      () => Promise.reject(new Error('disk full')),
    );
    expect(await ask(path, 'api.example.com:443')).toBe('closed');
  });

  it('is shut when a name does not resolve', async () => {
    const { path } = await start(['api.example.com:443'], () => Promise.reject(new Error('ENOTFOUND')));
    expect(await ask(path, 'api.example.com:443')).toContain('403');
  });

  it('answers plain HTTP with the reason', async () => {
    const { path } = await start([], async () => '93.184.216.34');
    const outgoing = request({ socketPath: path, path: 'http://evil.example/collect', method: 'POST' });
    outgoing.end('data');
    const [answer] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    expect(answer.statusCode).toBe(403);
    const text = (await answer.toArray()).join('');
    expect(text).toContain('not among the permitted hosts');
  });

  it('takes reports of direct attempts, and no nonsense', async () => {
    const { path, events } = await start([], async () => '');
    for (const body of [
      '{"host":"1.2.3.4","port":25}',
      'nonsense',
      '{"host":"x","host":"y"}',
      'x'.repeat(10_000),
    ]) {
      const outgoing = request({ socketPath: path, path: '/report', method: 'POST' });
      outgoing.on('error', () => undefined);
      outgoing.end(body);
      await once(outgoing, 'close');
    }
    expect(events).toMatchObject([{ host: '1.2.3.4', port: 25, via: 'report', outcome: 'refused' }]);
  });
});

describe('the rules', () => {
  it('match whole names and whole suffixes', () => {
    expect([
      permits(['*.a.example:443'], 'x.a.example', 443),
      permits(['*.a.example:443'], 'a.example', 443),
      permits(['*.a.example:443'], 'xa.example', 443),
      permits([], 'a', 1),
    ]).toEqual([true, false, false, false]);
    expect([isInside('8.8.8.8'), isInside('2606:4700::1111'), isInside('not an address')]).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('reads the name of a TLS hello, and none from noise', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const tls = await import('node:tls');
    const client = tls.connect({
      port: (server.address() as { port: number }).port,
      host: '127.0.0.1',
      servername: 'api.example.com',
    });
    client.on('error', () => undefined);
    const [socket] = (await once(server, 'connection')) as [import('node:net').Socket];
    const [hello] = (await once(socket, 'data')) as [Buffer];
    expect(serverNameOf(hello)).toBe('api.example.com');
    expect([
      serverNameOf(Buffer.from('GET / HTTP/1.1')),
      serverNameOf(hello.subarray(0, 40)),
      serverNameOf(Buffer.alloc(0)),
    ]).toEqual([null, null, null]);
    client.destroy();
    socket.destroy();
    server.close();
  });
});
