/** Speaking to a proxy as a program inside may: any bytes at all. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Zone } from './dns.ts';
import { hello, names } from './hello.ts';
import type { Reached } from './listen.ts';
import { API, EVIL, OUTSIDE } from './places.ts';
import type { Found, Row, WayName } from './row.ts';
import type { WayOptions, World } from './world.ts';

/** How long nothing may come before an attempt counts as over, ms; and all of it, longer than a hello may take. */
const QUIET_MS = 250;
const ALL_MS = 7000;

export interface Said {
  /** What the proxy answered: its first line, or that it hung up. */
  readonly first: string;
  readonly text: string;
  readonly closed: boolean;
}

export interface Words {
  /** What goes next once the first of these is answered with 200. */
  readonly then?: readonly Buffer[];
  /** Waits for the end however quiet it is. */
  readonly patient?: boolean;
}

/** Says something, and listens until the other side hangs up or is quiet. */
export async function say(
  path: string,
  bytes: Buffer | string,
  { then = [], patient = false }: Words = {},
): Promise<Said> {
  const socket = connect(path);
  let text = '';
  let closed = false;
  let last = performance.now();
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
  });
  socket.on('data', (chunk: Buffer) => {
    if (text === '' && /^HTTP\/1\.1 200/.test(chunk.toString('latin1'))) void send(socket, then);
    text = (text + chunk.toString('latin1')).slice(0, 100_000);
    last = performance.now();
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes);
  const began = performance.now();
  const quiet = (): boolean =>
    !patient && text !== '' && performance.now() - last > QUIET_MS + then.length * 50;
  while (!closed && !quiet() && performance.now() - began < ALL_MS) await sleep(10);
  socket.destroy();
  const [first = ''] = text.split('\r\n');
  return { first: first || (closed ? 'hung up' : 'silence'), text, closed };
}

/** Each piece a packet of its own. */
async function send(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await sleep(30);
  }
}

export function tunnel(
  path: string,
  target: string,
  then: readonly Buffer[] = [hello(names(API))],
): Promise<Said> {
  return say(path, `CONNECT ${target} HTTP/1.1\r\nhost: ${API}\r\n\r\n`, { then });
}

export const ZONE: Zone = {
  [API]: { a: [[OUTSIDE.api[0]]] },
  [EVIL]: { a: [[OUTSIDE.evil[0]]] },
};

export interface Attack extends Pick<Row, 'id' | 'attack' | 'refuses'>, WayOptions {
  readonly recorded: RegExp;
  /** Beside what every row has. */
  readonly zone?: Zone;
  speak(path: string): Promise<Said>;
  /** Who must not be reached, or with what. */
  readonly forbidden: (reached: Reached, said: Said) => boolean;
}

/** A row in which something is said to the proxy, and somebody must not hear of it. */
export function proxied({ zone = {}, speak, forbidden, twice, unrecorded, ...row }: Attack): Row {
  const run = async (way: WayName, world: World): Promise<Found> => {
    await world.load({ ...ZONE, ...zone });
    const { path, events, close } = await world.open(way, {
      ...(twice === undefined ? {} : { twice }),
      ...(unrecorded === undefined ? {} : { unrecorded }),
    });
    const said = await speak(path);
    await sleep(20);
    const reached = (await world.reached()).filter((one) => forbidden(one, said));
    await close();
    const [who] = reached;
    return {
      broke: who !== undefined,
      seen: who ? `reached ${who.address}:${who.port}` : said.first,
      records: events.map(({ outcome, host, port, reason }) => `${outcome} ${host}:${port} ${reason}`),
    };
  };
  return { ...row, run };
}
