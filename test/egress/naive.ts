/**
 * A proxy as many are written, on a unix socket: names are looked up where they are needed, a head is read in the first
 * way that comes to mind, bytes go on as they came, and nothing is counted. It is what the attacks get through.
 */
import { lookup } from 'node:dns/promises';
import { connect, createServer, type Socket } from 'node:net';
import { isInside } from '../../runtime/egress/rules.ts';

export interface Naive {
  close(): Promise<void>;
}

/** `twice`: looks whether the name leads inside, and then connects by name. */
export async function startNaive(path: string, twice: boolean): Promise<Naive> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    sockets.add(inner);
    inner.on('error', () => inner.destroy());
    let head = '';
    const read = (bytes: Buffer): void => {
      head += bytes.toString('latin1');
      const end = /\r?\n\r?\n/.exec(head);
      if (!end) return;
      inner.off('data', read);
      void pass(inner, head, end.index + end[0].length, twice).catch(() => inner.destroy());
    };
    inner.on('data', read);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function pass(inner: Socket, head: string, end: number, twice: boolean): Promise<void> {
  const [, method = '', target = ''] = /^(\S+) (\S+)/.exec(head) ?? [];
  const tunnel = method === 'CONNECT';
  const [, named = ''] = /\nhost: *(\S+)/i.exec(head) ?? [];
  const where = tunnel ? target : (/^https?:\/\/([^/]*)/.exec(target)?.[1] ?? named);
  const [, host = '', port = '80'] =
    /^(?:.*@)?\[?(.*?)\]?(?::(\d+))?$/.exec(Buffer.from(where, 'latin1').toString()) ?? [];
  if (twice && isInside((await lookup(host, { family: 4 })).address)) return void inner.destroy();
  const outer = connect({ host, port: Number(port) }, () => {
    if (tunnel) inner.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    outer.write(Buffer.from(tunnel ? head.slice(end) : head, 'latin1'));
  });
  outer.on('error', () => inner.destroy());
  outer.on('close', () => inner.end());
  inner.on('close', () => outer.destroy());
  // Whoever reads slowly has it kept for them.
  outer.on('data', (bytes) => inner.write(bytes));
  inner.on('data', (bytes) => outer.write(bytes));
}
