/** Journals and sinks for tests: records of one user, a sink in memory, and what a folder holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal } from '../../runtime/journal/journal.ts';
import { Pump, type PumpOptions } from '../../runtime/journal/pump.ts';
import { readJournal, readOne } from '../../runtime/journal/read.ts';
import type { Sink, Taken } from '../../runtime/journal/sinks/port.ts';
import type { AuditBody, AuditKind, AuditRecord } from '../../schemas/audit.ts';

export const bodyOf = (n: number, rest: Partial<AuditBody> = {}): AuditBody => ({
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'ada',
  subject: null,
  call: String(n),
  ...rest,
});

export interface MemorySink extends Sink {
  readonly taken: AuditRecord[];
  /** What the next deliveries do instead of taking; the first is used first. */
  readonly faults: ((records: readonly AuditRecord[]) => Taken)[];
}

export function memorySink(name = 'memory'): MemorySink {
  const taken: AuditRecord[] = [];
  const faults: MemorySink['faults'] = [];
  return {
    name,
    taken,
    faults,
    deliver: async (records) => {
      const fault = faults.shift();
      if (fault) return fault(records);
      taken.push(...records);
      return { upTo: records.at(-1)?.seq ?? 0 };
    },
    close: async () => undefined,
  };
}

export function pumpOf(journal: Journal, sink: Sink, rest: Partial<PumpOptions> = {}): Pump {
  return new Pump({
    dir: journal.dir,
    journal: journal.id,
    sink,
    head: () => journal.durable(),
    now: () => new Date(),
    onChange: () => undefined,
    onRefused: async () => undefined,
    ...rest,
  });
}

/** All records below `root`, once nothing has been added to this journal for a while. */
export async function recordsAtRest(journal: Journal, root: string): Promise<AuditBody[]> {
  for (let seen = -1; seen !== journal.durable(); await sleep(100)) {
    await journal.settle().catch(() => undefined);
    seen = journal.durable();
  }
  const bodies: AuditBody[] = [];
  for await (const { body } of readJournal(root)) bodies.push(body);
  return bodies;
}

export async function recordsOf(dir: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readOne(dir)) records.push(record);
  return records;
}

export const kindsOf = async (dir: string): Promise<AuditKind[]> =>
  (await recordsOf(dir)).map(({ body }) => body.kind);
