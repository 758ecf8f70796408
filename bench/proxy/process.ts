/** What a process used and holds, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds of processor time of all threads that live; what it started counts for itself. */
export function cpuOf(pid: number): number {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // A thread that ended in between.
    }
  }
  return ns / 1000;
}

/** Resident memory in KiB. */
export function residentOf(pid: number): number {
  const [, kib = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib);
}
