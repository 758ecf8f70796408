/** Connections over loopback as a server accepts them, also those of another user of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Ends } from '../../runtime/identity/behind.ts';

export interface Accepted extends Ends, AsyncDisposable {
  /** The other end is closed, and this one has heard of it. */
  closeOther(): Promise<void>;
}

export async function acceptedAt(listen: string, to: string): Promise<Accepted> {
  const server = createServer({ allowHalfOpen: true }).listen(0, listen);
  await once(server, 'listening');
  const other = connect((server.address() as AddressInfo).port, to);
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.resume();
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return {
    ...{ remoteAddress, remotePort, localAddress, localPort },
    closeOther: async () => {
      const ended = once(socket, 'end');
      other.destroy();
      await ended;
    },
    [Symbol.asyncDispose]: async () => {
      other.destroy();
      socket.destroy();
      server.close();
    },
  };
}

/** A connection that a program of this user holds, until it is disposed of; takes root. */
export async function acceptedFrom(uid: number): Promise<Accepted> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = spawn('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; read <&3`], {
    ...{ uid, gid: uid, cwd: '/', stdio: 'ignore' },
  });
  const [socket] = (await once(server, 'connection')) as [Socket];
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return {
    ...{ remoteAddress, remotePort, localAddress, localPort },
    closeOther: async () => undefined,
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'close');
      socket.destroy();
      server.close();
      await ended;
    },
  };
}

/** What a program of this user is answered, who goes to an address on loopback; takes root. */
export async function statusFor(uid: number, address: string): Promise<number> {
  const { host, port, pathname, search } = new URL(address);
  const asks = `exec 3<>/dev/tcp/127.0.0.1/"$1"; printf 'GET %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n' "$2" "$3" >&3; read -r _ status _ <&3; echo "$status"`;
  const child = spawn('bash', ['-c', asks, 'bash', port, `${pathname}${search}`, host], {
    ...{ uid, gid: uid, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
  });
  return Number(await text(child.stdout));
}
