/** Audit records against the batches that the log names: one at a time, with one head a journal in memory. */
import { AuditRecord, chainDefect } from '../../schemas/audit.ts';
import { quote, refusing } from '../../schemas/errors.ts';
import { Continues } from '../../schemas/evidence.ts';
import type { LogEntry } from '../../schemas/log.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Head, incomplete } from './head.ts';

/** Uses of one release. */
export interface Use {
  sessions: number;
  calls: number;
  refused: number;
  /** As the runtime verified it before it started the server. */
  readonly approvedBy: Set<string>;
}

export interface Journals {
  readonly counts: { records: number; inPeriod: number; journals: number };
  /** By server@version, of records whose own time lies in the period. */
  readonly used: Map<string, Use>;
  /** A batch that the log names; its records have to follow. */
  expect(entry: LogEntry): void;
  line(value: unknown): void;
  /** Throws EVIDENCE_INCOMPLETE while records of a batch are missing. */
  assertDone(): void;
}

interface ChainHead {
  readonly seq: number;
  readonly digest: string | null;
}

export function newJournals(head: Head): Journals {
  const heads = new Map<string, ChainHead>();
  const waiting: { runtime: string; seq: number; entry: LogEntry }[] = [];
  const counts = { records: 0, inPeriod: 0, journals: 0 };
  const used = new Map<string, Use>();
  const take = (record: AuditRecord, before: ChainHead, batch: (typeof waiting)[number]): void => {
    const { runtime, seq, entry } = batch;
    if (record.body.runtime !== runtime)
      throw incomplete(
        `record ${before.seq + 1} of the journal ${runtime}`,
        `one of ${quote(record.body.runtime)}`,
      );
    const defect = chainDefect(record, before.seq + 1, before.digest);
    if (defect) throw broken(`${runtime}: ${defect.expected}`, defect.found);
    heads.set(runtime, record);
    counts.records++;
    if (inPeriod(record, head)) {
      counts.inPeriod++;
      count(used, record);
    }
    if (record.seq < seq) return;
    if (record.digest !== entry.digest)
      throw broken(`record ${seq} of ${runtime} with ${entry.digest}, as logged`, record.digest);
    waiting.shift();
  };
  return {
    counts,
    used,
    expect: (entry) => {
      const at = entry.subject.lastIndexOf('#');
      waiting.push({ runtime: entry.subject.slice(0, at), seq: Number(entry.subject.slice(at + 1)), entry });
    },
    line: (value) => {
      const [batch] = waiting;
      if (!batch) throw incomplete('no more records than were logged', 'one more');
      const before = heads.get(batch.runtime);
      if (before) return take(assertValid(AuditRecord, value, 'an audit record'), before, batch);
      heads.set(
        batch.runtime,
        startOf(assertValid(Continues, value, 'the begin of a journal'), batch.runtime, head),
      );
      counts.journals++;
    },
    assertDone: () => {
      const [batch] = waiting;
      if (!batch) return;
      const have = heads.get(batch.runtime)?.seq ?? 0;
      throw incomplete(
        `records of ${batch.runtime} up to ${batch.seq}, as logged`,
        have === 0 ? 'none' : `none after ${have}`,
      );
    },
  };
}

/** Where the chain stood before the period: proved, or the very beginning. */
function startOf({ runtime, previous }: Continues, expected: string, head: Head): ChainHead {
  if (runtime !== expected) throw incomplete(`the begin of the journal ${expected}`, `of ${runtime}`);
  if (previous === null) return { seq: 0, digest: null };
  const { entry, index } = previous;
  const seq = Number(entry.subject.slice(runtime.length + 1));
  head.assertProved(previous, { kind: 'audit', subject: `${runtime}#${seq}`, digest: entry.digest });
  if (index < head.begin.size) return { seq, digest: entry.digest };
  throw incomplete(`a batch of ${runtime} from before the period`, `one of entry ${index}`);
}

const broken = refusing(
  'JOURNAL_CHAIN',
  'Do not rely on this archive: records were changed, added or removed; tell your security team',
);

function inPeriod({ body }: AuditRecord, { file }: Head): boolean {
  return body.at >= file.head.from && body.at < file.head.to;
}

function count(used: Map<string, Use>, { body }: AuditRecord): void {
  if (body.subject === null) return;
  const name = `${body.subject.server}@${body.subject.version}`;
  const use = used.get(name) ?? { sessions: 0, calls: 0, refused: 0, approvedBy: new Set<string>() };
  used.set(name, use);
  for (const person of body.subject.approvedBy) use.approvedBy.add(person);
  if (body.kind === 'session.started') use.sessions++;
  if (body.kind === 'request.forwarded' && body.method === 'tools/call') use.calls++;
  if (body.kind === 'request.refused') use.refused++;
}
