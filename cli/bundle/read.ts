/** Reading a bundle: everything in it is verified before anything of it is used. */
import { createHash } from 'node:crypto';
import { type ArchiveMember, readArchive } from '../../runtime/store/archive.ts';
import { BUNDLE_FILE, Bundle, blobPath, trustRootPath } from '../../schemas/bundle.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Intent } from '../../schemas/intent.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { LOCK_FILE } from '../../schemas/lock.ts';
import { assertValid } from '../../schemas/validate.ts';
import { INTENT_FILE } from '../project.ts';

const MiB = 1 << 20;
/** Of bundle.json, lockkeeper.json, and mcp.lock, as elsewhere. */
const LIMITS = { bundle: 64 * MiB, intent: MiB, lock: 64 * MiB, surface: 64 * MiB, trustRoot: 16 * MiB };
/** What a package of a closure may have at most, as where it was scanned. */
const MAX_ARTIFACT = 256 * MiB;

export interface BundleHead {
  readonly bundle: Bundle;
  readonly intent: Intent;
  readonly intentBytes: Buffer;
  readonly lockBytes: Buffer;
}

/** What a verified lock says that must follow. */
export interface Expected {
  /** Digest -> size, null where the lock does not say; in the order of the archive. */
  readonly blobs: ReadonlyMap<string, number | null>;
  /** Trust roots that may be there, by name: their digests. */
  readonly trustRoots: Readonly<Record<string, string>>;
}

/** One blob, whole and with the digest that its path names. */
export type Take = (digest: string, bytes: Buffer) => Promise<void>;

/**
 * From front to end: the three documents in their order, judged by `judge` before another byte is read; then exactly the
 * blobs that the lock names, each hashed. `take` is given each blob; without it they are hashed a piece at a time.
 */
export async function readBundle<T extends Expected>(
  path: string,
  judge: (head: BundleHead) => Promise<T>,
  take?: Take,
): Promise<T> {
  const members = readArchive(path);
  const document = async (name: string, limit: number): Promise<Buffer> => {
    const { value, done } = await members.next();
    if (!done && value.path === name) return value.read(limit);
    throw invalid(`${name} in its place`, done ? 'the end of the archive' : quote(value.path));
  };
  try {
    const bundle = assertValid(Bundle, parseStrict(await document(BUNDLE_FILE, LIMITS.bundle)), BUNDLE_FILE);
    const intentBytes = await document(INTENT_FILE, LIMITS.intent);
    const intent = assertValid(Intent, parseStrict(intentBytes), INTENT_FILE);
    const lockBytes = await document(LOCK_FILE, LIMITS.lock);
    const judged = await judge({ bundle, intent, intentBytes, lockBytes });
    await readBlobs(members, judged, take);
    return judged;
  } finally {
    await members.return(undefined);
  }
}

async function readBlobs(
  members: AsyncGenerator<ArchiveMember>,
  { blobs, trustRoots }: Expected,
  take: Take | undefined,
): Promise<void> {
  const required = [...blobs].map(([digest, size]) => ({ path: blobPath(digest), digest, size }));
  const optional = Object.keys(trustRoots)
    .sort()
    .map((name) => ({ path: trustRootPath(name), digest: trustRoots[name] ?? '', size: null }));
  let at = 0;
  for await (const member of members) {
    // Trust roots come first and may be left out; then every blob, none left out.
    const pinned = at === 0 ? optional.findIndex(({ path }) => path === member.path) : -1;
    const known = pinned >= 0 ? optional.splice(0, pinned + 1).at(-1) : required[at++];
    if (known?.path !== member.path)
      throw invalid(known ? quote(known.path) : 'nothing more', quote(member.path));
    const limit = pinned >= 0 ? LIMITS.trustRoot : known.size === null ? LIMITS.surface : MAX_ARTIFACT;
    await readBlob(member, { ...known, limit }, take);
  }
  const missing = required[at];
  if (missing) throw invalid(`${quote(missing.path)}, which mcp.lock names`, 'the end of the archive');
}

async function readBlob(
  member: ArchiveMember,
  { digest, size, limit }: { digest: string; size: number | null; limit: number },
  take: Take | undefined,
): Promise<void> {
  if (member.size > limit || (size !== null && member.size !== size))
    throw invalid(`${quote(member.path)} of ${size ?? `at most ${limit}`} bytes`, `${member.size}`);
  const bytes = take ? await member.read(limit) : null;
  const found = bytes ? sha256(bytes) : await hashOf(member);
  if (found !== digest)
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${quote(member.path)} with digest ${digest}`,
      found: `${member.size} bytes with digest ${found}`,
      next: 'Do not use this file; have it made and carried over again',
    });
  if (take && bytes) await take(digest, bytes);
}

async function hashOf(member: ArchiveMember): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of member.pieces()) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

function invalid(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('ARCHIVE_INVALID', {
    expected: `in the bundle ${expected}`,
    found,
    next: 'Do not use this file; have it made and carried over again',
  });
}
