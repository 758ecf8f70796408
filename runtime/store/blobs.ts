/** A folder of bytes named by their SHA-256. What is read is hashed again: the store believes nothing, itself least. */
import { access, mkdir, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { writeAtomic } from './atomic.ts';

export interface Blobs {
  readonly dir: string;
  put(bytes: Uint8Array): Promise<{ digest: string; size: number }>;
  has(digest: string): Promise<boolean>;
  /** Throws ARTIFACT_MISSING, or ARTIFACT_MISMATCH where the bytes on disk are not their name. */
  get(digest: string): Promise<Buffer>;
  path(digest: string): string;
}

/** Opens the store, making the folder. Files are 0644 in folders of 0755, so that any user's sandbox can read them. */
export async function openBlobs(dir: string): Promise<Blobs> {
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const path = (digest: string): string => {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined)
      throw new LockkeeperError('ARTIFACT_MISSING', {
        expected: 'a digest sha256:<64 hex>',
        found: quote(digest),
        next: 'Correct it',
      });
    return join(dir, hex.slice(0, 2), hex.slice(2));
  };
  return {
    dir,
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
  };
}

async function readChecked(path: string, digest: string): Promise<Buffer> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new LockkeeperError('ARTIFACT_MISSING', {
      expected: `bytes with digest ${digest}`,
      found: 'nothing in the store',
      next: 'Pull or scan the release again',
      cause,
    });
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
