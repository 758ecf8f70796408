/** Reading what changed in the feed since the last time. Nothing here holds a transaction while a stranger is asked. */

import { ZIP_LIMITS, zipEntries, zipReader } from '../../runtime/store/zip.ts';
import {
  type Advisory,
  FAMILIES,
  type Family,
  instantOf,
  MAX_RECORD_BYTES,
  readAdvisory,
} from '../../scanner/advisories/record.ts';
import { AdvisoryId } from '../../schemas/advisory.ts';
import { asLockkeeperError, quote } from '../../schemas/errors.ts';
import { isValid } from '../../schemas/validate.ts';
import { changedAmong, familiesHeld } from '../db/advisories.ts';
import { feedNewest, feedRead, insertSkips, type Skip, skippedAmong } from '../db/advisory-feeds.ts';
import { insertEvent } from '../db/records.ts';
import type { Deps } from '../deps.ts';
import { SELF } from '../root.ts';
import { type Feed, unreachable } from './feed.ts';
import { revokeInfected, takeIn } from './map.ts';

const LIST = 'modified_id.csv';
const MAX_LIST_BYTES = 128 * 2 ** 20;
const MAX_LINES = 2_000_000;
/** Up to so many changes are asked for one by one; beyond, the archive is cheaper for both sides. */
const ONE_BY_ONE = 1000;
const AT_ONCE = 8;
const RECORDS_MS = 10 * 60_000;
const GIVE_UP_AFTER = 20;
/** Lists are made while records still arrive: what is a little older than the newest may be new. */
const OVERLAP_MS = 24 * 3_600_000;
/** A record of tomorrow would hide its own corrections and make an old feed look new. */
const AHEAD_MS = 24 * 3_600_000;
const BATCH = 250;
const BATCH_BYTES = 16 * 2 ** 20;

export type RefreshDeps = Pick<Deps, 'pool' | 'policy' | 'log'>;

export interface Listed {
  readonly id: string;
  readonly modified: string;
}

/** Every ecosystem of the feed, then the revocations that follow from it. Throws the last failure, after all were tried. */
export async function refreshAdvisories(deps: RefreshDeps, feed: Feed): Promise<void> {
  let failure: unknown = null;
  let there = 0;
  const wanted = await wantedFamilies(deps);
  for (const ecosystem of wanted) {
    try {
      if (await refresh(ecosystem, deps, feed)) there++;
    } catch (error) {
      deps.log.warn({ err: error, ecosystem }, 'advisories not read');
      failure = error;
    }
  }
  await revokeInfected(deps);
  if (failure) throw failure;
  if (there === 0) throw unreachable(LIST, `no ${wanted.map((name) => `${name}/${LIST}`).join(' and no ')}`);
}

/** Records of a distribution are many: they are read where a release holds packages of it. */
async function wantedFamilies({ pool }: RefreshDeps): Promise<Family[]> {
  const held = await familiesHeld(pool);
  return FAMILIES.filter((family) => family === 'npm' || family === 'PyPI' || held.has(family));
}

/** False where the feed does not have this ecosystem. */
async function refresh(ecosystem: string, deps: RefreshDeps, feed: Feed): Promise<boolean> {
  const list = await feed.bytes([ecosystem, LIST], MAX_LIST_BYTES);
  if (list === null) return false;
  const { pool } = deps;
  const since = await feedNewest(pool, ecosystem);
  const run = new Run(ecosystem, deps);
  const listed = readList(list, since === null ? 0 : Date.parse(since) - OVERLAP_MS);
  const changed = await changedAmong(pool, listed);
  for (const id of await skippedAmong(pool, ecosystem, listed)) changed.delete(id);
  // Malware first: it is what has consequences at once.
  const wanted = listed
    .filter(({ id }) => changed.has(id))
    .sort((a, b) => Number(b.id.startsWith('MAL-')) - Number(a.id.startsWith('MAL-')));
  const left = wanted.length > ONE_BY_ONE ? await fromArchive(wanted, run, feed) : wanted;
  const failed =
    (await oneByOne(left.slice(0, ONE_BY_ONE), run, feed)) + Math.max(0, left.length - ONE_BY_ONE);
  await run.end();
  if (failed > 0) throw unreachable(ecosystem, `${failed} of ${wanted.length} records were not read`);
  const newest = listed
    .map(({ modified }) => modified)
    .sort()
    .at(-1);
  if (newest !== undefined) await feedRead(pool, ecosystem, newest);
  return true;
}

/** Lines of `modified,id` from this time on; lines that are not such are passed over, each id counts once. */
export function readList(bytes: Buffer, from: number, now = Date.now()): Listed[] {
  const found = new Map<string, string>();
  const text = bytes.toString('utf8');
  for (let at = 0, lines = 0; at < text.length && lines < MAX_LINES; lines++) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? undefined : end).trim();
    at = end < 0 ? text.length : end + 1;
    const [, time = '', id = ''] = /^"?([^",]{20,40})"?,"?([^",]{1,128})"?$/.exec(line) ?? [];
    const modified = momentOf(time);
    if (modified === null || !isValid(AdvisoryId, id)) continue;
    const moment = Date.parse(modified);
    if (moment < from || moment > now + AHEAD_MS) continue;
    if ((found.get(id) ?? '') < modified) found.set(id, modified);
  }
  return [...found].map(([id, modified]) => ({ id, modified }));
}

function momentOf(time: string): string | null {
  try {
    return instantOf(time);
  } catch {
    return null;
  }
}

/** What one run takes in, in batches, with what it had to pass over. */
class Run {
  readonly ecosystem: string;
  readonly #deps: RefreshDeps;
  #batch: Advisory[] = [];
  #bytes = 0;
  #stored = 0;
  #skips: Skip[] = [];
  #skipped = 0;
  #first: Skip[] = [];

  constructor(ecosystem: string, deps: RefreshDeps) {
    this.ecosystem = ecosystem;
    this.#deps = deps;
  }

  /** Reads the record and takes it, or passes over it with its reason. */
  async take(listed: Listed, bytes: Buffer): Promise<void> {
    try {
      const advisory = readAdvisory(bytes);
      if (advisory.id !== listed.id) return this.skip(listed, `it calls itself ${quote(advisory.id)}`);
      if (Date.parse(advisory.modified) > Date.now() + AHEAD_MS)
        return this.skip(listed, 'it is from the future');
      this.#batch.push(advisory);
      this.#bytes += bytes.length;
    } catch (error) {
      return this.skip(listed, asLockkeeperError(error).message);
    }
    if (this.#batch.length >= BATCH || this.#bytes >= BATCH_BYTES) await this.#flush();
  }

  async skip({ id, modified }: Listed, why: string): Promise<void> {
    const skip = { id, modified, reason: why.replaceAll('\u0000', '').slice(0, 500).toWellFormed() };
    this.#skipped++;
    if (this.#first.length < 5) this.#first.push(skip);
    this.#skips.push(skip);
    if (this.#skips.length >= BATCH) await this.#flush();
  }

  async #flush(): Promise<void> {
    const [batch, skips] = [this.#batch, this.#skips];
    this.#batch = [];
    this.#skips = [];
    this.#bytes = 0;
    this.#stored += await takeIn(this.#deps, batch);
    if (skips.length > 0) await insertSkips(this.#deps.pool, this.ecosystem, skips);
  }

  /** One event for the run, where it brought or passed over anything. */
  async end(): Promise<void> {
    await this.#flush();
    if (this.#stored + this.#skipped === 0) return;
    await insertEvent(this.#deps.pool, {
      person: SELF,
      action: 'advisories.read',
      subject: this.ecosystem,
      detail: { stored: this.#stored, skipped: this.#skipped, first: this.#first },
    });
  }
}

/** Returns what the archive does not have: archives are made less often than lists. */
async function fromArchive(wanted: readonly Listed[], run: Run, feed: Feed): Promise<Listed[]> {
  const left = new Map(wanted.map((one) => [`${one.id}.json`, one]));
  const archive = await feed.archive([run.ecosystem, 'all.zip'], ZIP_LIMITS.archiveBytes);
  if (archive === null) return [...wanted];
  try {
    const reader = zipReader(archive);
    for (const entry of await zipEntries(archive)) {
      const listed = left.get(entry.name);
      if (!listed) continue;
      left.delete(entry.name);
      const bytes = await reader.bytes(entry).catch((error: unknown) => asLockkeeperError(error));
      if (Buffer.isBuffer(bytes)) await run.take(listed, bytes);
      else if (bytes.code === 'ARCHIVE_HOSTILE') await run.skip(listed, bytes.message);
      else throw bytes;
    }
  } finally {
    await archive.close();
  }
  return [...left.values()];
}

/** Returns how many could not be had for now; they are asked for again the next time. */
async function oneByOne(wanted: readonly Listed[], run: Run, feed: Feed): Promise<number> {
  const late = Date.now() + RECORDS_MS;
  const queue = wanted.values();
  let failed = 0;
  let taken = 0;
  const ask = async (): Promise<void> => {
    for (const listed of queue) {
      if (failed >= GIVE_UP_AFTER || Date.now() > late) return;
      const found = await feed
        .bytes([run.ecosystem, `${listed.id}.json`], MAX_RECORD_BYTES)
        .catch((error: unknown) => asLockkeeperError(error));
      if (Buffer.isBuffer(found)) await run.take(listed, found);
      else if (found === null) await run.skip(listed, 'the feed lists it but does not have it');
      else if (found.code === 'DOCUMENT_INVALID') await run.skip(listed, found.message);
      if (found === null || Buffer.isBuffer(found) || found.code === 'DOCUMENT_INVALID') taken++;
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return wanted.length - taken;
}
