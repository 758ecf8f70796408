/** CONNECT: bytes both ways to the address that was judged, once the TLS inside names the host that was asked for. */
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Desk, Wish } from './decide.ts';
import { helloBytes, helloOf } from './sni.ts';

const TLS_HANDSHAKE = 22;
/** How long somebody inside may take to say the first words, ms. */
const FIRST_MS = 5000;
export const IDLE_MS = 60_000;

export interface Asked {
  readonly incoming: IncomingMessage;
  readonly socket: Duplex;
  /** What was sent behind the question without waiting for an answer. */
  readonly head: Buffer;
}

/** The target of CONNECT is host:port and nothing else. */
export function wishOf(target: string): Wish {
  const [, host = '', port = ''] = /^(.*):([0-9]{1,5})$/s.exec(target) ?? [null, target, '0'];
  if (!host.includes('@')) return { host: host.toLowerCase(), port: Number(port) };
  const named = host.slice(host.lastIndexOf('@') + 1).toLowerCase();
  return { host: named, port: Number(port), refused: 'a target with credentials' };
}

export async function tunnel({ incoming, socket, head }: Asked, desk: Desk): Promise<void> {
  const wish = wishOf(incoming.url ?? '');
  const { host, port } = wish;
  const { address, reason } = await desk.decide(wish);
  if (address === null) {
    const words = `Lockkeeper refused ${host}:${port}: ${reason}\n`;
    socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n${words}`);
    return;
  }
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  const first = await firstBytes(socket, head);
  const { name, hidden } = helloOf(first);
  if ((first[0] === TLS_HANDSHAKE || port === 443) && (name !== host || hidden)) {
    const said = { host: name ?? '(no name)', port, via: 'proxy', outcome: 'refused' } as const;
    const reason =
      name === host ? 'TLS hides whom it asks for (ECH)' : `TLS asks for another name than ${host}`;
    await desk.record({ ...said, reason });
    socket.destroy();
    return;
  }
  if (socket.destroyed) return;
  const outside = connect({ host: address, port, timeout: IDLE_MS });
  outside.on('timeout', () => outside.destroy());
  outside.on('error', () => socket.destroy());
  socket.on('error', () => outside.destroy());
  socket.on('close', () => outside.destroy());
  outside.on('close', () => socket.destroy());
  outside.write(first);
  socket.pipe(outside).pipe(socket);
}

/** The whole of a TLS hello, or whatever came first; what there is when the time is over or nothing more comes. */
function firstBytes(socket: Duplex, head: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = head;
    const done = (): void => {
      clearTimeout(timer);
      socket.off('data', more).off('end', done).off('close', closed);
      socket.pause();
      if (bytes.length > 0) resolve(bytes);
      else reject(new Error('nothing was said'));
    };
    const closed = (): void => {
      clearTimeout(timer);
      reject(new Error('closed'));
    };
    const more = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length >= helloBytes(bytes)) done();
    };
    const timer = setTimeout(done, FIRST_MS);
    socket.on('data', more).on('end', done).on('close', closed);
    if (head.length > 0) more(Buffer.alloc(0));
  });
}
