/** One process after the other: files that are read, judged and written again. */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Hold, hold } from './hold.ts';

const PATIENCE_MS = 60_000;

/**
 * Reading, judging and writing one file, one process after the other. A holder that died does not hold; one that is slow or
 * was suspended does, and is waited for. Throws SYSTEM where that takes too long, and what taking the place throws.
 */
export async function alone<T>(
  path: string,
  work: () => Promise<T>,
  patienceMs: number = PATIENCE_MS,
): Promise<T> {
  const place = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true });
  const until = performance.now() + patienceMs;
  let held = taken(place);
  for (; held === null; held = taken(place)) {
    if (performance.now() > until) throw heldBack(place);
    await sleep(2 + Math.random() * 8);
  }
  try {
    return await work();
  } finally {
    held.close();
  }
}

/** Null: not yet. What is locked has to be what is there under this name: each holder takes the file away at its end. */
function taken(place: string): Hold | null {
  made(place);
  const there = inodeAt(place);
  const held = there === null ? null : lockedAt(place, there);
  if (held === null) return null;
  if (inodeAt(place) === there) return passing(place, held);
  held.close();
  return null;
}

function lockedAt(place: string, there: bigint): Hold | null {
  try {
    return hold(place);
  } catch (cause) {
    if (inodeAt(place) !== there) return null;
    throw new LockkeeperError('SYSTEM', {
      expected: `to lock ${quote(place, 200)}`,
      found: quote((cause as Error).message, 200),
      next: 'Keep it on a file system that has locks, as a file that this user may write',
      cause,
    });
  }
}

/** Taken away while it is still held: whoever waits for it sees that it is another one. */
function passing(place: string, held: Hold): Hold {
  return {
    close: () => {
      try {
        rmSync(place, { force: true });
      } finally {
        held.close();
      }
    },
  };
}

function inodeAt(place: string): bigint | null {
  return statSync(place, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}

/** In one turn: whoever found it there may hold it in the next. */
function made(place: string): void {
  try {
    closeSync(openSync(place, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function heldBack(place: string): LockkeeperError {
  return new LockkeeperError('SYSTEM', {
    expected: 'a moment alone with what is remembered',
    found: `${quote(place, 200)}, which another process holds`,
    next: `Have that process go on, or end it; it is named by: fuser ${place}`,
  });
}
