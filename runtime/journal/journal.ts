/**
 * The journal: NDJSON segments of hash-chained records. `append` resolves when the record is on the disk; whoever calls
 * waits for that before it acts. A lone record is written and synced at once; records that queue up share one sync.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { AuditBody } from '../../schemas/audit.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { type Claim, claim } from './claim.ts';
import { SEGMENT, type SegmentLimits, segmentName } from './limits.ts';
import type { Noted } from './noted.ts';
import { damaged, type Place, readSegment, type Step, segmentsOf } from './read.ts';
import { Recent } from './recent.ts';
import { type Tail, Writer } from './writer.ts';

export { readJournal, verifyJournal } from './read.ts';

export interface Journal {
  readonly id: string;
  readonly dir: string;
  /** Key for hashing secrets; never leaves this folder. */
  readonly key: Buffer;
  /** Resolves with the sequence number once durable. Rejects JOURNAL_BROKEN, then and until there is room again, or ever after. */
  append(body: AuditBody): Promise<number>;
  /** Queues a record that nothing waits for; a failure shows at the next `append`. */
  note(noted: Noted): void;
  /** Why no record can be kept now; null where it can. */
  failure(): LockkeeperError | null;
  /** Number of the last durable record. */
  durable(): number;
  /** What follows a place, from memory; null for who is too far behind. */
  recent(place: Place): readonly Step[] | null;
  /** The segment that is written to. */
  segment(): string;
  /** Begins a next segment if this one is old enough. */
  turn(): void;
  /** Writes what was noted. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Takes a free journal below `root`, or makes one. Several processes each get their own. */
export async function openJournal(root: string, limits: SegmentLimits = SEGMENT): Promise<Journal> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of (await readdir(root)).filter((entry) => /^j-[0-9a-f]{16}$/.test(entry)).sort()) {
    const dir = join(root, name);
    const hold = claim(dir);
    if (hold) return open({ dir, id: name, hold, limits });
  }
  const id = `j-${randomBytes(8).toString('hex')}`;
  const dir = join(root, id);
  await mkdir(dir, { mode: 0o700 });
  // Between the two, another process that looks for a free one may take it.
  const hold = claim(dir);
  return hold ? open({ dir, id, hold, limits }) : openJournal(root, limits);
}

/** Takes one journal that nobody writes, as its process left it; null while somebody does. */
export async function takeJournal(dir: string, limits: SegmentLimits = SEGMENT): Promise<Journal | null> {
  const hold = claim(dir);
  return hold && open({ dir, id: basename(dir), hold, limits });
}

/** Only the last segment is read, unless a crash left it without a record. */
async function tailOf(dir: string): Promise<Tail> {
  const names = await segmentsOf(dir);
  const last = names.at(-1);
  if (last === undefined)
    return { segment: segmentName(1), bytes: 0, seq: 0, prev: null, torn: 0, began: null };
  const end = await readSegment(join(dir, last));
  const before = names.at(-2);
  const record = end.last ?? (before === undefined ? null : (await readSegment(join(dir, before))).last);
  if (record === null && last > segmentName(1))
    throw damaged(join(dir, last), 'the records before it', 'none: somebody removed them');
  const began = end.first && Date.parse(end.first.body.at);
  const { bytes, torn } = end;
  return { segment: last, bytes, torn, began, seq: record?.seq ?? 0, prev: record?.digest ?? null };
}

async function keyOf(dir: string): Promise<Buffer> {
  const path = join(dir, 'redaction.key');
  const known = await readFile(path).catch(() => null);
  if (known?.length === 32) return known;
  const key = randomBytes(32);
  await writeFile(path, key, { mode: 0o600 });
  return key;
}

interface Taken {
  readonly dir: string;
  readonly id: string;
  readonly hold: Claim;
  readonly limits: SegmentLimits;
}

async function open(taken: Taken): Promise<Journal> {
  try {
    return await begin(taken);
  } catch (error) {
    taken.hold.close();
    throw error;
  }
}

/** A record of the journal about itself. */
export function ownRecord(
  id: string,
  kind: AuditBody['kind'],
  detail: NonNullable<AuditBody['detail']>,
): AuditBody {
  const at = new Date().toISOString();
  return { kind, at, runtime: id, session: '-', user: '-', subject: null, detail };
}

async function begin({ dir, id, hold, limits }: Taken): Promise<Journal> {
  const tail = await tailOf(dir);
  const key = await keyOf(dir);
  const recent = new Recent();
  const recovered = (detail: { readonly lost: number }): AuditBody =>
    ownRecord(id, 'journal.recovered', { cutBytes: 0, ...detail });
  const writer = new Writer(dir, tail, { limits, recent, recovered });
  const journal: Journal = {
    id,
    dir,
    key,
    append: (body) => writer.append(body),
    note: (noted) => writer.note(noted),
    failure: () => writer.failure,
    durable: () => writer.durable,
    recent: (place) => recent.after(place),
    segment: () => writer.segment,
    turn: () => writer.turn(),
    settle: () => writer.settle(),
    close: async () => {
      await writer.close();
      hold.close();
    },
  };
  if (tail.torn > 0) await journal.append(ownRecord(id, 'journal.recovered', { cutBytes: tail.torn }));
  return journal;
}
