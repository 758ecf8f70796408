/**
 * Run inside a network namespace of its own, where 93.184.216.34 is this machine: the proxy with somebody behind it.
 * Tells what happened to each attempt as one line of JSON. argv[2] is a folder.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { startEgressProxy } from '../../runtime/egress/proxy.ts';
import { serverNameOf } from '../../runtime/egress/sni.ts';

const OUTSIDE = '93.184.216.34';
const NAME = 'api.example.com';
const reached: string[] = [];
const events: string[] = [];
let resolved = 0;

/** Notes who was reached with what, and hangs up. */
async function listen(host: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      const what = serverNameOf(bytes) ?? bytes.toString('latin1').split('\r\n')[0];
      reached.push(`${host}:${port} ${what}`);
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
  });
  server.unref().listen(port, host);
  await once(server, 'listening');
}

const socketPath = join(process.argv[2] ?? '', 'p.sock');
for (const host of [OUTSIDE, '127.0.0.1']) for (const port of [80, 443]) await listen(host, port);
const proxy = await startEgressProxy({
  socketPath,
  allow: [`${NAME}:443`, `${NAME}:80`],
  onEvent: async ({ outcome, host, reason }) => void events.push(`${outcome} ${host}: ${reason}`),
  // A name that leads outside when it is judged, and inside when anybody asks again.
  resolve: async () => (++resolved === 1 ? OUTSIDE : '127.0.0.1'),
});

async function tunnel(port: number, speak: (socket: Socket) => void): Promise<void> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined);
  socket.write(`CONNECT ${NAME}:${port} HTTP/1.1\r\nhost: ${NAME}\r\n\r\n`);
  await once(socket, 'data');
  speak(socket);
  socket.resume();
  await once(socket, 'close');
}

function hello(servername: string): (socket: Socket) => void {
  return (socket) => void tlsConnect({ socket, servername }).on('error', () => undefined);
}

async function plain(): Promise<void> {
  const outgoing = request({ socketPath, path: `http://${NAME}/x`, headers: { connection: 'close' } });
  outgoing.end();
  const [answer] = await once(outgoing, 'response');
  answer.resume();
  await once(answer, 'end');
}

const attempts: Readonly<Record<string, () => Promise<void>>> = {
  'the name itself': () => tunnel(443, hello(NAME)),
  'another name': () => tunnel(443, hello('evil.example')),
  'no name': () => tunnel(443, hello('')),
  'no TLS at its port': () => tunnel(443, (socket) => void socket.write('GET / HTTP/1.1\r\n\r\n')),
  'a piece of a hello': () => tunnel(443, (socket) => void socket.write(Buffer.from([22, 3, 1]))),
  'no TLS at another port': () => tunnel(80, (socket) => void socket.write('hello\r\n')),
  'TLS for another name at another port': () => tunnel(80, hello('evil.example')),
  'plain HTTP': plain,
};
const told: Record<string, unknown> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  resolved = 0;
  await attempt();
  await turn();
  told[name] = { reached: reached.splice(0), events: events.splice(0), resolved };
}
await proxy.close();
process.stdout.write(JSON.stringify(told));
process.exit(0);
