/**
 * Everybody outside of the machine, in a network namespace of their own: hosts, clouds' metadata, the machine's private
 * neighbours, a name server. Told what to do by lines of JSON, answers each with one.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startNameServer, type Zone } from './dns.ts';
import { listenOn, PORTS, type Reached } from './listen.ts';
import { GROUP, NEIGHBOURS, ONLY_INSIDE, OUTSIDE, UDP_PORT } from './places.ts';

const ip = (...words: string[]): void =>
  void execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'inherit'] });
const reached: Reached[] = [];

/** The other end of the cable was put here by whoever started this. */
async function settle(): Promise<{ load: (zone: Zone) => void }> {
  ip('link', 'set', 'lo', 'up');
  ip('link', 'set', 'o0', 'up');
  for (const [address, bits] of Object.values(OUTSIDE)) add(address, bits, 'o0');
  for (const address of NEIGHBOURS) add(address, address.includes(':') ? 128 : 32, 'lo');
  for (const port of PORTS) await listenOn(port, '::', reached);
  for (const address of NEIGHBOURS) await listenOn(ONLY_INSIDE, address, reached);
  await answerDatagrams();
  return startNameServer(OUTSIDE.names[0]);
}

function add(address: string, bits: number, device: string): void {
  const more = address.includes(':') ? ['nodad'] : [];
  ip('addr', 'add', `${address}/${bits}`, 'dev', device, ...more);
}

/** Whoever sends one, to an address or to the group, is answered. */
async function answerDatagrams(): Promise<void> {
  const socket = createSocket('udp4', (_, { port, address }) => socket.send('hello', port, address));
  socket.bind(UDP_PORT);
  await once(socket, 'listening');
  socket.addMembership(GROUP, OUTSIDE.gate[0]);
}

let names: { load: (zone: Zone) => void } | undefined;
const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.on('line', async (line) => {
  const { load, ask } = JSON.parse(line) as { load?: Zone; ask?: true };
  names ??= await settle();
  if (load) {
    names.load(load);
    reached.length = 0;
  }
  process.stdout.write(`${JSON.stringify(ask ? reached : [])}\n`);
});
