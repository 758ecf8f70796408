/** MCP bundles that are handed in: room is taken before the first byte, and what no release names is swept. */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Stored } from '../runtime/store/blobs.ts';
import { receive, removeHalf, tooLarge } from '../runtime/store/incoming.ts';
import { MAX_BUNDLE_BYTES } from '../scanner/mcpb/read.ts';
import { sized } from '../scanner/text.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { type Held, heldRoom, insertUpload, openUploads, putBundle, takeUnnamed } from './db/mcp-bundles.ts';
import { withTransaction } from './db/pool.ts';
import type { Deps } from './deps.ts';
import { recordEvent } from './log.ts';
import { SELF } from './root.ts';

/** Bytes of bundles that no release names and of uploads, and their numbers. */
interface Room {
  readonly bytes: number;
  readonly bundles: number;
  readonly uploads: number;
}

export interface BundleLimits {
  readonly perPerson: Room;
  readonly total: Room;
  /** Bytes of one bundle. */
  readonly maxBytes: number;
  /** Milliseconds for which a bundle is kept without a release that names it. */
  readonly keepMs: number;
  /** Milliseconds for one upload, and for each pause in it. */
  readonly uploadMs: number;
  readonly idleMs: number;
}

const GIB = 1024 ** 3;
export const BUNDLE_LIMITS: BundleLimits = {
  perPerson: { bytes: GIB, bundles: 50, uploads: 2 },
  total: { bytes: 8 * GIB, bundles: 1000, uploads: 8 },
  maxBytes: MAX_BUNDLE_BYTES,
  keepMs: 24 * 3_600_000,
  uploadMs: 300_000,
  idleMs: 30_000,
};
/** How often the schedule sweeps, at least. */
const SWEEP_MS = 600_000;
const ZIP = Buffer.from('PK\x03\x04');

export interface Upload {
  readonly person: string;
  readonly body: Readable;
  /** What the request says; null where it does not. */
  readonly length: number | null;
}

/** Throws BUNDLES_FULL and FRAME_TOO_LARGE before anything is read, and what `receive` does. What came of a refused one is gone. */
export async function takeBundle({ person, body, length }: Upload, deps: Deps): Promise<Stored> {
  const limits = { ...BUNDLE_LIMITS, ...deps.bundles };
  const { maxBytes } = limits;
  if (length !== null && length > maxBytes) throw tooLarge(maxBytes, `${length} bytes`);
  const bytes = Math.max(1, length ?? maxBytes);
  const id = randomUUID();
  await withTransaction(deps.pool, async (client) => {
    assertRoom(await heldRoom(client, limits.keepMs), { person, bytes }, limits);
    await insertUpload(client, { id, person, bytes, ms: limits.uploadMs + limits.idleMs });
  });
  try {
    return await receive(body, deps.blobs, {
      id,
      maxBytes,
      wholeMs: limits.uploadMs,
      idleMs: limits.idleMs,
      assertBegins,
      // The row first: a file without one would never be swept.
      placing: (stored) => putBundle(deps.pool, { ...stored, person }),
    });
  } finally {
    await deps.pool.query('delete from bundle_uploads where id = $1', [id]).catch((error: unknown) => {
      deps.log.warn({ err: error, upload: id }, 'the room of an upload is taken until it ends by itself');
    });
  }
}

/** What else is wrong with it, the scan finds: nothing is unpacked here. */
function assertBegins(first: Buffer): void {
  if (first.equals(ZIP)) return;
  throw new LockkeeperError('REQUEST_INVALID', {
    expected: 'an MCP bundle, which is a zip, as application/octet-stream',
    found: 'something else',
    next: 'Hand in the file itself: lk publish mcpb:FILE',
  });
}

/** Throws BUNDLES_FULL, which says what is used and when there is room for this one. */
export function assertRoom(
  held: readonly Held[],
  wanted: { readonly person: string; readonly bytes: number },
  { perPerson, total }: Pick<BundleLimits, 'perPerson' | 'total'>,
): void {
  const mine = held.filter(({ person }) => person === wanted.person);
  const frees = [
    { whose: `of ${wanted.person}`, of: mine, room: perPerson },
    { whose: 'of all', of: held, room: total },
  ].flatMap(({ whose, of, room }) => {
    const until = freeAt(of, wanted.bytes, room);
    return until === null ? [] : [{ whose, of, room, until }];
  });
  const last = frees.sort((a, b) => b.until.getTime() - a.until.getTime())[0];
  if (!last) return;
  const { whose, of, room, until } = last;
  const uploads = of.filter(({ upload }) => upload).length;
  throw new LockkeeperError('BUNDLES_FULL', {
    expected: `at most ${sized(room.bytes)} in ${room.bundles} bundles ${whose} that no release names, and ${room.uploads} uploads at a time`,
    found: `${sized(sum(of))} in ${of.length - uploads} bundles and ${uploads} uploads, and ${sized(wanted.bytes)} more`,
    next: `Submit those that are meant to be released, or try again after ${new Date(until.getTime() + SWEEP_MS).toISOString()}`,
  });
}

/** When so much more fits, as things end in their order; null for now. */
function freeAt(held: readonly Held[], bytes: number, room: Room): Date | null {
  const left = held.toSorted((a, b) => a.until.getTime() - b.until.getTime());
  let free: Date | null = null;
  while (left.length > 0) {
    const uploads = left.filter(({ upload }) => upload).length;
    // An upload that is under way may become a bundle.
    const fits = sum(left) + bytes <= room.bytes && left.length < room.bundles && uploads < room.uploads;
    if (fits) return free;
    free = left.shift()?.until ?? free;
  }
  return free;
}

function sum(held: readonly Held[]): number {
  return held.reduce((bytes, one) => bytes + one.bytes, 0);
}

/** Removes half uploads of processes that died, and bundles that no release named in time; each is an event. */
export async function sweepBundles(deps: Pick<Deps, 'pool' | 'blobs' | 'log' | 'bundles'>): Promise<number> {
  const { pool, blobs, log } = deps;
  const { keepMs } = { ...BUNDLE_LIMITS, ...deps.bundles };
  const half = await removeHalf(blobs, await openUploads(pool));
  if (half > 0) log.warn({ files: half }, 'half uploads removed');
  return withTransaction(pool, async (client) => {
    const swept = await takeUnnamed(client, keepMs);
    for (const { digest, size, person } of swept) {
      // Bytes that a scan stored meanwhile are its own.
      const removed = await blobs.removeOld(digest, keepMs);
      log.info({ digest, size, person, removed }, 'a bundle that no release names is swept');
      await recordEvent(client, {
        person: SELF,
        action: 'bundle.swept',
        subject: digest,
        detail: { size, of: person },
      });
    }
    return swept.length;
  });
}
