/** The files that root.json pins by digest: laid into a folder by people, never fetched. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustFiles } from '../scanner/provenance/trust.ts';
import { sha256 } from '../schemas/json.ts';
import type { Trust } from './trust.ts';

/** Real ones have 2 to 10 kB. */
const MAX_BYTES = 1024 * 1024;
const MAX_FILES = 100;

/** What is in the folder under a pinned digest, whatever the files are called; anything else in it counts for nothing. */
export async function trustFiles(trust: Pick<Trust, 'current'>, folder: string): Promise<TrustFiles> {
  const pinned = (await trust.current()).trusted.root.trustRoots;
  const wanted = new Set<string>(Object.values(pinned));
  const files = new Map<string, Uint8Array>();
  const names = wanted.size === 0 ? [] : await readdir(folder).catch(() => []);
  for (const name of names.sort().slice(0, MAX_FILES)) {
    const path = join(folder, name);
    const bytes = await readSmall(path);
    if (bytes !== null && wanted.has(sha256(bytes))) files.set(sha256(bytes), bytes);
  }
  return { pinned, files, where: folder };
}

async function readSmall(path: string): Promise<Buffer | null> {
  const is = await stat(path).catch(() => null);
  return is?.isFile() && is.size <= MAX_BYTES ? readFile(path).catch(() => null) : null;
}
