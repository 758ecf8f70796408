/** Bytes named by their SHA-256, in a folder. What is read is hashed again: the store believes nothing, itself least. */
import { randomUUID } from 'node:crypto';
import { access, link, mkdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { syncFolder, writeAtomic } from './atomic.ts';

export interface Stored {
  readonly digest: string;
  readonly size: number;
}

export interface Blobs {
  /** Folder on this machine for what is not whole yet. */
  readonly incoming: string;
  /** Durable once it returns. What is there already is seen to be in use. */
  put(bytes: Uint8Array): Promise<Stored>;
  /** The same of a whole file in `incoming`, which may be gone then. */
  place(path: string, stored: Stored): Promise<void>;
  has(digest: string): Promise<boolean>;
  /** Throws ARTIFACT_MISSING, or ARTIFACT_MISMATCH where the bytes that are there are not their name. */
  get(digest: string): Promise<Buffer>;
  /**
   * Removes bytes that nobody wrote for so long: true if it did. Whoever writes the same bytes meanwhile has them; `put`
   * of what is there already counts as writing.
   */
  removeOld(digest: string, ageMs: number): Promise<boolean>;
}

export interface FolderBlobs extends Blobs {
  readonly dir: string;
  path(digest: string): string;
}

/** Opens the store, making the folder. Files are 0644 in folders of 0755, so that any user's sandbox can read them. */
export async function openBlobs(dir: string): Promise<FolderBlobs> {
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const path = (digest: string): string => join(dir, keyOf(digest));
  const incoming = join(dir, 'incoming');
  return {
    dir,
    incoming,
    path,
    has: async (digest) =>
      access(path(digest)).then(
        () => true,
        () => false,
      ),
    get: async (digest) => readChecked(path(digest), digest),
    put: async (bytes) => {
      const digest = sha256(bytes);
      await writeOnce(path(digest), bytes);
      return { digest, size: bytes.length };
    },
    place: async (from, { digest }) => {
      const folder = dirname(path(digest));
      await mkdir(folder, { recursive: true });
      await rename(from, path(digest));
      await syncFolder(folder);
    },
    removeOld: (digest, ageMs) => removeOld(path(digest), incoming, ageMs),
  };
}

/** Where bytes lie below their store, in a folder and in a bucket alike. Throws ARTIFACT_MISSING for what is no digest. */
export function keyOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex !== undefined) return `${hex.slice(0, 2)}/${hex.slice(2)}`;
  throw new LockkeeperError('ARTIFACT_MISSING', {
    expected: 'a digest sha256:<64 hex>',
    found: quote(digest),
    next: 'Correct it',
  });
}

/** Null for what is not there as it was named. Throws whatever else: a store that does not answer says nothing of it. */
export async function whereThere(blobs: Pick<Blobs, 'get'>, digest: string): Promise<Buffer | null> {
  return blobs.get(digest).catch((error: unknown) => {
    const code = error instanceof LockkeeperError ? error.code : null;
    if (code === 'ARTIFACT_MISSING' || code === 'ARTIFACT_MISMATCH') return null;
    throw error;
  });
}

export function missing(digest: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('ARTIFACT_MISSING', {
    expected: `bytes with digest ${digest}`,
    found: 'nothing in the store',
    next: 'Pull or scan the release again',
    cause,
  });
}

async function readChecked(path: string, digest: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw missing(digest, cause);
  });
  const found = sha256(bytes);
  if (found === digest) return bytes;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `bytes with digest ${digest}`,
    found: `${bytes.length} bytes with digest ${found} at ${path}`,
    next: 'The disk is damaged or someone changed the store. Remove that file and pull the release again',
  });
}

/** Temp file, fsync, rename; two writers of the same bytes both succeed. A damaged file is replaced. */
async function writeOnce(path: string, bytes: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => null);
  // One that is about to be swept is seen to be in use.
  if (present?.equals(bytes) && (await touched(path))) return;
  await writeAtomic(path, bytes);
}

async function touched(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

async function removeOld(place: string, incoming: string, ageMs: number): Promise<boolean> {
  const isOld = async (path: string): Promise<boolean> =>
    stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs >= ageMs,
      () => false,
    );
  if (!(await isOld(place))) return false;
  const aside = join(incoming, `${randomUUID()}.old`);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await rename(place, aside);
  try {
    if (await isOld(aside)) return true;
    await link(aside, place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    return false;
  } finally {
    await rm(aside, { force: true });
  }
}
