/** What processes used and hold, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** How the measured servers are called, in a sandbox and out of it. */
const SERVER = /^(scripted|sdk-server|index)\.mjs$/;

/** Text of a file of /proc; empty for a process that ended in between. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isServer(pid: number): boolean {
  const [program = '', script = ''] = read(`/proc/${pid}/cmdline`).split('\0');
  return basename(program) === 'node' && SERVER.test(basename(script));
}

/** A process and all that it started, but for the measured server: that one pays for itself. */
export function treeOf(pid: number): number[] {
  const found: number[] = [pid];
  for (const one of found)
    for (const task of namesIn(`/proc/${one}/task`)) {
      const children = read(`/proc/${one}/task/${task}/children`).split(' ').filter(Boolean).map(Number);
      found.push(...children.filter((child) => !isServer(child)));
    }
  return found;
}

/** Microseconds of processor time, user and system, of all threads that live. */
export function cpuOf(pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids)
    for (const task of namesIn(`/proc/${pid}/task`))
      ns += Number(read(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0]);
  return ns / 1000;
}

/** Resident memory in KiB. */
export function residentOf(pid: number): number {
  const [, kib = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kib);
}
