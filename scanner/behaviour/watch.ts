/** What goes on in a sandbox, seen from outside: processes that begin, and files that are written. */
import { closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupSetting, readProc, statusField } from '../../runtime/isolation/proc.ts';
import { descendants } from '../../runtime/isolation/process.ts';
import type { Mount, SandboxedProcess } from '../../runtime/ports.ts';
import { line } from '../text.ts';

const EVERY_MS = 20;
/** It waits when it was seen waiting so often, one after the other. */
const IDLE_ROUNDS = 2;
/** Files that are looked at, how deep, and how many of one stretch are told of. */
const MAX_FILES = 2000;
const MAX_DEPTH = 6;
const MAX_TOLD = 50;
/** Bytes that a server may leave on the disk of this machine before it is ended. */
const MAX_BYTES = 128 * 1024 * 1024;
const COMMAND_LENGTH = 160;

export interface Watch {
  /** What began and what was written since the last question. */
  take(): { processes: string[]; written: string[] };
  /** Resolves once all of it waits, for what is already under way to be seen; at most after `ms`. */
  quiet(ms: number): Promise<void>;
  close(): void;
}

interface Watched {
  readonly server: Pick<SandboxedProcess, 'pid' | 'inside'>;
  /** Folders of this machine that the server may write to. */
  readonly mounts: readonly Mount[];
  /** Files inside that are not told of: those that were laid out. */
  readonly except: readonly string[];
  /** Bytes that it may leave there; 128 MiB unless told. */
  readonly most?: number;
  /** It left more. */
  readonly onFull: (what: string) => void;
}

/** Looks every 20 ms until it is closed; what lives for less may be missed. */
export function watchInside({ server, mounts, except, onFull, most = MAX_BYTES }: Watched): Watch {
  const began = new Map<number, string>();
  const known = new Set(pidsOf(server));
  let files = filesIn(server, mounts);
  let round = 0;
  const look = (): void => {
    for (const pid of pidsOf(server))
      if (!known.has(pid)) began.set(pid, commandOf(pid) || (began.get(pid) ?? ''));
    if (++round % 25 === 0 && filesIn(server, mounts).bytes > most)
      onFull('it wrote more than a scan can hold');
  };
  const timer = setInterval(look, EVERY_MS).unref();
  return {
    take: () => {
      look();
      const processes = [...new Set(began.values())].filter(Boolean).slice(0, MAX_TOLD);
      for (const pid of began.keys()) known.add(pid);
      began.clear();
      const now = filesIn(server, mounts);
      const written = [...now.seen]
        .filter(([path, state]) => files.seen.get(path) !== state)
        .map(([path]) => path)
        .filter((path) => !except.includes(path));
      files = now;
      return { processes, written: written.sort().slice(0, MAX_TOLD) };
    },
    quiet: async (ms) => {
      const until = performance.now() + ms;
      for (let idle = 0; idle < IDLE_ROUNDS && performance.now() < until; await sleep(EVERY_MS))
        idle = pidsOf(server).some(isBusy) ? 0 : idle + 1;
    },
    close: () => clearInterval(timer),
  };
}

/** Of the control group, where there is one: a process that left its parent is still in it. */
function pidsOf({ pid, inside }: Watched['server']): number[] {
  try {
    const group =
      inside === undefined ? null : cgroupSetting(inside, 'pids', ['cgroup.procs', 'cgroup.procs']);
    if (group) return group.split('\n').map(Number);
  } catch {
    // It has ended, or there is none.
  }
  return descendants(pid);
}

/** Its first thread runs, or waits for a processor to run on. */
function isBusy(pid: number): boolean {
  try {
    return statusField(readProc(pid, 'status'), 'State').startsWith('R');
  } catch {
    return false;
  }
}

function commandOf(pid: number): string {
  try {
    return line(readProc(pid, 'cmdline').split('\0').join(' ').trim(), COMMAND_LENGTH);
  } catch {
    return '';
  }
}

interface Files {
  /** Path inside -> when and how large. */
  readonly seen: Map<string, string>;
  bytes: number;
}

function filesIn({ inside }: Watched['server'], mounts: readonly Mount[]): Files {
  const files: Files = { seen: new Map(), bytes: 0 };
  for (const { source, target } of mounts) walk(source, target, { files, depth: 0, counts: true });
  // Of its own memory, which is bounded.
  if (inside !== undefined) walk(`/proc/${inside}/root/tmp`, '/tmp', { files, depth: 0, counts: false });
  return files;
}

/** By open folders, none of which is a link: what stands in them is the server's to exchange at any time. */
function walk(folder: string, shown: string, at: { files: Files; depth: number; counts: boolean }): void {
  const { files, depth, counts } = at;
  let fd: number;
  try {
    fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return;
  }
  try {
    const here = `/proc/self/fd/${fd}`;
    for (const entry of readdirSync(here, { withFileTypes: true })) {
      const path = `${shown}/${entry.name}`;
      if (files.seen.size >= MAX_FILES) return;
      if (entry.isDirectory()) {
        if (depth < MAX_DEPTH) walk(join(here, entry.name), path, { ...at, depth: depth + 1 });
        continue;
      }
      const facts = lstatSync(join(here, entry.name), { bigint: true, throwIfNoEntry: false });
      if (facts === undefined || files.seen.has(path)) continue;
      files.seen.set(path, `${facts.mtimeNs} ${facts.size}`);
      if (counts) files.bytes += Number(facts.blocks) * 512;
    }
  } catch {
    // It went away while it was looked at.
  } finally {
    closeSync(fd);
  }
}
