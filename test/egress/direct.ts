/** From inside a sandbox, past the proxy. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../schemas/common.ts';
import { program } from '../isolation/elf.ts';
import { fileOf, give, type Place } from '../isolation/place.ts';
import { EVIL, GROUP, MACHINE, OUTSIDE, UDP_PORT } from './places.ts';
import type { Row } from './row.ts';
import { ZONE } from './speak.ts';
import type { World } from './world.ts';

/** How long the kernel's own count may take to be looked at, ms. */
const COUNTED_MS = 1500;
const INET6 = 10;

interface Direct {
  readonly id: string;
  readonly attack: string;
  readonly refuses?: string;
  /** Name of the attempt in probe.mjs, and its words. */
  readonly does: readonly [name: string, ...words: Json[]];
  readonly recorded?: RegExp;
  /** What has to stand there first; what it returns are more words. */
  readonly prepare?: (place: Place, world: World) => Promise<Json[]> | Json[];
}

function direct({ id, attack, refuses = 'an answer', does, recorded, prepare }: Direct): Row {
  return {
    id: `direct ${id}`,
    attack,
    refuses,
    recorded: recorded ?? null,
    end: 'no way out',
    root: true,
    run: async (way, world) => {
      await world.load(ZONE);
      const { place, events } = await world.place(way);
      const before = events.length;
      const more = (await prepare?.(place, world)) ?? [];
      const [name, ...words] = does;
      const { broke, seen } = await (await place.probe()).attempt(name, ...words, ...more);
      const records = (): string[] =>
        events.slice(before).map(({ outcome, host, port, reason }) => `${outcome} ${host}:${port} ${reason}`);
      for (
        let ms = 0;
        recorded && ms < COUNTED_MS && !records().some((line) => recorded.test(line));
        ms += 50
      )
        await sleep(50);
      return { broke, seen, records: records() };
    },
  };
}

const TOLD = /^refused .* direct connections have no way out$/;
const COUNTED = /^refused .* counted by the kernel: /;
const evil = OUTSIDE.evil[0];

export const directRows: readonly Row[] = [
  direct({
    id: 'TCP',
    attack: 'a connection to an address outside',
    does: ['connect', evil, 443],
    recorded: TOLD,
  }),
  direct({
    id: 'TCP, version 6',
    attack: 'the same by version 6',
    does: ['connect', OUTSIDE.api6[0], 443],
    recorded: TOLD,
  }),
  direct({
    id: 'TCP of a program that was told of no proxy',
    attack: 'a child without our variables and our preload',
    does: ['connectAlone', evil, 443],
    recorded: COUNTED,
  }),
  direct({
    id: 'UDP',
    attack: 'a datagram to an address outside',
    does: ['udp', UDP_PORT, evil],
    recorded: TOLD,
  }),
  direct({
    id: 'UDP to a group',
    attack: 'a datagram to neighbours, by multicast',
    does: ['udp', UDP_PORT, GROUP],
  }),
  direct({
    id: 'DNS',
    attack: 'a question to a name server',
    does: ['resolve', EVIL, 53, OUTSIDE.names[0]],
    recorded: COUNTED,
  }),
  direct({ id: 'DNS of the system', attack: 'the system’s own look-up', does: ['lookup', EVIL] }),
  direct({
    id: 'metadata',
    attack: 'a connection to 169.254.169.254',
    does: ['connect', '169.254.169.254', 80],
    recorded: TOLD,
  }),
  direct({
    id: 'neighbour',
    attack: 'a connection to 10.0.0.5',
    does: ['connect', '10.0.0.5', 443],
    recorded: TOLD,
  }),
  direct({
    id: 'loopback of the machine',
    attack: 'a connection to 127.0.0.1',
    does: ['connect', '127.0.0.1', 8080],
    recorded: TOLD,
  }),
  direct({
    id: 'the machine’s own address',
    attack: `a connection to ${MACHINE.four}`,
    does: ['connect', MACHINE.four, 443],
    recorded: TOLD,
  }),
  direct({
    id: 'ICMP',
    attack: 'a socket to ping with',
    refuses: 'the socket',
    does: ['run', 'ping'],
    prepare: (place) => put(place, 'ping', [2, 2, 1]),
  }),
  direct({
    id: 'ICMP, version 6',
    attack: 'a socket to ping with, version 6',
    refuses: 'the socket',
    does: ['run', 'ping6'],
    prepare: (place) => put(place, 'ping6', [INET6, 2, 58]),
  }),
  direct({
    id: 'raw IP',
    attack: 'a socket for packets of any kind',
    refuses: 'the socket',
    does: ['run', fileOf('socket, raw IP')],
  }),
  direct({
    id: 'raw frames',
    attack: 'a socket for frames of any kind',
    refuses: 'the socket',
    does: ['run', fileOf('socket, packet')],
  }),
  direct({ id: 'netlink', attack: 'adding a route', refuses: 'the route', does: ['route'] }),
  direct({
    id: 'abstract socket',
    attack: 'a socket of the machine that has only a name',
    does: ['connectPath'],
    prepare: async () => [await listening(`\0lk-${process.pid}`)],
  }),
  direct({
    id: 'socket file',
    attack: 'a socket of the machine that has a path',
    does: ['connectPath'],
    prepare: async (_, { dir }) => [await listening(join(dir, 'service'))],
  }),
  direct({
    id: 'another sandbox’s way out',
    attack: 'the proxy of a server that may do more',
    does: ['connectPath'],
    prepare: async (_, world) => [(await world.open('lockkeeper')).path],
  }),
];

function put(place: Place, name: string, words: readonly number[]): Json[] {
  give(place.folder, name, program({ number: 41, words }));
  return [];
}

const servers = new Map<string, Promise<string>>();

/** Somebody who listens there; the name as the probe takes it. */
function listening(path: string): Promise<string> {
  const known = servers.get(path);
  if (known) return known;
  const server = createServer((socket) => socket.on('error', () => undefined).end()).unref();
  server.listen(path.startsWith('\0') ? { path } : { path, writableAll: true });
  const made = once(server, 'listening').then(() => path.replace('\0', '@'));
  servers.set(path, made);
  return made;
}
