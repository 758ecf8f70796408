/** One process after the other: files that are read, judged and written again. */
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError } from '../../schemas/errors.ts';
import { isRunning } from '../isolation/proc.ts';

/** What is done alone takes milliseconds; whoever holds the place for so long is gone. */
const GONE_MS = 10_000;
const PATIENCE_MS = 60_000;

/** Reading, judging and writing one file, one process after the other. A holder that died does not hold. */
export async function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const place = `${path}.held`;
  await mkdir(dirname(path), { recursive: true });
  const until = Date.now() + PATIENCE_MS;
  while (!(await taken(place))) {
    if (await isGone(place)) await rm(place, { force: true });
    else if (Date.now() > until) throw heldBack(place);
    else await sleep(2 + Math.random() * 8);
  }
  try {
    return await work();
  } finally {
    await rm(place, { force: true });
  }
}

async function taken(place: string): Promise<boolean> {
  const file = await open(place, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return null;
    throw error;
  });
  if (file === null) return false;
  try {
    await file.writeFile(`${process.pid}`);
  } finally {
    await file.close();
  }
  return true;
}

async function isGone(place: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(place);
    const text = await readFile(place, 'utf8');
    const old = Date.now() - mtimeMs > GONE_MS;
    return old || (/^[1-9][0-9]*$/.test(text) && !isRunning(Number(text)));
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
