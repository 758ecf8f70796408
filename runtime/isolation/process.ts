/** A child process with everything below it: started for certain, stopped for certain. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import { inTime } from '../deadline.ts';
import type { Exit, SandboxedProcess } from '../ports.ts';

interface Overseen {
  readonly driver: string;
  readonly isolation?: SandboxedProcess['isolation'];
  /** Runs once, after the last process is gone. */
  readonly cleanup: () => Promise<void>;
}

/** Wraps a spawned child. Throws ISOLATION_FAILED when it could not be spawned at all. */
export async function overseen(
  child: ChildProcess,
  { driver, isolation = { driver }, cleanup }: Overseen,
): Promise<SandboxedProcess> {
  let cleaned: Promise<void> | undefined;
  const clean = (): Promise<void> => (cleaned ??= cleanup());
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => void clean().finally(() => resolve({ code, signal })));
  });
  // One for which no descriptor was left has no streams, and will not be closed.
  if (child.pid === undefined) {
    const [cause] = (await once(child, 'error')) as [Error];
    await clean();
    throw new LockkeeperError('ISOLATION_FAILED', {
      expected: `${driver} to start`,
      found: cause.message,
      next: 'Run: lk doctor',
      cause,
    });
  }
  const { stdin, stdout, stderr } = streamsOf(child);
  const pid = child.pid;
  // A server that dies leaves us writing into nothing; its exit tells the story.
  stdin.on('error', () => undefined);
  child.on('error', () => undefined);
  let stopping: Promise<Exit> | undefined;
  const stop = (graceMs: number): Promise<Exit> => {
    stopping ??= stopProcess({ pid, stdin, stdout, stderr, exited }, graceMs);
    return stopping;
  };
  return { pid, driver, stdin, stdout, stderr, exited, isolation, stop };
}

function streamsOf(child: ChildProcess): { stdin: Writable; stdout: Readable; stderr: Readable } {
  const { stdin, stdout, stderr } = child;
  if (stdin && stdout && stderr) return { stdin, stdout, stderr };
  throw new LockkeeperError('INTERNAL', {
    expected: 'three piped streams',
    found: 'fewer',
    next: 'Report this',
  });
}

interface Running {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
}

/** Ends stdin, after the grace TERM to everything inside, then KILL of the outermost, which takes the namespace along. */
async function stopProcess({ pid, stdin, stdout, stderr, exited }: Running, graceMs: number): Promise<Exit> {
  stdin.end();
  // Unread output would keep the pipes, and with them the exit, open.
  stdout.resume();
  stderr.resume();
  if (await inTime(exited, graceMs)) return exited;
  for (const inner of descendants(pid)) signal(inner, 'SIGTERM');
  if (await inTime(exited, Math.min(graceMs, 1000))) return exited;
  const inside = descendants(pid);
  signal(pid, 'SIGKILL');
  for (const inner of inside) signal(inner, 'SIGKILL');
  return exited;
}

/** Process ids below a process, from the kernel's own table; parents first. */
export function descendants(pid: number): number[] {
  let children = '';
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    return [];
  }
  return children
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .flatMap((child) => [child, ...descendants(child)]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended by itself
  }
}
