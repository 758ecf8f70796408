/** What a runtime that was killed while it started a server may have left behind. */
import { readdirSync } from 'node:fs';
import { readProc, statusField } from './proc.ts';

/** The command line that every sandbox of ours begins with. */
export const SANDBOX_WORDS = ['bwrap', '--args', '3', '--', '/usr/bin/prlimit'] as const;
/** The same of a server that is an image. */
export const IMAGE_WORDS = ['bwrap', '--args', '3', '--', '/lockkeeper/gate/loader'] as const;

interface Known {
  readonly parent: number;
  /** Process ids from the outermost namespace to its own; the first of a sandbox ends in 1. */
  readonly ids: readonly string[];
}

/**
 * Ends the first process of every sandbox whose bubblewrap outside is gone; the kernel takes the rest along. There is an
 * instant in which bubblewrap has forked and not yet asked to die with its parent. Returns how many there were.
 */
export function sweepOrphans(): number {
  let ended = 0;
  for (const name of read(() => readdirSync('/proc')) ?? []) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !isSandbox(pid)) continue;
    const known = statusOf(pid);
    if (!known || known.ids.length < 2 || known.ids.at(-1) !== '1' || isSandbox(known.parent)) continue;
    if (read(() => process.kill(pid, 'SIGKILL'))) ended++;
  }
  return ended;
}

function isSandbox(pid: number): boolean {
  const words = (read(() => readProc(pid, 'cmdline')) ?? '').split('\0');
  return [SANDBOX_WORDS, IMAGE_WORDS].some((ours) => ours.every((word, index) => words[index] === word));
}

function statusOf(pid: number): Known | null {
  const text = read(() => readProc(pid, 'status')) ?? '';
  const [parent, ids] = [statusField(text, 'PPid'), statusField(text, 'NSpid')];
  return parent === '' || ids === '' ? null : { parent: Number(parent), ids: ids.split(/\s+/) };
}

/** Processes come and go, and some are not ours to look at. */
function read<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
