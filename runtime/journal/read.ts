/** Reading journals and proving their chains, across segments and over what retention deleted. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AuditRecord, chainDefect, PrunedDetail } from '../../schemas/audit.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { isValid } from '../../schemas/validate.ts';
import { nextSegment } from './limits.ts';
import { FileDefect, type Line, linesOf } from './lines.ts';

/** Segment files of one journal, oldest first. */
export async function segmentsOf(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).filter((name) => /^\d{6}\.ndjson$/.test(name)).sort();
}

/** Folders of the journals below a folder: its own, and those of each registry's folder in it. */
export async function journalsOf(root: string): Promise<string[]> {
  const names = (await readdir(root).catch(() => [])).sort();
  const own = names.filter((name) => /^j-[0-9a-f]{16}$/.test(name)).map((name) => join(root, name));
  const registries = names.filter((name) => /^r-[0-9a-f]{16}$/.test(name)).map((name) => join(root, name));
  return [...own, ...(await Promise.all(registries.map(journalsOf))).flat()];
}

export function damaged(where: string, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('JOURNAL_CHAIN', {
    expected: `${where}: ${expected}`,
    found,
    next: 'Keep the file as it is and tell your security team: records were changed, added or removed after they were written',
  });
}

async function* provenLines(path: string, from = 0): AsyncGenerator<Line> {
  try {
    yield* linesOf(path, from);
  } catch (error) {
    throw error instanceof FileDefect ? damaged(path, 'the records that were written', error.found) : error;
  }
}

function parseRecord(line: string, where: string): AuditRecord {
  let value: unknown;
  try {
    value = parseStrict(line);
  } catch {
    throw damaged(where, 'one record', quote(line, 80));
  }
  if (isValid(AuditRecord, value)) return value;
  throw damaged(where, 'a record as its schema says', quote(line, 80));
}

export interface Segment {
  readonly first: AuditRecord | null;
  readonly last: AuditRecord | null;
  /** Bytes up to the end of the last whole line. */
  readonly bytes: number;
  readonly torn: number;
}

/** Reads one segment, proving its chain from its first record on. Throws JOURNAL_CHAIN. */
export async function readSegment(path: string): Promise<Segment> {
  let first: AuditRecord | null = null;
  let last: AuditRecord | null = null;
  let bytes = 0;
  for await (const { line, end, whole } of provenLines(path)) {
    if (!whole) return { first, last, bytes, torn: end - bytes };
    const record = parseRecord(line, path);
    const defect = chainDefect(record, last ? last.seq + 1 : record.seq, last ? last.digest : record.prev);
    if (defect) throw damaged(path, defect.expected, defect.found);
    first ??= record;
    last = record;
    bytes = end;
  }
  return { first, last, bytes, torn: 0 };
}

/** Behind one record of a journal. */
export interface Place {
  readonly segment: string;
  /** Bytes of the segment up to there. */
  readonly offset: number;
  readonly seq: number;
  readonly digest: string | null;
}

export const START: Place = { segment: '000000.ndjson', offset: 0, seq: 0, digest: null };

export interface Step {
  readonly record: AuditRecord;
  readonly place: Place;
  /** The records before it are gone with their segments: a `journal.pruned` has to explain it. */
  readonly gap: boolean;
}

/** Records behind a place, each proved against the one before, up to a number. Throws JOURNAL_CHAIN. */
export async function* readFrom(
  dir: string,
  from: Place,
  upTo = Number.POSITIVE_INFINITY,
): AsyncGenerator<Step> {
  let at = from;
  for (;;) {
    const names = await segmentsOf(dir);
    const name = names.find((item) => item >= at.segment);
    if (name === undefined) return;
    // Listed before it is read: nothing is added to a segment that has a next one.
    const isLast = name === names.at(-1);
    const isGone = name !== at.segment;
    for await (const step of stepsOf(dir, isGone ? { ...at, segment: name, offset: 0 } : at, {
      isGone,
      isLast,
    })) {
      if (step.record.seq > upTo) return;
      at = step.place;
      yield step;
    }
    const next = names[names.indexOf(name) + 1];
    if (isLast || next === undefined) return;
    at = { ...at, segment: nextSegment(name), offset: 0 };
  }
}

interface Standing {
  /** Segments before it were deleted: its first record may be any later one. */
  readonly isGone: boolean;
  readonly isLast: boolean;
}

async function* stepsOf(dir: string, from: Place, { isGone, isLast }: Standing): AsyncGenerator<Step> {
  const { segment } = from;
  const path = join(dir, segment);
  let { seq, digest } = from;
  let mayGap = isGone;
  try {
    for await (const { line, end, whole } of provenLines(path, from.offset)) {
      // A crash tears the end of the newest segment; anywhere else somebody did.
      if (!whole && !isLast) throw damaged(path, 'whole records', quote(line, 80));
      if (!whole) return;
      const record = parseRecord(line, path);
      const gap = mayGap && record.seq > seq + 1;
      const defect = chainDefect(record, gap ? record.seq : seq + 1, gap ? record.prev : digest);
      if (defect) throw damaged(path, defect.expected, defect.found);
      mayGap = false;
      ({ seq, digest } = record);
      yield { record, place: { segment, offset: end, seq, digest }, gap };
    }
  } catch (error) {
    // Retention deleted it meanwhile, after it was recorded: what follows is a gap.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** What a `journal.pruned` tells; null of any other record. */
export function prunedOf({ body }: AuditRecord): PrunedDetail | null {
  return body.kind === 'journal.pruned' && isValid(PrunedDetail, body.detail) ? body.detail : null;
}

/** All records of one journal. Throws JOURNAL_CHAIN, also for records that are missing without a record that says so. */
export async function* readOne(dir: string): AsyncGenerator<AuditRecord> {
  const unexplained = new Map<number, string | null>();
  for await (const { record, gap } of readFrom(dir, START)) {
    if (gap) unexplained.set(record.seq, record.prev);
    const pruned = prunedOf(record);
    if (pruned && unexplained.get(pruned.upTo + 1) === pruned.digest) unexplained.delete(pruned.upTo + 1);
    yield record;
  }
  for (const seq of unexplained.keys())
    throw damaged(dir, `the records before ${seq}, or one that says they were deleted`, 'neither');
}

/** All records below a journal folder, journal by journal. */
export async function* readJournal(root: string): AsyncGenerator<AuditRecord> {
  for (const dir of await journalsOf(root)) yield* readOne(dir);
}

/** Proves every chain. Throws JOURNAL_CHAIN at the first defect. */
export async function verifyJournal(root: string): Promise<{ journals: number; records: number }> {
  const dirs = await journalsOf(root);
  let records = 0;
  for (const dir of dirs) for await (const _ of readOne(dir)) records++;
  return { journals: dirs.length, records };
}
