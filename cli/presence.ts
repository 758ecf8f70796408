/**
 * That a process of ours is there: a file that it holds for as long as it lives. Others know by that alone whether it does:
 * its number says nothing in another container, which may share the folder.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pidSpace } from '../runtime/isolation/proc.ts';
import { type Hold, hold, isHeld } from '../runtime/store/hold.ts';
import { namesIn } from '../runtime/store/there.ts';
import { Type } from '../schemas/type.ts';

/** What a file says of the process that keeps it. */
export const PROCESS = {
  pid: Type.Integer({ minimum: 1 }),
  /** Whose process ids that is one of; null where the system does not say. */
  space: Type.Union([Type.Null(), Type.String({ maxLength: 200 })]),
  /** By which it is known whether it lives. */
  held: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
};

interface Said {
  readonly pid: number;
  readonly space: string | null;
  readonly held: string;
}

/** A process as others see it. */
export interface Process extends Pick<Said, 'pid' | 'held'> {
  /** Its process id is one of this process's own machine and container. */
  readonly here: boolean;
}

/** Younger than this, one may be about to be held, ms. */
const YOUNG_MS = 60_000;

const folderOf = (home: string): string => join(home, 'processes');
const pathOf = (home: string, held: string): string => join(folderOf(home), `${held}.lock`);

/** This process, by folder: held to its end, and then removed. */
const present = new Map<string, { readonly said: Said; readonly hold: Hold; readonly path: string }>();

/** What this process is, to whoever reads this folder. */
export function thisProcess(home: string): Said {
  const known = present.get(home);
  if (known) return known.said;
  mkdirSync(folderOf(home), { recursive: true, mode: 0o700 });
  const said = { pid: process.pid, space: pidSpace(), held: randomUUID() };
  const path = pathOf(home, said.held);
  // Before anybody can look for it: nobody else knows the name.
  const own = hold(path);
  if (own === null) throw new Error(`${path} is held by another process`);
  if (present.size === 0) process.once('exit', leave);
  present.set(home, { said, hold: own, path });
  return said;
}

function leave(): void {
  for (const { path } of present.values()) rmSync(path, { force: true });
}

export function processOf({ pid, space, held }: Said): Process {
  return { pid, held, here: space === pidSpace() };
}

/** Whether that very process lives, wherever it does. Where it cannot be known, it does. */
export function isThere(home: string, { held }: Pick<Said, 'held'>): boolean {
  const path = pathOf(home, held);
  try {
    return existsSync(path) && isHeld(path);
  } catch {
    return true;
  }
}

/** Removes what those left that were killed. */
export async function sweepProcesses(home: string): Promise<void> {
  for (const name of await namesIn(folderOf(home))) {
    const [, held] = /^([0-9a-f-]{36})\.lock$/.exec(name) ?? [];
    if (held === undefined || isThere(home, { held })) continue;
    const path = pathOf(home, held);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs < Date.now() - YOUNG_MS) await rm(path, { force: true });
  }
}
