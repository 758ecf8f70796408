/** Files that are whole or not there: written beside their place, renamed. */
import { randomBytes } from 'node:crypto';
import { constants, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Temp file, fsync, rename, fsync of the folder: a reader sees the old content or the new one, never half of it, and after
 * a crash it is there. Makes the folder if there is none. `mode`: of the file, if it is new.
 */
export async function writeAtomic(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await replace(path, content, { mode, durable: true });
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The same without a sync, for a view of what runs: readers see one whole file; a crash of the machine may lose it. */
export async function writeView(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await replace(path, content, { mode, durable: false });
}

async function replace(
  path: string,
  content: string | Uint8Array,
  { mode, durable }: { readonly mode: number; readonly durable: boolean },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(content);
    if (durable) await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
