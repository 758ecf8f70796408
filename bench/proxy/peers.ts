/** The npm gateways that put a server over stdio behind HTTP, in their exact versions, one at a time. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { installed } from '../../test/clients/install.ts';
import { SCRIPTED } from '../../test/helpers/session.ts';
import { httpCaller } from './callers.ts';
import type { Cases } from './cases.ts';

const READY_MS = 20_000;

interface Peer {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  /** Below its package. */
  readonly main: string;
  words(port: number): string[];
}

const SERVER = [process.execPath, SCRIPTED];

const PEERS: readonly Peer[] = [
  {
    name: 'supergateway',
    package: 'supergateway',
    version: '4.0.0',
    main: 'dist/index.js',
    words: (port) => [
      ...['--stdio', SERVER.join(' '), '--outputTransport', 'streamableHttp', '--stateful'],
      ...['--port', String(port), '--streamableHttpPath', '/mcp', '--logLevel', 'none'],
    ],
  },
  ...[false, true].map((keeps) => ({
    name: keeps ? 'mcp-proxy' : 'mcp-proxy, no event store',
    package: 'mcp-proxy',
    version: '6.7.19',
    main: 'dist/bin/mcp-proxy.mjs',
    words: (port: number) => [
      ...['--port', String(port), '--host', '127.0.0.1', '--server', 'stream'],
      ...(keeps ? [] : ['--no-eventStore']),
      ...['--', ...SERVER],
    ],
  })),
];

/** Installs what is not in the cache yet, starts each and adds it; throws for one that does not answer. */
export async function addPeers(cases: Cases, say: (line: string) => void): Promise<void> {
  for (const peer of PEERS) {
    const modules = await installed({ ...peer, here: false }, say);
    const port = await freePort();
    const child = cases.start([`${modules}/${peer.package}/${peer.main}`, ...peer.words(port)]);
    child.stdout.resume();
    const url = `http://127.0.0.1:${port}/mcp`;
    const start = async () => ({ pid: child.pid ?? null, caller: await ready(url) });
    await cases.add({ name: peer.name, topology: 'HTTP to stdio', era: 'session', kind: 'peer' }, start);
  }
}

async function ready(url: string): ReturnType<typeof httpCaller> {
  const until = performance.now() + READY_MS;
  for (;;) {
    try {
      return await httpCaller(url, 'session');
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(200);
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const at = server.address();
      const port = typeof at === 'object' && at !== null ? at.port : 0;
      server.close(() => resolve(port));
    });
  });
}
