/**
 * Ending what a journal keeps. The record comes before the deletion: whoever finds the beginning gone finds, further on,
 * that it was deleted, up to which record, and what a sink missed by it.
 */
import { open, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrunedDetail } from '../../schemas/audit.ts';
import type { RetentionConfig } from '../../schemas/sinks.ts';
import { takenBy } from './cursor.ts';
import { type Journal, ownRecord } from './journal.ts';
import { readSegment, segmentsOf } from './read.ts';

export interface RetentionOptions {
  readonly journal: Journal;
  readonly retention: RetentionConfig;
  /** Names of those who are to have every record before it goes. */
  readonly sinks: readonly string[];
  readonly now: () => Date;
  readonly say: (line: string) => void;
}

const DAY_MS = 86_400_000;
const MEGABYTE = 1024 * 1024;
/** The registry proves the whole chain: it could never continue one with a hole in it. */
export const REGISTRY = 'registry';

/** Deletes the segments whose time has come, oldest first. Throws JOURNAL_CHAIN: what is damaged is evidence. */
export async function prune(options: RetentionOptions): Promise<number> {
  const { journal } = options;
  journal.turn();
  let deleted = 0;
  for (const name of await segmentsOf(journal.dir)) {
    if (name >= journal.segment() || !(await isDue(options, name))) break;
    const { first, last } = await readSegment(join(journal.dir, name));
    if (first === null || last === null) break;
    const untaken = await untakenOf(options, first.seq, last.seq);
    if (untaken === null) break;
    const detail: PrunedDetail = {
      segment: name,
      upTo: last.seq,
      digest: last.digest,
      ...(Object.keys(untaken).length > 0 ? { untaken } : {}),
    };
    await journal.append(ownRecord(journal.id, 'journal.pruned', detail));
    await unlink(join(journal.dir, name));
    deleted++;
    for (const [sink, count] of Object.entries(untaken))
      options.say(`the sink ${sink} will never have ${count} records: the journal went over its limit`);
  }
  if (deleted > 0) await syncFolder(journal.dir);
  return deleted;
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The oldest segment, whose last write is as old as its last record. */
async function isDue({ journal, retention, now }: RetentionOptions, name: string): Promise<boolean> {
  const { maxDays, maxMegabytes } = retention;
  if (maxDays !== undefined) {
    const { mtimeMs } = await stat(join(journal.dir, name));
    if (mtimeMs < now().getTime() - maxDays * DAY_MS) return true;
  }
  if (maxMegabytes === undefined) return false;
  let bytes = 0;
  for (const segment of await segmentsOf(journal.dir)) bytes += (await stat(join(journal.dir, segment))).size;
  return bytes > maxMegabytes * MEGABYTE;
}

/** How many of these records each sink has not taken; null where they are to be waited for. */
async function untakenOf(
  { journal, retention, sinks }: RetentionOptions,
  from: number,
  upTo: number,
): Promise<Record<string, number> | null> {
  const untaken: Record<string, number> = {};
  for (const sink of sinks) {
    const taken = await takenBy(journal.dir, sink);
    if (taken >= upTo) continue;
    if (sink === REGISTRY || retention.unshipped !== 'delete') return null;
    untaken[sink] = upTo - Math.max(taken, from - 1);
  }
  return untaken;
}
