/** The files that root.json pins by digest: laid into a folder by people, or among the blobs. Never fetched to be used. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Blobs, whereThere } from '../runtime/store/blobs.ts';
import type { TrustFiles } from '../scanner/provenance/trust.ts';
import { sha256 } from '../schemas/json.ts';
import type { Trust } from './trust.ts';

/** Real ones have 2 to 10 kB. */
const MAX_BYTES = 1024 * 1024;
const MAX_FILES = 100;

export interface TrustPlaces {
  /** What people laid down, under any names. */
  readonly folder: string;
  /** What the repository of trust files brought, by digest. */
  readonly blobs: Pick<Blobs, 'get' | 'has'>;
}

/** What is there under a pinned digest, whatever it is called; anything else counts for nothing. */
export async function trustFiles(
  trust: Pick<Trust, 'current'>,
  { folder, blobs }: TrustPlaces,
): Promise<TrustFiles> {
  const pinned = (await trust.current()).trusted.root.trustRoots;
  const wanted = new Set<string>(Object.values(pinned));
  const files = new Map<string, Uint8Array>();
  const names = wanted.size === 0 ? [] : await readdir(folder).catch(() => []);
  for (const name of names.sort().slice(0, MAX_FILES)) {
    const path = join(folder, name);
    const bytes = await readSmall(path);
    if (bytes !== null && wanted.has(sha256(bytes))) files.set(sha256(bytes), bytes);
  }
  for (const digest of wanted) {
    const bytes = files.has(digest) ? null : await whereThere(blobs, digest);
    if (bytes !== null && bytes.length <= MAX_BYTES) files.set(digest, bytes);
  }
  return { pinned, files, where: folder };
}

async function readSmall(path: string): Promise<Buffer | null> {
  const is = await stat(path).catch(() => null);
  return is?.isFile() && is.size <= MAX_BYTES ? readFile(path).catch(() => null) : null;
}
