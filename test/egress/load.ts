/** Too much, too slowly, or for ever. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../helpers/wait.ts';
import type { Zone } from './dns.ts';
import { hello, names } from './hello.ts';
import { API, EVIL } from './places.ts';
import type { Found, Row, WayName } from './row.ts';
import { say, tunnel, ZONE } from './speak.ts';
import type { Way, World } from './world.ts';

/** Longer than a head, or a hello, may take. */
const SLOW_MS = 7000;
/** A busy machine may take so long to turn away who is too many, ms. */
const CROWD_MS = 5000;
const MIB = 1 << 20;

interface Load extends Omit<Row, 'run'> {
  readonly zone?: Zone;
  attempt(
    way: Way & { /** The socket of another server. */ readonly other: string },
    world: World,
  ): Promise<Omit<Found, 'records'>>;
}

function load({ zone = {}, attempt, ...row }: Load): Row {
  const run = async (name: WayName, world: World): Promise<Found> => {
    await world.load({ ...ZONE, ...zone });
    const way = await world.open(name);
    const second = await world.open(name);
    const found = await attempt({ ...way, other: second.path }, world);
    await Promise.all([way.close(), second.close()]);
    const records = way.events.map(
      ({ outcome, host, port, reason }) => `${outcome} ${host}:${port} ${reason}`,
    );
    return { ...found, records };
  };
  return { ...row, run };
}

/** Open once connected; nothing is read but what is asked for. */
async function opened(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}

/** A byte each half second until the other side hangs up. */
async function dribble(socket: Socket, bytes: Buffer): Promise<{ broke: boolean; seen: string }> {
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.resume();
  const began = performance.now();
  for (let at = 0; !closed && performance.now() - began < SLOW_MS; at++) {
    socket.write(bytes.subarray(at, at + 1));
    await sleep(500);
  }
  socket.destroy();
  return { broke: !closed, seen: closed ? 'hung up' : `open after ${SLOW_MS / 1000} s` };
}

/** Is somebody who comes now answered? With so many there already. */
async function crowd(path: string, count: number): Promise<{ broke: boolean; seen: string }> {
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n++) sockets.push(await opened(path));
  const stay = (): number => sockets.filter((one) => !one.destroyed && one.readyState === 'open').length;
  await until(() => stay() <= 64, CROWD_MS).catch(() => undefined);
  const open = stay();
  for (const socket of sockets) socket.destroy();
  return { broke: open > 64, seen: `${open} of ${count} stay` };
}

export const loadRows: readonly Row[] = [
  load({
    id: 'a head that never ends',
    timed: true,
    attack: 'a request, two bytes a second',
    refuses: 'a connection that stays',
    recorded: /^refused \(unreadable\):0 .* ERR_HTTP_REQUEST_TIMEOUT$/,
    attempt: async ({ path }) => dribble(await opened(path), Buffer.from(`GET http://${API}/ HTTP/1.1\r\n`)),
  }),
  load({
    id: 'a hello that never ends',
    timed: true,
    attack: 'a tunnel, and then a hello of TLS, two bytes a second',
    refuses: 'a connection that stays',
    recorded: /^refused \(no name\):443 TLS asks for another name/,
    attempt: async ({ path }) => {
      const socket = await opened(path);
      socket.write(`CONNECT ${API}:443 HTTP/1.1\r\nhost: ${API}\r\n\r\n`);
      await new Promise((resolve) => socket.once('data', resolve));
      return dribble(socket, hello(names(API)));
    },
  }),
  load({
    id: 'connections, 200',
    attack: '200 connections that say nothing',
    refuses: 'more than 64 at a time',
    recorded: /^refused \(one too many\):0 more than 64 connections at a time$/,
    attempt: ({ path }) => crowd(path, 200),
  }),
  load({
    id: 'connections, 2,000',
    attack: '2,000 connections that say nothing',
    refuses: 'more than 64 at a time, and a record of each',
    recorded: /^refused \(many\):0 more than 600 refusals in a minute/,
    attempt: ({ path }) => crowd(path, 2000),
  }),
  load({
    id: 'a head of 64 KiB',
    attack: 'a request with a header of 64 KiB',
    refuses: 'a byte of it outside',
    recorded: /^refused \(unreadable\):0 .* HPE_HEADER_OVERFLOW$/,
    attempt: async ({ path }, world) => {
      const said = await say(
        path,
        `GET http://${API}/ HTTP/1.1\r\nhost: ${API}\r\nx: ${'a'.repeat(65_536)}\r\n\r\n`,
      );
      const reached = await world.reached();
      return { broke: reached.length > 0, seen: said.first };
    },
  }),
  load({
    id: 'an answer with a head of 1 MiB',
    attack: 'somebody outside answers so',
    refuses: 'such a head inside',
    recorded: /^allowed api\.example\.com:80 /,
    attempt: async ({ path }) => {
      const { text, first } = await say(path, `GET http://${API}/long-head HTTP/1.1\r\nhost: ${API}\r\n\r\n`);
      return { broke: text.includes('aaaa'), seen: first };
    },
  }),
  load({
    id: 'an answer that nobody reads',
    attack: 'an endless answer to somebody who does not read',
    refuses: 'more of it than 16 MiB taken from outside',
    recorded: /^allowed api\.example\.com:80 /,
    attempt: async ({ path }, world) => {
      const socket = await opened(path);
      socket.pause();
      socket.write(`GET http://${API}/endless HTTP/1.1\r\nhost: ${API}\r\n\r\n`);
      await sleep(1500);
      const pushed = (await world.reached()).reduce((sum, one) => sum + one.pushed, 0);
      socket.destroy();
      return { broke: pushed > 16 * MIB, seen: `${Math.round(pushed / MIB)} MiB taken` };
    },
  }),
  {
    id: 'a record that cannot be kept',
    end: 'hung up',
    attack: 'a permitted connection while the disk is full',
    refuses: 'a byte of it outside',
    recorded: null,
    run: async (name, world) => {
      await world.load(ZONE);
      const way = await world.open(name, { unrecorded: true });
      const { first } = await tunnel(way.path, `${API}:443`);
      const reached = await world.reached();
      await way.close();
      return { broke: reached.length > 0, seen: first, records: [] };
    },
  },
  {
    id: 'a report that lies',
    attack: 'somebody inside tells of connections that nobody tried',
    refuses: 'such a word deciding anything',
    recorded: /^refused evil\.example:443 direct connections have no way out$/,
    run: async (name, world) => {
      await world.load(ZONE);
      const way = await world.open(name);
      const body = JSON.stringify({ host: EVIL, port: 443, outcome: 'allowed' });
      const head = `POST /report HTTP/1.1\r\nhost: ${EVIL}:${80}\r\ncontent-length: ${body.length}\r\n\r\n`;
      const { first } = await say(way.path, `${head}${body}`);
      const after = await tunnel(way.path, `${EVIL}:443`, [hello(names(EVIL))]);
      const reached = await world.reached();
      await way.close();
      const records = way.events.map(
        ({ outcome, host, port, reason }) => `${outcome} ${host}:${port} ${reason}`,
      );
      return { broke: reached.length > 0, seen: `${first}, then ${after.first}`, records };
    },
  },
  // The last: what the faulty proxy asked goes on to be asked.
  load({
    id: 'a name server that says nothing',
    attack: 'eight connections to names that are never answered for',
    refuses: 'another server that waits for them',
    recorded: null,
    end: 'nobody waits',
    zone: Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`n${n}.tenant.example`, { silent: true }])),
    attempt: async ({ path, other }) => {
      const sockets = await Promise.all(Array.from({ length: 8 }, () => opened(path)));
      for (const [n, socket] of sockets.entries())
        socket.write(`CONNECT n${n}.tenant.example:443 HTTP/1.1\r\nhost: x\r\n\r\n`);
      await sleep(100);
      const began = performance.now();
      const { first } = await tunnel(other, `${API}:443`);
      const ms = performance.now() - began;
      for (const socket of sockets) socket.destroy();
      return { broke: ms > 2000, seen: `${first} after ${(ms / 1000).toFixed(1)} s` };
    },
  }),
];
