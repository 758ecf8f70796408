/** The gateways that npm brings, in their exact versions, each in the way between client and server that it is made for. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installed } from '../../test/clients/install.ts';
import { SCRIPTED } from '../../test/helpers/session.ts';
import { httpCaller } from './callers.ts';
import { type Cases, type Described, nameIn, piped, type Topology, type Way } from './cases.ts';
import { sseCaller } from './sse.ts';
import { SDK_SERVER, type World } from './world.ts';

const READY_MS = 15_000;
/** An npm that has not installed a package until then does not. */
const INSTALL_MS = 120_000;
const SERVER = [process.execPath, SCRIPTED];
const VERSIONS = {
  supergateway: '4.0.0',
  'mcp-proxy': '6.7.19',
  'mcp-remote': '0.15.1',
  'mcp-hub': '4.2.1',
} as const;

type Package = keyof typeof VERSIONS;

interface At {
  /** The file that npm would run for a package. */
  readonly main: (name: Package) => string;
  readonly cases: Cases;
  readonly world: World;
  /** Its own, also its home. */
  readonly dir: string;
}

interface Peer {
  readonly name: string;
  readonly topology: Topology;
  readonly needs: readonly Package[];
  open(at: At): Promise<Way>;
}

const PEERS: readonly Peer[] = [
  {
    name: 'supergateway',
    topology: 'HTTP to stdio',
    needs: ['supergateway'],
    open: (at) =>
      listening(at, (port) => [
        ...[at.main('supergateway'), '--stdio', SERVER.join(' '), '--outputTransport', 'streamableHttp'],
        ...['--stateful', '--port', String(port), '--streamableHttpPath', '/mcp', '--logLevel', 'none'],
      ]),
  },
  ...[false, true].map(
    (keeps): Peer => ({
      name: keeps ? 'mcp-proxy' : 'mcp-proxy, no event store',
      topology: 'HTTP to stdio',
      needs: ['mcp-proxy'],
      open: (at) =>
        listening(at, (port) => mcpProxy(at, port, [...(keeps ? [] : NO_STORE), '--', ...SERVER])),
    }),
  ),
  { name: 'mcp-hub', topology: 'HTTP to stdio', needs: ['mcp-hub'], open: hub },
  {
    name: 'supergateway to HTTP',
    topology: 'stdio to HTTP',
    needs: ['supergateway'],
    open: async (at) =>
      own(at, [at.main('supergateway'), '--streamableHttp', at.world.upstream, '--logLevel', 'none']),
  },
  {
    name: 'mcp-remote',
    topology: 'stdio to HTTP',
    needs: ['mcp-remote'],
    open: async (at) => own(at, mcpRemote(at)),
  },
  {
    name: 'mcp-proxy before mcp-remote',
    topology: 'HTTP to HTTP',
    needs: ['mcp-proxy', 'mcp-remote'],
    open: (at) =>
      listening(at, (port) => mcpProxy(at, port, [...NO_STORE, '--', process.execPath, ...mcpRemote(at)])),
  },
];

const NO_STORE = ['--no-eventStore'];

function mcpProxy({ main }: At, port: number, more: readonly string[]): string[] {
  return [main('mcp-proxy'), '--port', String(port), '--host', '127.0.0.1', '--server', 'stream', ...more];
}

function mcpRemote({ main, world }: At): string[] {
  return [main('mcp-remote'), world.upstream, '--allow-http', '--transport', 'http-only', '--silent'];
}

/** One process serves all clients. */
async function listening({ cases, dir }: At, words: (port: number) => string[]): Promise<Way> {
  const port = await freePort();
  const child = cases.start(words(port), { env: { HOME: dir } });
  child.stdout.resume();
  const url = `http://127.0.0.1:${port}/mcp`;
  return async (era) => ({
    pid: child.pid ?? null,
    caller: await (era === 'session' ? patiently(() => httpCaller(url, era)) : httpCaller(url, era)),
  });
}

/** A client has a process of its own. */
function own({ cases, dir }: At, words: readonly string[]): Way {
  return piped(() => cases.start(words, { env: { HOME: dir } }));
}

/** It has the old transport alone, other names for tools, and no word for the version of the hand-written server. */
async function hub({ main, cases, dir }: At): Promise<Way> {
  const config = join(dir, 'servers.json');
  const here = { command: process.execPath, args: [SDK_SERVER] };
  writeFileSync(config, JSON.stringify({ mcpServers: { here } }));
  const port = await freePort();
  const words = [main('mcp-hub'), '--port', String(port), '--config', config];
  const child = cases.start(words, { env: { HOME: dir } });
  child.stdout.resume();
  return async (era) => {
    if (era === 'stateless') throw new Error('its transport is the old HTTP+SSE');
    const caller = await patiently(() => sseCaller(`http://127.0.0.1:${port}/mcp`, 'here__echo'));
    return { pid: child.pid ?? null, caller };
  };
}

/** Installs what is not in the cache yet, starts each and adds it, or what it said in place of the right answer. */
export async function addPeers(cases: Cases, world: World, say: (line: string) => void): Promise<void> {
  const packages = Object.keys(VERSIONS) as Package[];
  await Promise.allSettled(packages.map((name) => mainOf(name, say)));
  for (const peer of PEERS) {
    say(`starting ${peer.name}`);
    const { way, why } = await opened(peer, { cases, world, say });
    for (const era of ['session', 'stateless'] as const) {
      const [name, base] = [nameIn(era, peer.name), nameIn(era, 'direct HTTP')];
      const one: Described = { name, topology: peer.topology, era, kind: 'peer', base };
      if (way) await cases.tryAdd(one, way);
      else cases.absent.push({ ...one, why });
    }
  }
}

async function opened(
  { name, needs, open }: Peer,
  { cases, world, say }: Pick<At, 'cases' | 'world'> & { say: (line: string) => void },
): Promise<{ readonly way: Way | null; readonly why: string }> {
  const files = new Map<Package, string>();
  try {
    for (const need of needs) files.set(need, await mainOf(need, say));
    const main = (of: Package): string => files.get(of) ?? '';
    return { way: await open({ main, cases, world, dir: cases.folder(`peer-${name}`) }), why: '' };
  } catch (error) {
    const [said = ''] = (error as Error).message.split('\n');
    return { way: null, why: `was not installed or started (${said.slice(0, 100)})` };
  }
}

const mains = new Map<Package, Promise<string>>();

/** Asked once for each package: what cannot be installed is not tried again. */
function mainOf(name: Package, say: (line: string) => void): Promise<string> {
  const found = mains.get(name) ?? installedMain(name, say);
  mains.set(name, found);
  return found;
}

/** What its own package names as the program of its name. */
async function installedMain(name: Package, say: (line: string) => void): Promise<string> {
  const wanted = { package: name, version: VERSIONS[name], here: false };
  const modules = await installed(wanted, say, AbortSignal.timeout(INSTALL_MS));
  const text = readFileSync(join(modules, name, 'package.json'), 'utf8');
  const { bin } = JSON.parse(text) as { bin?: string | Record<string, string> };
  const path = typeof bin === 'string' ? bin : bin?.[name];
  if (path === undefined) throw new Error(`${name} has no program of its name`);
  return join(modules, name, path);
}

async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + READY_MS;
  for (;;) {
    try {
      return await attempt();
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
