/** Every way from a client to a server that is measured, each with processes of its own that stay for all rounds. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Era } from '../../schemas/surface.ts';
import { SCRIPTED } from '../../test/helpers/session.ts';
import { type Caller, httpCaller, stdioCaller } from './callers.ts';
import type { World } from './world.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const FLOOR = join(import.meta.dirname, 'floor.ts');
const FLOOR_HTTP = join(import.meta.dirname, 'floor-http.ts');
const UNSANDBOXED = join(import.meta.dirname, 'unsandboxed.ts');

export type Topology = 'stdio to stdio' | 'HTTP to stdio' | 'HTTP to HTTP';

export interface Case {
  readonly name: string;
  readonly topology: Topology;
  readonly era: Era;
  /** `direct` and `floor` are what the others are held against; `peer`: another gateway. */
  readonly kind: 'direct' | 'floor' | 'ours' | 'peer';
  /** Whose processor time a call is charged with; null where nothing stands between. */
  readonly pid: number | null;
  readonly caller: Caller;
}

type Piped = ChildProcessByStdio<Writable, Readable, null>;

/** Starts processes and remembers them, so that whoever made it can end them all. */
export class Cases {
  readonly list: Case[] = [];
  readonly processes: ChildProcess[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async add(one: Omit<Case, 'pid' | 'caller'>, start: (era: Era) => Promise<Pick<Case, 'pid' | 'caller'>>) {
    this.list.push({ ...one, ...(await start(one.era)) });
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
  lk(...words: string[]): Piped {
    const { project, home } = this.#world;
    return this.start([MAIN, ...words], { cwd: project, env: { LOCKKEEPER_HOME: home } });
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
function piped(child: Piped, isBetween = true) {
  return async (era: Era): Promise<Pick<Case, 'pid' | 'caller'>> => ({
    pid: isBetween ? (child.pid ?? null) : null,
    caller: await stdioCaller(child, era),
  });
}

export async function addStdio(cases: Cases, world: World, era: Era): Promise<void> {
  const topology = 'stdio to stdio';
  const say = era === 'session' ? '' : ' 2026-07-28';
  const add = (name: string, kind: Case['kind'], child: Piped): Promise<void> =>
    cases.add({ name: `${name}${say}`, topology, era, kind }, piped(child, kind !== 'direct'));
  await add('direct', 'direct', cases.start([SCRIPTED]));
  await add('floor', 'floor', cases.start([FLOOR, cases.folder(`floor${say}`), SCRIPTED]));
  await add('lk run', 'ours', cases.lk('run', 'here'));
  await add(
    'lk run, no sandbox',
    'ours',
    cases.start([UNSANDBOXED, cases.folder('home'), world.project], { cwd: world.project }),
  );
}

export interface Serving {
  readonly pid: number;
  readonly url: string;
}

export async function startGateway(cases: Cases): Promise<Serving> {
  const child = cases.lk('gateway', '--listen', '127.0.0.1:0', '--json');
  const { url } = JSON.parse(await firstWords(child)) as { url: string };
  return { pid: child.pid ?? 0, url };
}

export async function startFloor(cases: Cases, world: World): Promise<Serving> {
  const child = cases.start([FLOOR_HTTP, cases.folder('floor-http'), world.upstream]);
  return { pid: child.pid ?? 0, url: `http://127.0.0.1:${Number(await firstWords(child))}/mcp` };
}

/** `gateway` and `floor` serve both eras. */
export async function addHttp(
  cases: Cases,
  { world, gateway, floor }: { world: World; gateway: Serving; floor: Serving },
  era: Era,
): Promise<void> {
  const say = era === 'session' ? '' : ' 2026-07-28';
  const over =
    (url: string, pid: number | null) =>
    async (at: Era): Promise<Pick<Case, 'pid' | 'caller'>> => ({ pid, caller: await httpCaller(url, at) });
  const add = (
    name: string,
    of: Pick<Case, 'topology' | 'kind'>,
    start: ReturnType<typeof over>,
  ): Promise<void> => cases.add({ name: `${name}${say}`, era, ...of }, start);
  const topology = 'HTTP to HTTP';
  await add('direct HTTP', { topology, kind: 'direct' }, over(world.upstream, null));
  await add('floor HTTP', { topology, kind: 'floor' }, over(floor.url, floor.pid));
  const at = (alias: string): ReturnType<typeof over> =>
    over(`${gateway.url}/servers/${alias}/mcp`, gateway.pid);
  await add('lk gateway to HTTP', { topology, kind: 'ours' }, at('elsewhere'));
  await add('lk gateway to stdio', { topology: 'HTTP to stdio', kind: 'ours' }, at('here'));
}
