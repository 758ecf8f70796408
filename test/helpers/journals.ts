/** Journals and sinks for tests: records of one user, a sink in memory, and what a folder holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal } from '../../runtime/journal/journal.ts';
import { Pump, type PumpOptions } from '../../runtime/journal/pump.ts';
import { readOne } from '../../runtime/journal/read.ts';
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

export async function recordsOf(dir: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readOne(dir)) records.push(record);
  return records;
}

export const kindsOf = async (dir: string): Promise<AuditKind[]> =>
  (await recordsOf(dir)).map(({ body }) => body.kind);

/** Waits until it holds; fails after so many milliseconds. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it did not come to that in ${ms} ms`);
    await sleep(10);
  }
}
