/**
 * The little world of the attacks, made inside a network and a mount namespace of our own: this process is the machine,
 * a child in another namespace is everybody outside, and a cable is between them.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startEgressProxy } from '../../runtime/egress/proxy.ts';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import type { EgressEvent } from '../../runtime/ports.ts';
import { openDir } from '../helpers/sandbox.ts';
import { barePlace, type Place, sandboxPlace } from '../isolation/place.ts';
import type { Zone } from './dns.ts';
import { listenOn, PORTS, type Reached } from './listen.ts';
import { startNaive } from './naive.ts';
import { ALLOW, MACHINE, OUTSIDE } from './places.ts';
import type { WayName } from './row.ts';

export interface WayOptions {
  /** The faulty proxy looks first and then connects by name. */
  readonly twice?: boolean;
  /** The record of our proxy cannot be kept. */
  readonly unrecorded?: boolean;
}

export interface Way {
  /** The socket that the sandbox has. */
  readonly path: string;
  readonly events: EgressEvent[];
  close(): Promise<void>;
}

export interface World {
  readonly dir: string;
  /** Gives names their addresses; nobody was reached yet. */
  load(zone: Zone): Promise<void>;
  reached(): Promise<readonly Reached[]>;
  open(way: WayName, options?: WayOptions): Promise<Way>;
  /** A sandbox that has the way out, with what is told of it; or the same program without any. */
  place(way: WayName): Promise<{ place: Place; events: EgressEvent[] }>;
  close(): Promise<void>;
}

const ip = (...words: string[]): void =>
  void execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });

export async function makeWorld(): Promise<World> {
  const dir = openDir();
  writeFileSync(join(dir, 'resolv.conf'), `nameserver ${OUTSIDE.names[0]}\noptions timeout:2 attempts:2\n`);
  execFileSync('mount', ['--bind', join(dir, 'resolv.conf'), '/etc/resolv.conf']);
  const outside = startOutside();
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'm0', 'type', 'veth', 'peer', 'name', 'o0');
  ip('link', 'set', 'o0', 'netns', String(outside.pid));
  ip('addr', 'add', `${MACHINE.four}/24`, 'dev', 'm0');
  ip('-6', 'addr', 'add', `${MACHINE.six}/64`, 'dev', 'm0', 'nodad');
  ip('link', 'set', 'm0', 'up');
  await outside.tell({ load: {} });
  ip('route', 'add', 'default', 'via', OUTSIDE.gate[0]);
  ip('-6', 'route', 'add', 'default', 'via', OUTSIDE.gate6[0]);
  writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
  const here: Reached[] = [];
  for (const port of PORTS) await listenOn(port, '::', here);
  let count = 0;
  const ways: (() => Promise<void>)[] = [];
  const places = new Map<WayName, Promise<{ place: Place; events: EgressEvent[] }>>();
  const open: World['open'] = async (name, options = {}) => {
    const way = await openWay(name, join(dir, `${++count}.sock`), options);
    ways.push(way.close);
    return way;
  };
  return {
    dir,
    load: async (zone) => {
      here.length = 0;
      await outside.tell({ load: zone });
    },
    reached: async () => [...(await outside.tell({ ask: true })), ...here],
    open,
    place: (name) => {
      const known = places.get(name) ?? placeOf(name, open);
      places.set(name, known);
      return known;
    },
    close: async () => {
      for (const place of places.values()) await place.then(({ place: one }) => one.close());
      for (const close of ways) await close();
      outside.end();
    },
  };
}

async function openWay(name: WayName, path: string, { twice, unrecorded }: WayOptions): Promise<Way> {
  const events: EgressEvent[] = [];
  if (name === 'bare') return { path, events, ...(await startNaive(path, twice ?? false)) };
  const proxy = await startEgressProxy({
    socketPath: path,
    allow: ALLOW,
    onEvent: async (event) => {
      if (unrecorded) throw new Error('the disk is full');
      events.push(event);
    },
  });
  return { path, events, close: () => proxy.close() };
}

async function placeOf(name: WayName, open: World['open']): Promise<{ place: Place; events: EgressEvent[] }> {
  if (name === 'bare') return { place: barePlace(), events: [] };
  const { path, events } = await open(name);
  const record = async (event: EgressEvent): Promise<void> => void events.push(event);
  return {
    place: sandboxPlace(bubblewrap({ nodePath: process.execPath }), { socket: path, record }),
    events,
  };
}

interface Outside {
  readonly pid: number | undefined;
  tell(what: object): Promise<Reached[]>;
  end(): void;
}

function startOutside(): Outside {
  const words = ['--net', process.execPath, '--disable-warning=ExperimentalWarning'];
  const child: ChildProcessWithoutNullStreams = spawn('unshare', [
    ...words,
    join(import.meta.dirname, 'outside.ts'),
  ]);
  child.stderr.pipe(process.stderr);
  const waiting: { resolve: (reached: Reached[]) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  child.on('exit', (code) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`everybody outside ended with ${code}`));
  });
  return {
    pid: child.pid,
    tell: (what) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(what)}\n`);
      }),
    end: () => void child.stdin.end(),
  };
}
