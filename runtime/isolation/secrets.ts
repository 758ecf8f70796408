/** Secrets as files of this machine, for engines that take no descriptors. In memory where there is a place for that. */
import { existsSync } from 'node:fs';
import { chown, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { PlannedSecret } from '../ports.ts';
import { hold, isHeld } from '../store/hold.ts';

/** Where a server finds them. */
export const SECRETS_DIR = '/run/secrets';
const MEMORY = '/dev/shm';
const PREFIX = 'lockkeeper-secrets-';
/** Held by the runtime whose secrets these are. No secret has such a name. */
const LOCK = '.lock';

export interface LaidOut {
  /** What an engine is told of them. */
  readonly words: readonly string[];
  /** Where they are; null where there are none. */
  readonly dir: string | null;
  remove(): Promise<void>;
}

async function placeFor(): Promise<string> {
  const memory = await stat(MEMORY).catch(() => null);
  return memory?.isDirectory() ? MEMORY : tmpdir();
}

/** What runtimes left that were killed. */
export async function sweepSecrets(): Promise<void> {
  const place = await placeFor();
  for (const name of await readdir(place)) {
    if (!name.startsWith(PREFIX) || !isLeft(join(place, name))) continue;
    await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Nothing is in one that is not held yet. A number would say nothing of the process: it may be another container's. */
function isLeft(dir: string): boolean {
  const path = join(dir, LOCK);
  try {
    return existsSync(path) && !isHeld(path);
  } catch {
    // Another user's.
    return false;
  }
}

/**
 * Files of mode 0400 that belong to `uid`, in a folder that nobody else may enter. Throws ISOLATION_FAILED where files
 * cannot be given to that user.
 */
export async function laidOut(
  secrets: readonly PlannedSecret[],
  uid: number,
  root = process.getuid?.() === 0,
): Promise<LaidOut> {
  if (secrets.length === 0) return { words: [], dir: null, remove: async () => undefined };
  if (!root)
    throw new LockkeeperError('ISOLATION_FAILED', {
      expected: `to give files to user ${uid} of a container, which takes root`,
      found: 'an ordinary user, and a server with secrets',
      next: 'Use bubblewrap here: lk run --isolation bubblewrap',
    });
  const dir = await mkdtemp(join(await placeFor(), `${PREFIX}${process.pid}-`));
  const held = hold(join(dir, LOCK));
  const remove = async (): Promise<void> => {
    held?.close();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    for (const { name, value } of secrets) {
      await writeFile(join(dir, name), value, { mode: 0o400, flag: 'wx' });
      await chown(join(dir, name), uid, uid);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  const words = secrets.flatMap(({ name }) => ['--volume', `${join(dir, name)}:${SECRETS_DIR}/${name}:ro`]);
  return { words, dir, remove };
}
