/** Calls, timed: one case after another in each round, so that what else the machine does hits all of them alike. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median, quantile, within } from '../measure.ts';
import type { Case } from './cases.ts';
import { cpuOf, treeOf } from './process.ts';

export const WIDTHS = [1, 10, 32] as const;
const WIDEST = 32;
const SYNCS = 50;
/** A case is warm when a further turn takes more than this share of the least that one took; or after so many turns. */
const NO_FASTER = 0.95;
const TURNS = 8;
/** A case whose calls take this much longer than its turn has hung. */
const HUNG_MS = 60_000;

export interface Plan {
  readonly rounds: number;
  /** Each case is called for so long in each round, at each width. */
  readonly turnMs: number;
  /** And before the first round, at each width; many at once again and again, until that is no faster than before. */
  readonly warmUpMs: number;
}

export const WHOLE: Plan = { rounds: 5, turnMs: 300, warmUpMs: 1000 };
export const QUICK: Plan = { rounds: 3, turnMs: 80, warmUpMs: 400 };

export interface Figures {
  /** Milliseconds of one call. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Lowest and highest p50 of a round. */
  readonly p50Range: readonly [number, number];
  readonly perSecond: number;
  /** Microseconds of processor time of what stands between, for each call; null where nothing does. */
  readonly cpu: number | null;
  readonly calls: number;
}

interface Turn {
  readonly times: readonly number[];
  readonly perSecond: number;
  readonly cpu: number | null;
}

/** Calls for `ms` at the least, each worker once at the least. */
export async function measureOne(one: Case, { width, ms }: { width: number; ms: number }): Promise<Turn> {
  const times: number[] = [];
  const pids = one.pid === null ? [] : treeOf(one.pid);
  const before = cpuOf(pids);
  const since = performance.now();
  const worker = async (): Promise<void> => {
    for (let at = performance.now(); ; ) {
      await one.caller.call();
      const now = performance.now();
      times.push(now - at);
      at = now;
      if (now - since >= ms) return;
    }
  };
  await within(ms + HUNG_MS, Promise.all(Array.from({ length: width }, worker)));
  const elapsed = performance.now() - since;
  return {
    times,
    perSecond: (times.length / elapsed) * 1000,
    cpu: one.pid === null ? null : (cpuOf(pids) - before) / times.length,
  };
}

export interface Rounds {
  /** By case and width: `figures.get('lk run')?.get(32)`. */
  readonly figures: ReadonlyMap<string, ReadonlyMap<number, Figures>>;
  /** Other gateways that answered at first and broke later, with what they said. */
  readonly broken: ReadonlyMap<string, string>;
  /** Milliseconds of one append and fdatasync of the size of a record, in between. */
  readonly syncMs: number;
  /** The same where each comes after a call, as a record does: what has waited is slower than what is asked again at once. */
  readonly syncAfterCallMs: number;
  readonly plan: Plan;
}

/** Throws when one of ours breaks; another gateway that does is measured no further. */
export async function measure(
  cases: readonly Case[],
  { dir, plan, say }: { dir: string; plan: Plan; say: (line: string) => void },
): Promise<Rounds> {
  const turns = new Map(cases.map(({ name }) => [name, new Map<number, Turn[]>()]));
  const broken = new Map<string, string>();
  const syncs: number[] = [];
  const afterCalls: number[] = [];
  const direct = cases.find(({ kind }) => kind === 'direct');
  const take = async (one: Case, at: { width: number; ms: number }): Promise<Turn | null> => {
    if (broken.has(one.name)) return null;
    try {
      return await measureOne(one, at);
    } catch (error) {
      if (one.kind !== 'peer') throw new Error(`${one.name}: ${(error as Error).message}`, { cause: error });
      broken.set(one.name, (error as Error).message);
      return null;
    }
  };
  say(`warming up ${cases.length} cases`);
  for (const one of cases) await warmUp((ms) => take(one, { width: WIDEST, ms }), plan.warmUpMs);
  // What is done once a call is hot after many at once, what is done once a turn is not.
  for (const width of WIDTHS.toReversed().slice(1))
    for (const one of cases) await take(one, { width, ms: plan.warmUpMs });
  for (let round = 1; round <= plan.rounds; round++)
    for (const width of WIDTHS) {
      say(`round ${round} of ${plan.rounds}, ${width} at once`);
      syncs.push(...(await syncTimes(dir)));
      if (direct) afterCalls.push(...(await syncTimes(dir, direct)));
      // Whoever comes after a noisy neighbour does so in every other round only.
      for (const one of round % 2 === 0 ? cases.toReversed() : cases) {
        const taken = await take(one, { width, ms: plan.turnMs });
        const widths = turns.get(one.name);
        if (taken) widths?.set(width, [...(widths.get(width) ?? []), taken]);
      }
    }
  const figures = [...turns]
    .filter(([name]) => !broken.has(name))
    .map(
      ([name, widths]) => [name, new Map([...widths].map(([width, each]) => [width, summed(each)]))] as const,
    );
  const syncMs = quantile(syncs, 0.5);
  const syncAfterCallMs = direct ? quantile(afterCalls, 0.5) : syncMs;
  return { figures: new Map(figures), broken, syncMs, syncAfterCallMs, plan };
}

/** An engine compiles what is hot while it is called: every case is called until that is done. */
async function warmUp(take: (ms: number) => Promise<Turn | null>, ms: number): Promise<void> {
  let least = Infinity;
  for (let turn = 1; turn <= TURNS; turn++) {
    const taken = await take(ms);
    const each = taken && 1000 / taken.perSecond;
    if (each === null || each > least * NO_FASTER) return;
    least = each;
  }
}

function summed(turns: readonly Turn[]): Figures {
  const times = turns.flatMap((one) => one.times);
  const [p50 = 0, p95 = 0, p99 = 0] = [0.5, 0.95, 0.99].map((q) => quantile(times, q));
  const each = turns.map((one) => quantile(one.times, 0.5));
  const cpu = turns.flatMap((one) => (one.cpu === null ? [] : [one.cpu]));
  return {
    p50,
    p95,
    p99,
    p50Range: [Math.min(...each), Math.max(...each)],
    perSecond: median(turns.map((one) => one.perSecond)),
    cpu: cpu.length === 0 ? null : median(cpu),
    calls: times.length,
  };
}

/** What a lone record costs at the least: written and synced by the thread that waits for it, each after a call of `before`. */
async function syncTimes(dir: string, before?: Case): Promise<number[]> {
  const fd = openSync(join(dir, 'syncs'), 'a');
  const record = Buffer.alloc(1200, 'x');
  const times: number[] = [];
  for (let n = 0; n < SYNCS; n++) {
    await before?.caller.call();
    const since = performance.now();
    writeSync(fd, record);
    fdatasyncSync(fd);
    times.push(performance.now() - since);
  }
  closeSync(fd);
  return times;
}
