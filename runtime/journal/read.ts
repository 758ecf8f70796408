/** Reading journals and proving their chains. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AuditRecord, chainDefect } from '../../schemas/audit.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { isValid } from '../../schemas/validate.ts';

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

function damaged(where: string, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('JOURNAL_CHAIN', {
    expected: `${where}: ${expected}`,
    found,
    next: 'Keep the file as it is and tell your security team: records were changed, added or removed after they were written',
  });
}

/** Whole lines of a file with their offsets; what stands behind the last newline is reported as torn. */
async function* linesOf(path: string): AsyncGenerator<{ line: string; end: number; whole: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let from = 0;
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, from)) {
      yield { line: bytes.toString('utf8', from, at), end: offset + at + 1, whole: true };
      from = at + 1;
    }
    offset += from;
    rest = bytes.subarray(from);
  }
  if (rest.length > 0) yield { line: rest.toString('utf8'), end: offset + rest.length, whole: false };
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
  readonly last: AuditRecord | null;
  /** Bytes up to the end of the last whole line. */
  readonly bytes: number;
  readonly torn: number;
}

/** Reads one segment, proving its chain from its first record on. Throws JOURNAL_CHAIN. */
export async function readSegment(path: string): Promise<Segment> {
  let last: AuditRecord | null = null;
  let bytes = 0;
  let torn = 0;
  for await (const { line, end, whole } of linesOf(path)) {
    if (!whole) {
      torn = end - bytes;
      break;
    }
    const record = parseRecord(line, path);
    const defect = chainDefect(record, last ? last.seq + 1 : record.seq, last ? last.digest : record.prev);
    if (defect) throw damaged(path, defect.expected, defect.found);
    last = record;
    bytes = end;
  }
  return { last, bytes, torn };
}

/** Records of one journal from `after` on, each proved against the one before. */
export async function* readOne(dir: string, after = 0): AsyncGenerator<AuditRecord> {
  let seq = 0;
  let prev: string | null = null;
  const names = await segmentsOf(dir);
  for (const name of names) {
    for await (const { line, whole } of linesOf(join(dir, name))) {
      // A crash tears the end of the newest segment; anywhere else somebody did.
      if (!whole && name !== names.at(-1)) throw damaged(`${dir}/${name}`, 'whole records', quote(line, 80));
      if (!whole) return;
      const record = parseRecord(line, `${dir}/${name}`);
      const defect = chainDefect(record, seq + 1, prev);
      if (defect) throw damaged(`${dir}/${name}`, defect.expected, defect.found);
      seq = record.seq;
      prev = record.digest;
      if (seq > after) yield record;
    }
  }
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
