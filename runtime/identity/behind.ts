/** Which user of this machine holds the other end of a connection over loopback, as the kernel lists sockets (proc_net_tcp). */
import { readFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { LockkeeperError } from '../../schemas/errors.ts';

/** Both ends, as the socket that was accepted knows them. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** Sockets of version 4 and of version 6, where a program of version 4 may be listed as well. */
const LISTS = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) =>
  inTurns(() => readFile(path, 'latin1').catch(() => '')),
);
const ROOT = 0;
const OWN = process.getuid?.();
const MAPPED = '0000000000000000FFFF0000';
/** Looked up once for each connection: it stays with the two sockets that it began with. */
const known = new WeakMap<Ends, Promise<number | null>>();

/**
 * Only this user and root, who may do everything in any case, are the person of this process. Throws UNAUTHENTICATED for
 * others, and where it cannot be told. On other systems than Linux nobody can be told apart.
 */
export async function assertOwnUser(ends: Ends, own = OWN): Promise<void> {
  if (process.platform !== 'linux') return;
  const found = known.get(ends) ?? userBehind(ends);
  known.set(ends, found);
  const user = await found;
  if (user !== null && (user === own || user === ROOT)) return;
  throw new LockkeeperError('UNAUTHENTICATED', {
    expected: `a program of the user ${own}, as this gateway is for one person`,
    found: user === null ? 'a connection that the kernel names no user of' : `one of the user ${user}`,
    next: 'Configure tokens, issuers or certificates for others',
  });
}

/** Null where it is in no list: closed on the other side, or in another network. */
async function userBehind(ends: Ends): Promise<number | null> {
  for (const list of LISTS) {
    const user = userIn(await list(), ends);
    if (user !== null) return user;
  }
  return null;
}

/**
 * One reading at a time, and for all who asked before it began the same one: the kernel makes a line for every socket of the
 * machine each time, and a thread of few waits for it.
 */
export function inTurns<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= running.then(() => {
      next = null;
      const begun = read();
      running = begun.catch(() => undefined);
      return begun;
    });
    return next;
  };
}

/**
 * `list`: number, local end, far end, state, queues, timer, tries, user, time, inode; of thousands of lines one is read. A
 * socket that its program closed has no inode, and no user any more: it is listed as root's.
 */
function userIn(list: string, { remoteAddress, remotePort, localAddress, localPort }: Ends): number | null {
  for (const near of endsOf(remoteAddress, remotePort))
    for (const far of endsOf(localAddress, localPort)) {
      const at = list.indexOf(` ${near} ${far} `);
      if (at === -1) continue;
      const [, , , , user, , inode] = list.slice(at + near.length + far.length + 3, at + 300).split(/\s+/);
      return inode === undefined || inode === '0' ? null : Number(user);
    }
  return null;
}

/** An end as it may be listed; none for what is no address of loopback. */
function endsOf(address = '', port = 0): string[] {
  const at = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  if (address === '::1') return [`${'0'.repeat(24)}${word([0, 0, 0, 1])}${at}`];
  const plain = word((address.replace(/^::ffff:/, '').match(/\d+/g) ?? []).map(Number));
  return plain.length === 8 ? [`${plain}${at}`, `${MAPPED}${plain}${at}`] : [];
}

/** Four bytes in the order that this machine has them in. */
function word(bytes: readonly number[]): string {
  const order = endianness() === 'LE' ? [...bytes].reverse() : bytes;
  return order.map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join('');
}
