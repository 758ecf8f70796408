/**
 * Bytes named by their SHA-256, in a bucket that speaks S3, under the names that a folder has for them. The bucket is not
 * believed: what comes out of it is hashed, and what goes in carries its digest, so that the bucket refuses other bytes.
 */
import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { type Blobs, keyOf, missing } from './blobs.ts';
import type { BucketSetting } from './bucket-setting.ts';
import { type Answer, type Content, codeOf, contentOf, openWire, type Wire } from './bucket-wire.ts';

export interface BucketBlobs extends Blobs {
  /** Writes, reads and removes one object. Throws BLOBS_UNREACHABLE and BLOBS_REFUSED, which says what it may not. */
  assertUsable(): Promise<void>;
}

export interface BucketBlobsOptions {
  /** Folder on this machine for what is not whole yet. */
  readonly incoming: string;
  /** Milliseconds for a request without progress. */
  readonly requestMs?: number;
  /** Milliseconds for which what was written counts as in use; nothing younger than twice that is removed. */
  readonly freshMs?: number;
  readonly maxBytes?: number;
}

const REQUEST_MS = 30_000;
const FRESH_MS = 6 * 3_600_000;
/** Bytes of one blob; the largest that is stored is a layer of an image. */
const MAX_BYTES = 1024 ** 3;
/** Milliseconds after which the mark of a removal is one of somebody who died: longer than all of its requests may take. */
const MARK_MS = 5 * 60_000;
const LOOK_MS = 200;
const ROUNDS = 5;

interface There {
  readonly size: number;
  /** As the bucket itself computed it; null where it does not. */
  readonly digest: string | null;
  /** By the bucket's own clock; null where it does not say. */
  readonly ageMs: number | null;
}

type Store = Required<BucketBlobsOptions> & { readonly wire: Wire; readonly place: string };

export function openBucketBlobs(setting: BucketSetting, options: BucketBlobsOptions): BucketBlobs {
  const { incoming, requestMs = REQUEST_MS, freshMs = FRESH_MS, maxBytes = MAX_BYTES } = options;
  const codes = { unreachable: 'BLOBS_UNREACHABLE', refused: 'BLOBS_REFUSED' } as const;
  const wire = openWire(setting, { ...codes, requestMs });
  const store: Store = { incoming, requestMs, freshMs, maxBytes, wire, place: setting.place };
  return {
    incoming,
    has: async (digest) => (await look(keyOf(digest), store)) !== null,
    get: (digest) => read(digest, store),
    put: async (bytes) => {
      const content = contentOf(bytes);
      await keep(content, store);
      return { digest: content.digest, size: content.size };
    },
    place: async (path, { digest, size }) => keep({ data: await openAsBlob(path), digest, size }, store),
    removeOld: (digest, ageMs) => removeOld(keyOf(digest), ageMs, store),
    assertUsable: () => assertUsable(store),
  };
}

async function read(digest: string, { wire, place, maxBytes }: Store): Promise<Buffer> {
  const answer = await wire.ask({ method: 'GET', url: wire.at(keyOf(digest)), maxBytes });
  if (answer.status === 404 && codeOf(answer) !== 'NoSuchBucket') throw missing(digest);
  if (answer.status !== 200) throw wire.refused(answer, `${place} to give ${digest}`);
  const found = sha256(answer.bytes);
  if (found === digest) return answer.bytes;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `bytes with digest ${digest}`,
    found: `${answer.bytes.length} bytes with digest ${found} at ${place}/${keyOf(digest)}`,
    next: 'Someone changed the bucket, or what stands before it answers. Remove that object and scan the release again',
  });
}

/** Null for nothing. The answer has no document, so that a bucket that is not there looks the same. */
async function look(key: string, { wire, place }: Store): Promise<There | null> {
  const headers = { 'x-amz-checksum-mode': 'ENABLED' };
  const answer = await wire.ask({ method: 'HEAD', url: wire.at(key), headers });
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw wire.refused(answer, `${place} to say whether ${key} is there`);
  const said = (name: string): string => answer.headers.get(name) ?? '';
  const age = Date.parse(said('date')) - Date.parse(said('last-modified'));
  const checksum = Buffer.from(said('x-amz-checksum-sha256'), 'base64');
  return {
    size: Number(said('content-length') || Number.NaN),
    digest: checksum.length === 32 ? `sha256:${checksum.toString('hex')}` : null,
    ageMs: Number.isNaN(age) ? null : age,
  };
}

/** There, whole and seen to be in use once it returns. What cannot be known to be these bytes is written over. */
async function keep(content: Content, store: Store): Promise<void> {
  const key = keyOf(content.digest);
  for (let round = 0; round < ROUNDS; round++) {
    const there = await look(key, store);
    const same = there?.digest === content.digest && there.size === content.size;
    if (same && there.ageMs !== null && there.ageMs < store.freshMs) return;
    // Somebody who wrote it meanwhile is looked at again.
    if (!(await write(key, content, { store, ifNone: there === null }))) continue;
    if (there === null || !(await removalEnded(key, store))) return;
  }
  throw new LockkeeperError('BLOBS_REFUSED', {
    expected: `${key} to be there after it was written`,
    found: `none, or another one, after ${ROUNDS} writes`,
    next: `See what else writes and removes in ${store.place}`,
  });
}

/** False: there is something now, and nothing was written. */
async function write(
  key: string,
  content: Content,
  { store, ifNone }: { readonly store: Store; readonly ifNone: boolean },
): Promise<boolean> {
  const { wire, place } = store;
  const headers = {
    'content-type': 'application/octet-stream',
    'x-amz-checksum-sha256': Buffer.from(content.digest.slice('sha256:'.length), 'hex').toString('base64'),
    ...(ifNone ? { 'if-none-match': '*' } : {}),
  };
  const answer = await wire.ask({ method: 'PUT', url: wire.at(key), headers, content });
  const { status } = answer;
  if (ifNone && (status === 412 || status === 409)) return false;
  // A bucket that does not know conditions: the same bytes over the same bytes do no harm.
  if (ifNone && status === 501) return write(key, content, { store, ifNone: false });
  if (isDone(answer) && answer.headers.has('etag')) return true;
  throw wire.refused(answer, `${place} to take ${key}, with an ETag and without an error`);
}

/** A success may come with an error document. */
function isDone(answer: Answer): boolean {
  return answer.status >= 200 && answer.status < 300 && !answer.bytes.includes('<Error');
}

/**
 * Whoever removes lays a mark first and looks at the age then; whoever writes over what was old looks for a mark
 * afterwards. So one of the two sees the other: the age is new, or the writer waits and looks whether it has to write again.
 */
async function removeOld(key: string, ageMs: number, store: Store): Promise<boolean> {
  const mark = markOf(key);
  await write(mark, contentOf(randomUUID()), { store, ifNone: false });
  try {
    const age = (await look(key, store))?.ageMs ?? null;
    if (age === null || age < Math.max(ageMs, 2 * store.freshMs)) return false;
    // Once: a second request could be late, and meet what was written since.
    await remove(key, store, 1);
    return true;
  } finally {
    await remove(mark, store);
  }
}

/** Waits for a removal of this key that is under way; false for none. */
async function removalEnded(key: string, store: Store): Promise<boolean> {
  for (let waited = false; ; waited = true) {
    const mark = await look(markOf(key), store);
    if (mark === null || mark.ageMs === null || mark.ageMs > MARK_MS) return waited;
    await sleep(LOOK_MS);
  }
}

function markOf(key: string): string {
  return `removing/${key.replace('/', '')}`;
}

async function remove(key: string, { wire, place }: Store, tries = 3): Promise<void> {
  const answer = await wire.ask({ method: 'DELETE', url: wire.at(key), tries });
  if (!isDone(answer) && answer.status !== 404) throw wire.refused(answer, `${place} to remove ${key}`);
}

async function assertUsable(store: Store): Promise<void> {
  const { wire, place } = store;
  const key = `probe/${randomUUID()}`;
  const content = contentOf(`Lockkeeper looks whether it may write here: ${key}\n`);
  await write(key, content, { store, ifNone: true });
  const answer = await wire.ask({ method: 'GET', url: wire.at(key) });
  if (answer.status !== 200) throw wire.refused(answer, `${place} to give what was written`);
  if (sha256(answer.bytes) !== content.digest)
    throw new LockkeeperError('BLOBS_REFUSED', {
      expected: `${place} to give back what was written, as it was`,
      found: 'other bytes',
      next: 'See what stands between this machine and the bucket',
    });
  await remove(key, store);
  // Without the right to list, S3 says of what is not there that nobody may read it.
  const gone = await wire.ask({ method: 'GET', url: wire.at(key) });
  if (gone.status !== 404)
    throw wire.refused(gone, `${place} to say 404 of what was removed, which takes s3:ListBucket`);
}
