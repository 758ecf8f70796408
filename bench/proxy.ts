/**
 * tools/call echo: direct, behind a bare byte pipe that appends each line to a file with one group fdatasync (the floor
 * of anything that keeps a durable record), and through the runtime with its gate and journal. Interleaved rounds.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { openDir } from '../test/helpers/sandbox.ts';
import type { BenchResult } from './main.ts';
import { type Caller, caller, median, quantile } from './measure.ts';

const SERVER = join(import.meta.dirname, '../test/servers/scripted.mjs');
const FLOOR = join(import.meta.dirname, 'floor.ts');
const RUNTIME = join(import.meta.dirname, '../test/helpers/runtime-process.ts');
const ROUNDS = 5;
const CALLS = 2000;
const WARM_UP = 300;

export async function proxy(): Promise<BenchResult> {
  const cases: Record<string, ChildProcessWithoutNullStreams> = {
    direct: spawn(process.execPath, [SERVER]),
    floor: spawn(process.execPath, [FLOOR, openDir(), SERVER]),
    lockkeeper: spawn(process.execPath, [RUNTIME, openDir()]),
  };
  const callers: Record<string, Caller> = {};
  for (const [name, child] of Object.entries(cases)) {
    child.stderr.resume();
    callers[name] = await caller(child);
    await callers[name].run(WARM_UP, 8);
  }
  const rows: string[][] = [];
  const data: Record<string, Record<string, number>> = {};
  for (const width of [1, 32]) {
    const measured: Record<string, { times: number[]; rates: number[] }> = {};
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, one] of Object.entries(callers)) {
        const { times, elapsed } = await one.run(CALLS, width);
        const entry = (measured[name] ??= { times: [], rates: [] });
        entry.times.push(...times);
        entry.rates.push((CALLS / elapsed) * 1000);
      }
    }
    const direct = measured.direct?.times ?? [];
    for (const [name, { times, rates }] of Object.entries(measured)) {
      const figures = {
        p50: quantile(times, 0.5),
        p95: quantile(times, 0.95),
        p99: quantile(times, 0.99),
        perSecond: median(rates),
        ratio: quantile(times, 0.5) / quantile(direct, 0.5),
        ratioP99: quantile(times, 0.99) / quantile(direct, 0.99),
      };
      data[`${name} c${width}`] = figures;
      rows.push([
        `${name} c${width}`,
        figures.p50.toFixed(3),
        figures.p95.toFixed(3),
        figures.p99.toFixed(3),
        figures.perSecond.toFixed(0),
        `${figures.ratio.toFixed(2)}x`,
        `${figures.ratioP99.toFixed(2)}x`,
      ]);
    }
  }
  for (const child of Object.values(cases)) child.kill('SIGKILL');
  const at = (name: string): number => data[name]?.p50 ?? 0;
  const share = (at('floor c1') - at('direct c1')) / (at('lockkeeper c1') - at('direct c1'));
  return {
    head: ['case', 'p50 ms', 'p95 ms', 'p99 ms', 'calls/s', 'p50 ratio', 'p99 ratio'],
    rows,
    notes: [
      `${ROUNDS} interleaved rounds of ${CALLS} calls each, Node ${process.version}; lockkeeper runs the server in bubblewrap, journal on.`,
      `One at a time, ${(share * 100).toFixed(0)} % of what Lockkeeper adds is what any durable record costs (the floor: one more process and one disk sync a call); the rest is parsing, judging, hashing and the sandbox.`,
    ],
    data,
  };
}
