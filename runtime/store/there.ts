/** Files and folders that need not be there yet. What else may go wrong with them is thrown. */
import { readdir, readFile } from 'node:fs/promises';

/** For `catch`: null for what is not there. */
export function nothingThere(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** The bytes of a file; null when there is none. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  return readFile(path).catch(nothingThere);
}

/** The same as text. */
export async function textIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(nothingThere);
}

/** The names in a folder; none when there is no folder. */
export async function namesIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(nothingThere)) ?? [];
}
