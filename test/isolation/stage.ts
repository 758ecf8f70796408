/** What stands on this machine for the probe to find: files, processes, sockets, and secrets of whoever starts it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openDir } from '../helpers/sandbox.ts';
import { program } from './elf.ts';

export interface Stage {
  /** Found in nothing but what stands here. */
  readonly secret: string;
  /** A file that every user may read, with the secret. */
  readonly file: string;
  /** A process of the server's own user; its command line has the secret. */
  readonly victim: () => ChildProcess;
  readonly tcp: number;
  /** Answers each datagram, to a DNS question with an address. */
  readonly udp: number;
  readonly socketPath: string;
  /** Without the zero byte that it begins with. */
  readonly abstractName: string;
  /** Key of a piece of System V shared memory. */
  readonly shmKey: number;
  close(): void;
}

const UID = 65534;

export async function openStage(): Promise<Stage> {
  const secret = `secret-${randomBytes(8).toString('hex')}`;
  process.env.SECRET_OF_THE_CALLER = secret;
  const dir = openDir();
  const file = join(dir, 'file');
  writeFileSync(file, secret, { mode: 0o644 });
  writeFileSync(join(dir, 'pause'), program({ number: 34 }), { mode: 0o755 });
  const victims: ChildProcess[] = [];
  const victim = (): ChildProcess => {
    const user = process.getuid?.() === 0 ? { uid: UID, gid: UID } : {};
    const child = spawn(join(dir, 'pause'), [secret], { stdio: 'ignore', env: {}, ...user });
    victims.push(child);
    return child;
  };
  victim(); // one that stays, to be found
  const servers = [createServer(hangUp), createServer(hangUp), createServer(hangUp)] as const;
  const socketPath = join(dir, 'socket');
  const abstractName = `lk-${secret}`;
  servers[0].listen(0, '127.0.0.1');
  servers[1].listen({ path: socketPath, writableAll: true });
  servers[2].listen(`\0${abstractName}`);
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const udp = createSocket('udp4', (message, { port, address }) =>
    udp.send(answerTo(message), port, address),
  );
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const shmKey = Number(`0x4c4b${randomBytes(2).toString('hex')}`);
  writeFileSync(join(dir, 'shm'), program({ number: 29, words: [shmKey, 4096, 0o1666] }), { mode: 0o755 });
  execFileSync(join(dir, 'shm'));
  return {
    secret,
    file,
    victim,
    tcp: (servers[0].address() as { port: number }).port,
    udp: udp.address().port,
    socketPath,
    abstractName,
    shmKey,
    close: () => {
      execFileSync('ipcrm', ['-M', `0x${shmKey.toString(16)}`]);
      delete process.env.SECRET_OF_THE_CALLER;
      for (const child of victims) child.kill('SIGKILL');
      for (const server of servers) server.close();
      udp.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function hangUp(socket: { end(): void; on(name: 'error', run: () => void): void }): void {
  socket.on('error', () => undefined);
  socket.end();
}

/** An A record for whatever is asked (RFC 1035 4.1); something for what is no question. */
function answerTo(message: Buffer): Buffer {
  if (message.length < 17) return Buffer.from('hello');
  const end = message.indexOf(0, 12) + 5;
  const question = message.subarray(12, end);
  const head = Buffer.from([message[0] ?? 0, message[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 93, 184, 216, 34]);
  return Buffer.concat([head, question, record]);
}
