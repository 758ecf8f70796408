/** Whom a server can see and reach on this machine, and who is left when it is stopped. */
import { type StdioOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS, until } from '../helpers/wait.ts';
import { program } from './elf.ts';
import { give, type Place, TOKEN } from './place.ts';
import type { Found, Proof } from './proof.ts';
import type { Stage } from './stage.ts';
import { tries } from './tries.ts';

const SEIZE = 0x4206;

export const processProofs: readonly Proof[] = [
  tries('see processes', 'find a process of this machine', {
    does: ['sees', ({ secret }) => ['cmdline', secret]],
  }),
  tries('see the environment', 'find a variable of whoever started it', {
    does: ['sees', ({ secret }) => ['environ', secret]],
  }),
  { id: 'kill outside', tries: 'end a process of its own user outside', run: killOutside },
  { id: 'trace outside', tries: 'take hold of a process of its own user outside', run: traceOutside },
  { id: 'shared memory', tries: 'open a piece that another program shares with all', run: sharedMemory },
  { id: 'inherited files', tries: 'read what whoever started it had open', run: inherited },
  {
    id: 'secret on a command line',
    tries: 'find a variable’s value among the machine’s processes',
    run: onCommandLine,
  },
  { id: 'ignored signals', tries: 'live on by ignoring every signal', run: ignoring },
  { id: 'daemon', tries: 'leave a process that left its parent, session and group', run: daemon },
];

async function killOutside(place: Place, { victim }: Stage): Promise<Found> {
  const target = victim();
  const { seen } = await (await place.probe()).attempt('kill', target.pid ?? 0);
  // Bare it is gone for certain, though a busy machine may be slow to say so.
  const ms = place.name === 'bare' ? PATIENCE_MS : 50;
  await until(() => target.signalCode !== null, ms).catch(() => undefined);
  const broke = target.signalCode !== null;
  target.kill('SIGKILL');
  return { broke, seen: broke ? 'it ended' : seen };
}

async function traceOutside(place: Place, { victim }: Stage): Promise<Found> {
  const target = victim();
  give(place.folder, 'seize', program({ number: 101, words: [SEIZE, target.pid ?? 0, 0, 0] }));
  const found = await (await place.probe()).attempt('run', 'seize');
  target.kill('SIGKILL');
  return found;
}

async function sharedMemory(place: Place, { shmKey }: Stage): Promise<Found> {
  give(place.folder, 'shmget', program({ number: 29, words: [shmKey, 0, 0] }));
  return (await place.probe()).attempt('run', 'shmget');
}

/** A runtime of its own, that was handed an open file by whoever started it. */
async function inherited(place: Place, { secret, file }: Stage): Promise<Found> {
  const open = openSync(file, 'r');
  const words = [
    '--disable-warning=ExperimentalWarning',
    join(import.meta.dirname, 'heir.ts'),
    place.name,
    secret,
  ];
  // Node itself shuts those that follow upon stderr, up to the first gap.
  const stdio = ['ignore', 'pipe', 'inherit', ...Array.from({ length: 37 }, () => 'ignore' as const), open];
  const child = spawn(process.execPath, words, { stdio: stdio as StdioOptions });
  closeSync(open);
  return JSON.parse(Buffer.concat((await child.stdout?.toArray()) ?? []).toString()) as Found;
}

/** Looks at all command lines while a server starts. Bare: at those of a program that was given it as an option. */
async function onCommandLine(place: Place): Promise<Found> {
  const find = (): number => withCommandLine(TOKEN).length;
  let found = 0;
  if (place.name === 'bare') {
    const shown = spawn('sleep', ['60'], { argv0: TOKEN });
    found = await until(() => find() || null).finally(() => shown.kill('SIGKILL'));
  } else {
    const starting = place.fresh();
    let over = false;
    void starting.finally(() => {
      over = true;
    });
    for (; !over && found === 0; await sleep(1)) found = find();
    await (await starting).stop();
  }
  return { broke: found > 0, seen: found > 0 ? 'it was there' : 'never there' };
}

async function ignoring(place: Place): Promise<Found> {
  const probe = await place.fresh();
  await probe.attempt('ignoreSignals');
  const began = performance.now();
  if (place.name !== 'bare') {
    await probe.stop();
    const alive = isAlive(probe.process.pid);
    return {
      broke: alive,
      seen: alive ? 'alive' : `ended after ${Math.round(performance.now() - began)} ms`,
    };
  }
  probe.process.stdin.end();
  process.kill(probe.process.pid, 'SIGTERM');
  await sleep(300);
  const alive = isAlive(probe.process.pid);
  await probe.stop();
  return { broke: alive, seen: alive ? 'alive after its input ended and SIGTERM' : 'ended' };
}

async function daemon(place: Place): Promise<Found> {
  const file = `linger-${randomBytes(6).toString('hex')}`;
  give(place.folder, file, program({ number: 34 }));
  const probe = await place.fresh();
  const inside = await probe.attempt('daemon', file);
  await probe.stop();
  const left = withCommandLine(file);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  if (!inside.broke) return { broke: false, seen: `none could be made: ${inside.seen}` };
  return { broke: left.length > 0, seen: left.length > 0 ? 'alive' : 'ended with the server' };
}

function withCommandLine(needle: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && readCommandLine(pid).includes(needle));
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
