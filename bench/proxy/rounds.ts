/** Calls, timed: one case after another in each round, so that what else the machine does hits all of them alike. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median, quantile } from '../measure.ts';
import type { Case } from './cases.ts';
import { cpuOf } from './process.ts';

export const WIDTHS = [1, 10, 32] as const;
export const ROUNDS = 5;
const WARM_UP = 800;
const SYNCS = 100;

export interface Figures {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly perSecond: number;
  /** Microseconds of processor time of what stands between, for each call; null where nothing does. */
  readonly cpu: number | null;
}

interface Series {
  readonly times: number[];
  readonly rates: number[];
  readonly cpu: number[];
}

const callsAt = (width: number): number => (width === 1 ? 200 : width * 30);

async function run(one: Case, { calls, width }: { calls: number; width: number }, into?: Series) {
  let left = calls;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const since = performance.now();
      await one.caller.call();
      into?.times.push(performance.now() - since);
    }
  };
  const before = one.pid === null ? 0 : cpuOf(one.pid);
  const since = performance.now();
  await Promise.all(Array.from({ length: width }, worker));
  into?.rates.push((calls / (performance.now() - since)) * 1000);
  if (one.pid !== null) into?.cpu.push((cpuOf(one.pid) - before) / calls);
}

export interface Rounds {
  /** By case and width: `figures.get('lk run')?.get(32)`. */
  readonly figures: ReadonlyMap<string, ReadonlyMap<number, Figures>>;
  /** Milliseconds of one append and fdatasync of the size of a record, in between. */
  readonly syncMs: number;
}

export async function measure(
  cases: readonly Case[],
  dir: string,
  say: (line: string) => void,
): Promise<Rounds> {
  const found = new Map(cases.map(({ name }) => [name, new Map<number, Series>()]));
  const syncs: number[] = [];
  for (const one of cases) await run(one, { calls: WARM_UP, width: 8 });
  for (let round = 1; round <= ROUNDS; round++)
    for (const width of WIDTHS) {
      say(`round ${round} of ${ROUNDS}, ${width} at once`);
      syncs.push(...syncTimes(dir));
      for (const one of cases) {
        const widths = found.get(one.name);
        const series = widths?.get(width) ?? { times: [], rates: [], cpu: [] };
        widths?.set(width, series);
        await run(one, { calls: callsAt(width), width }, series);
      }
    }
  const figures = [...found].map(
    ([name, widths]) => [name, new Map([...widths].map(([width, each]) => [width, summed(each)]))] as const,
  );
  return { figures: new Map(figures), syncMs: quantile(syncs, 0.5) };
}

function summed({ times, rates, cpu }: Series): Figures {
  const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((q) => quantile(times, q));
  return { p50, p95, p99, perSecond: median(rates), cpu: cpu.length === 0 ? null : median(cpu) };
}

/** What a lone record costs at the least: written and synced by the thread that waits for it. */
function syncTimes(dir: string): number[] {
  const fd = openSync(join(dir, 'syncs'), 'a');
  const record = Buffer.alloc(1200, 'x');
  const times = Array.from({ length: SYNCS }, () => {
    const since = performance.now();
    writeSync(fd, record);
    fdatasyncSync(fd);
    return performance.now() - since;
  });
  closeSync(fd);
  return times;
}
