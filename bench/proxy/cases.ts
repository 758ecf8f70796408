/** Every way from a client to a server that is measured, each with processes of its own that stay for all rounds. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Era } from '../../schemas/surface.ts';
import { SCRIPTED } from '../../test/helpers/session.ts';
import { within } from '../measure.ts';
import { type Caller, httpCaller, stdioCaller } from './callers.ts';
import { SDK_SERVER, type World } from './world.ts';

const here = (name: string): string => join(import.meta.dirname, name);
const MAIN = here('../../cli/main.ts');
/** As people have it installed: `npm run build` makes it. */
export const BUILT = here('../../dist/cli/main.js');
const FLOOR = here('floor.ts');
const FLOOR_HTTP = here('floor-http.ts');
const PAIR = here('sdk-pair.mjs');
const UNSANDBOXED = ['--import', here('unsandboxed.mjs')];
const UNSYNCED = ['--import', here('unsynced.mjs')];
const STATELESS = '2026-07-28';
/** A gateway that has not answered until then does not. */
const READY_MS = 60_000;

export type Topology = 'stdio to stdio' | 'stdio to HTTP' | 'HTTP to stdio' | 'HTTP to HTTP';

export interface Described {
  readonly name: string;
  readonly topology: Topology;
  readonly era: Era;
  /** `direct` and `floor` are what the others are held against; `peer`: another gateway. */
  readonly kind: 'direct' | 'floor' | 'ours' | 'peer';
  /** Name of the case that it is held against: the same client and server with nothing in between. */
  readonly base: string;
}

export interface Reached {
  /** Whose processor time a call is charged with; null where nothing stands between. */
  readonly pid: number | null;
  readonly caller: Caller;
}

export interface Case extends Described, Reached {}

/** What was to be measured and cannot be. */
export interface Absent extends Described {
  readonly why: string;
}

/** How a case is reached in an era; rejects when it does not speak it. */
export type Way = (era: Era) => Promise<Reached>;

export type Piped = ChildProcessByStdio<Writable, Readable, null>;

/** Starts processes and remembers them, so that whoever made it can end them all. */
export class Cases {
  readonly list: Case[] = [];
  readonly absent: Absent[] = [];
  readonly processes: ChildProcess[] = [];
  readonly #world: World;
  readonly #main: string;

  constructor(world: World, main = MAIN) {
    this.#world = world;
    this.#main = main;
  }

  async add(one: Described, way: Way): Promise<void> {
    this.list.push({ ...one, ...(await within(READY_MS, way(one.era))) });
  }

  /** Of something that may not speak this era, or not answer at all: then that is what is told of it. */
  async tryAdd(one: Described, way: Way): Promise<void> {
    try {
      await this.add(one, way);
    } catch (error) {
      const [said = ''] = (error as Error).message.split('\n');
      const spoke = this.list.some(({ name }) => name === nameIn('session', one.name));
      const why = one.era === 'stateless' && spoke ? 'does not speak it' : 'did not answer';
      this.absent.push({ ...one, why: `${why} (${said.slice(0, 100)})` });
    }
  }

  start(
    words: readonly string[],
    { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
  ): Piped {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...words], {
      cwd: cwd ?? this.#world.dir,
      env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.on('error', () => undefined);
    this.processes.push(child);
    return child;
  }

  /** The real command, in the project of the world. */
  lk(words: readonly string[], flags: readonly string[] = []): Piped {
    const { project, home } = this.#world;
    return this.start([...flags, this.#main, ...words], { cwd: project, env: { LOCKKEEPER_HOME: home } });
  }

  folder(name: string): string {
    const dir = join(this.#world.dir, name);
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    return dir;
  }

  /** Ends every process that it started, the servers behind them too. */
  async close(): Promise<void> {
    for (const child of this.processes) child.stdin?.end();
    await Promise.all(
      this.processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const late = setTimeout(() => child.kill('SIGKILL'), 5000);
        child.kill('SIGTERM');
        await once(child, 'exit');
        clearTimeout(late);
      }),
    );
  }
}

/** What a process that serves says first. */
export async function firstWords(child: { readonly stdout: Readable }): Promise<string> {
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  child.stdout.resume();
  return said.toString();
}

/** A client that spoke to a process over its own pipes. */
export function piped(start: () => Piped, isBetween = true): Way {
  return async (era) => {
    const child = start();
    return { pid: isBetween ? (child.pid ?? null) : null, caller: await stdioCaller(child, era) };
  };
}

export function overHttp(url: string, pid: number | null): Way {
  return async (era) => ({ pid, caller: await httpCaller(url, era) });
}

/** Names of cases tell the newer era. */
export function nameIn(era: Era, name: string): string {
  const plain = name.replace(` ${STATELESS}`, '');
  return era === 'session' ? plain : `${plain} ${STATELESS}`;
}

/** Everything over pipes; in one era also what tells where the time goes. */
export async function addStdio(cases: Cases, era: Era): Promise<void> {
  const add = (name: string, kind: Described['kind'], start: () => Piped, base = 'direct'): Promise<void> => {
    const topology = 'stdio to stdio';
    const one: Described = { name: nameIn(era, name), topology, era, kind, base: nameIn(era, base) };
    return kind === 'peer'
      ? cases.tryAdd(one, piped(start))
      : cases.add(one, piped(start, kind !== 'direct'));
  };
  const floor = [FLOOR, cases.folder(`floor-${era}`), SCRIPTED];
  await add('direct', 'direct', () => cases.start([SCRIPTED]));
  await add('floor', 'floor', () => cases.start(floor));
  await add('lk run', 'ours', () => cases.lk(['run', 'here']));
  await add('lk run, no sandbox', 'ours', () => cases.lk(['run', 'here'], UNSANDBOXED));
  if (era === 'session') {
    await add('floor, nothing synced', 'floor', () => cases.start([...UNSYNCED, ...floor]));
    await add('lk run, nothing synced', 'ours', () => cases.lk(['run', 'here'], UNSYNCED));
  }
  await add('direct, SDK', 'direct', () => cases.start([SDK_SERVER]));
  await add('lk run, SDK', 'ours', () => cases.lk(['run', 'sdk']), 'direct, SDK');
  for (const sdk of ['v1', 'v2'])
    await add(`SDK ${sdk} pair`, 'peer', () => cases.start([PAIR, sdk, process.execPath, SCRIPTED]));
}

export interface Serving {
  readonly pid: number;
  readonly url: string;
}

export async function startGateway(cases: Cases, flags: readonly string[] = []): Promise<Serving> {
  const child = cases.lk(['gateway', '--listen', '127.0.0.1:0', '--json'], flags);
  const { url } = JSON.parse(await firstWords(child)) as { url: string };
  return { pid: child.pid ?? 0, url };
}

async function startFloor(cases: Cases, world: World, flags: readonly string[] = []): Promise<Serving> {
  const child = cases.start([...flags, FLOOR_HTTP, cases.folder('floor-http'), world.upstream]);
  return { pid: child.pid ?? 0, url: `http://127.0.0.1:${Number(await firstWords(child))}/mcp` };
}

/** Of the gateway's doors, the one to a server. */
export const doorOf = ({ url }: Serving, alias: string): string => `${url}/servers/${alias}/mcp`;

/** All that a client reaches over HTTP, and what goes on over HTTP; gateway and floor serve both eras. */
export async function addHttp(cases: Cases, world: World): Promise<void> {
  const [gateway, floor] = [await startGateway(cases), await startFloor(cases, world)];
  const open = await startGateway(cases, UNSANDBOXED);
  const [lazy, lazyFloor] = [await startGateway(cases, UNSYNCED), await startFloor(cases, world, UNSYNCED)];
  const base = 'direct HTTP';
  const add = (era: Era, one: Pick<Described, 'name' | 'topology' | 'kind'>, way: Way): Promise<void> =>
    cases.add({ ...one, name: nameIn(era, one.name), era, base: nameIn(era, base) }, way);
  for (const era of ['session', 'stateless'] as const) {
    const http = (name: string, kind: Described['kind'], way: Way): Promise<void> =>
      add(era, { name, topology: 'HTTP to HTTP', kind }, way);
    await http(base, 'direct', overHttp(world.upstream, null));
    await http('floor HTTP', 'floor', overHttp(floor.url, floor.pid));
    await http('lk gateway to HTTP', 'ours', overHttp(doorOf(gateway, 'elsewhere'), gateway.pid));
    const stdio = { topology: 'HTTP to stdio', kind: 'ours' } as const;
    await add(era, { name: 'lk gateway to stdio', ...stdio }, overHttp(doorOf(gateway, 'here'), gateway.pid));
    const bare = overHttp(doorOf(open, 'here'), open.pid);
    await add(era, { name: 'lk gateway to stdio, no sandbox', ...stdio }, bare);
    const away = { name: 'lk run to HTTP', topology: 'stdio to HTTP', kind: 'ours' } as const;
    await add(
      era,
      away,
      piped(() => cases.lk(['run', 'elsewhere'])),
    );
    if (era === 'stateless') continue;
    await http('floor HTTP, nothing synced', 'floor', overHttp(lazyFloor.url, lazyFloor.pid));
    const unsynced = overHttp(doorOf(lazy, 'elsewhere'), lazy.pid);
    await http('lk gateway to HTTP, nothing synced', 'ours', unsynced);
  }
}
