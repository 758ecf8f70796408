/** What scans cost: a server cold, many from a warm cache, and 1,000 approved releases held to what is judged by today. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchResult } from '../main.ts';
import { type AgainRow, again } from './again.ts';
import type { Sizes } from './packages.ts';
import { generated, real, type ScanRow } from './scans.ts';

const WHOLE: Sizes = { servers: 10, dependencies: 40, releases: 1000 };
const QUICK: Sizes = { servers: 3, dependencies: 40, releases: 100 };

/** `sizes` is for a test, whose figures mean nothing. */
export async function scan(options: BenchOptions, sizes?: Sizes): Promise<BenchResult> {
  const size = sizes ?? (options.quick ? QUICK : WHOLE);
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  try {
    const before = loadavg()[0] ?? 0;
    const scans = await generated(join(dir, 'scans'), size);
    if (options.live !== null) scans.push(...(await real(dir, options.live)));
    const judged = await again(dir, size);
    return resultOf({ scans, judged }, size, [before, loadavg()[0] ?? 0]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function resultOf(
  { scans, judged }: { scans: readonly ScanRow[]; judged: readonly AgainRow[] },
  { dependencies }: Sizes,
  load: readonly [number, number],
): BenchResult {
  const perMinute = ({ packages, seconds }: ScanRow): number => (packages / seconds) * 60;
  const ends = load.map((one) => one.toFixed(1)).join(' and ');
  return {
    head: ['case', 'things', 'seconds', 'each ms', 'a minute'],
    rows: [
      ...scans.map((row) => [
        `${row.name}, packages`,
        String(row.packages),
        row.seconds.toFixed(1),
        (row.each * 1000).toFixed(0),
        perMinute(row).toFixed(0),
      ]),
      ...judged.map((row) => [
        `${row.name}, releases`,
        String(row.releases),
        row.seconds.toFixed(row.seconds < 1 ? 3 : 1),
        ((row.seconds / row.releases) * 1000).toFixed(row.jobs === 0 ? 3 : 1),
        row.jobs === 0 ? '' : ((row.releases / row.seconds) * 60).toFixed(0),
      ]),
    ],
    notes: [
      `A generated server has ${dependencies} dependencies of its own; each ms of the upper rows is one server as the median.`,
      ...scans.map((row) => `${row.name}: ${sharesOf(row)}.`),
      ...judged.map(
        ({ name, jobs, reports, askMs }) =>
          `${name}: known after ${askMs.toFixed(0)} ms, ${jobs} jobs, ${reports} reports that came out otherwise, no server started.`,
      ),
      `Load of the machine before and after: ${ends}. Node ${process.version}.`,
    ],
    data: { load, scans: scans.map((row) => ({ ...row, perMinute: perMinute(row) })), again: judged },
  };
}

/** Where the time goes, the longest first. */
function sharesOf({ steps }: ScanRow): string {
  return Object.entries(steps)
    .filter(([, share]) => share >= 0.01)
    .sort(([, a], [, b]) => b - a)
    .map(([step, share]) => `${step} ${(share * 100).toFixed(0)} %`)
    .join(', ');
}
