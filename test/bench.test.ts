/** The benchmark of the data path, with so few calls that its figures mean nothing: it runs to its end and tells all. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { proxy } from '../bench/proxy/proxy.ts';
import { scan } from '../bench/scan/scan.ts';
import { tempDir } from './helpers/session.ts';

const PLAN = { rounds: 1, turnMs: 15, warmUpMs: 30 };

interface Data {
  readonly syncMs: number;
  readonly cases: readonly {
    readonly name: string;
    readonly kind: string;
    readonly why?: string;
    readonly widths?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  }[];
  readonly targets: readonly { readonly what: string; readonly measured: number; readonly verdict: string }[];
  readonly split: readonly { readonly way: string; readonly parts: Readonly<Record<string, number>> }[];
  readonly profiles: Readonly<Record<string, { readonly areas: readonly (readonly [string, number])[] }>>;
}

/** Command lines of the processes of this machine. */
function commands(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
}

test('every case over pipes has figures, every target a verdict, and nothing is left running', async () => {
  const dir = tempDir();
  chmodSync(dir, 0o755);
  vi.stubEnv('TMPDIR', dir);
  const { rows, notes, data, head } = await proxy(
    { peers: false, quick: true, only: ['stdio'], live: null },
    PLAN,
  );
  const { syncMs, cases, targets, split, profiles } = data as Data;
  expect(syncMs).toBeGreaterThan(0);
  const measured = cases.filter(({ why }) => why === undefined);
  expect(measured.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'direct',
      'floor',
      'lk run',
      'lk run, no sandbox',
      'lk run 2026-07-28',
      'SDK v1 pair',
    ]),
  );
  for (const { name, kind, widths = {} } of measured) {
    expect(Object.keys(widths)).toEqual(['1', '10', '32']);
    for (const { p50, p95, p99, perSecond, cpu } of Object.values(widths)) {
      for (const figure of [p50, p95, p99, perSecond]) expect(figure, name).toBeGreaterThan(0);
      if (kind === 'direct') expect(cpu).toBeNull();
      else expect(cpu, name).toBeGreaterThan(0);
    }
  }
  // What cannot be measured is a row that says why.
  expect(cases.filter(({ why }) => why !== undefined)).toEqual([
    expect.objectContaining({
      name: 'SDK v1 pair 2026-07-28',
      why: expect.stringMatching(/^does not speak it/),
    }),
  ]);
  expect(rows).toHaveLength(measured.length * 3 + 1);
  for (const row of rows) expect(row).toHaveLength(head.length);
  expect(targets.map(({ what }) => what)).toContain('lk run, calls/s at 32');
  for (const { measured: figure, verdict } of targets) {
    expect(Number.isFinite(figure)).toBe(true);
    expect(['holds', 'misses']).toContain(verdict);
  }
  expect(Object.values(split[0]?.parts ?? {}).every(Number.isFinite)).toBe(true);
  const shares = profiles['lk run']?.areas.map(([, share]) => share) ?? [];
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
  expect(notes.join('\n')).toMatch(/(holds|misses) {1,3}lk run, p50 of one at a time: .* wanted <= /);
  expect(notes.join('\n')).toContain('What dominates');
  expect(commands().filter((words) => words.includes(dir))).toEqual([]);
  expect(readdirSync(dir)).toEqual([]);
});

test('scans have figures by their steps, and what was judged again was told apart from what was not', async () => {
  const options = { peers: false, quick: true, only: [], live: null };
  const { rows, head, data } = await scan(options, { servers: 1, dependencies: 3, releases: 2 });
  for (const row of rows) expect(row).toHaveLength(head.length);
  const { scans, again } = data as {
    scans: { packages: number; perMinute: number; steps: Record<string, number> }[];
    again: { jobs: number; reports: number }[];
  };
  expect(scans.map(({ packages }) => packages)).toEqual([4, 4]);
  for (const { perMinute, steps } of scans) {
    expect(perMinute).toBeGreaterThan(0);
    expect(Object.values(steps).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1);
  }
  expect(again.map(({ jobs, reports }) => [jobs, reports])).toEqual([
    [0, 0],
    [2, 0],
    [2, 0],
    [2, 2],
  ]);
});

test('the page names every benchmark that there is', async () => {
  const at = { cwd: join(import.meta.dirname, '..') };
  const refused = await promisify(execFile)(process.execPath, ['bench/main.ts', 'nothing'], at).catch(
    (error: { code: number; stderr: string }) => error,
  );
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/\[USAGE\]/) });
  const unknown = await promisify(execFile)(process.execPath, ['bench/main.ts', 'log', '--halp'], at).catch(
    (error: { code: number; stderr: string }) => error,
  );
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringMatching(/--halp.*\[USAGE\]/) });
  const [, names = ''] = /expected one of (.*?); found/.exec(refused.stderr) ?? [];
  const page = readFileSync(join(at.cwd, 'docs/bench.md'), 'utf8');
  expect(names.split(', ').length).toBeGreaterThan(9);
  for (const name of names.split(', ')) expect(page).toContain(`npm run bench -- ${name} `);
});
