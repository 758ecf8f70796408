/** One process after the other: files that are read, judged and written again. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError } from '../../schemas/errors.ts';
import { isRunning } from '../isolation/proc.ts';
import { nothingThere } from './there.ts';

/** What is done alone takes milliseconds; whoever holds the place for so long is gone. */
const GONE_MS = 10_000;
const PATIENCE_MS = 60_000;

/** Reading, judging and writing one file, one process after the other. A holder that died does not hold. */
export async function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const place = `${path}.held`;
  await mkdir(dirname(path), { recursive: true });
  const until = Date.now() + PATIENCE_MS;
  let own = await taken(place);
  for (; own === null; own = await taken(place)) {
    if (freed(place)) continue;
    if (Date.now() > until) throw heldBack(place);
    await sleep(2 + Math.random() * 8);
  }
  try {
    return await work();
  } finally {
    // Whoever took too long for it has it no more.
    if (textOf(place) === own) rmSync(place, { force: true });
  }
}

/** What says in the place that it is held by this call; null while another one holds it. */
async function taken(place: string): Promise<string | null> {
  const file = await open(place, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (file === null) return null;
  const own = `${process.pid} ${randomBytes(8).toString('hex')}`;
  try {
    await file.writeFile(own);
    return own;
  } catch (error) {
    // Where nothing can be written, nobody is kept waiting for it either.
    await rm(place, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function textOf(place: string): string | null {
  try {
    return readFileSync(place, 'utf8');
  } catch (error) {
    return nothingThere(error as NodeJS.ErrnoException);
  }
}

/** Takes away what a holder left that is gone. At once: who else looks finds it there, or the next holder's. */
function freed(place: string): boolean {
  try {
    const { mtimeMs } = statSync(place);
    const [, pid] = /^([1-9][0-9]*)(?: |$)/.exec(readFileSync(place, 'utf8')) ?? [];
    const old = Date.now() - mtimeMs > GONE_MS;
    if (!old && (pid === undefined || isRunning(Number(pid)))) return false;
    rmSync(place, { force: true });
    return true;
  } catch {
    // It went away meanwhile.
    return false;
  }
}

function heldBack(place: string): LockkeeperError {
  return new LockkeeperError('INTERNAL', {
    expected: 'a moment alone with what is remembered',
    found: `${place}, which does not go away`,
    next: 'End the other process, or remove the file',
  });
}
