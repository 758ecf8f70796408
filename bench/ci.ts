/** The gate on 50 servers, cold: real releases in a real registry, a new process each time, beside an empty one. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Company, foundCompany } from '../cli/drill/company.ts';
import type { Release } from '../schemas/release.ts';
import { type LocalPackage, startNpmRegistry } from '../test/helpers/npm-registry.ts';
import { plain } from '../test/scanner/harness.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const RUNS = 20;
const SIZES = [1, 50] as const;
const VERSIONS = Array.from({ length: SIZES[1] }, (_, index) => `server-${index}`);

export async function ci(): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  const npm = await startNpmRegistry(VERSIONS.map(packageOf));
  const company = await foundCompany({ dir, npmRegistry: npm.url, environment: bare() });
  try {
    await approveAll(company);
    const rows: string[][] = [];
    const data: Record<string, { p50: number; p99: number }> = {};
    let added = 0;
    for (const size of SIZES) {
      for (; added < size; added++) await company.must('admin', 'add', VERSIONS[added] ?? '');
      await company.must('admin', 'lock');
      const cases: Record<string, string[]> = {
        [`lk ci, ${size}`]: [MAIN, 'ci'],
        [`lk verify, ${size}`]: [MAIN, 'verify'],
        [`node alone, ${size}`]: ['-e', '0'],
      };
      for (const [name, times] of Object.entries(paired(cases, company))) {
        data[name] = { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
        rows.push([name, quantile(times, 0.5).toFixed(0), quantile(times, 0.99).toFixed(0)]);
      }
    }
    return {
      head: ['case, servers', 'p50 ms', 'p99 ms'],
      rows,
      notes: [
        `${RUNS} interleaved cold runs each. The difference between ci and verify is one question to the registry.`,
      ],
      data,
    };
  } finally {
    await company.close();
    await npm.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function packageOf(name: string): LocalPackage {
  const tool = { name: 'echo', description: `Echo of ${name}`, inputSchema: { type: 'object' } };
  return plain({ tools: [tool] }, { name: `@acme/${name}` });
}

function bare(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? '' };
}

/** Wall times in milliseconds, one run of each case in turn. */
function paired(cases: Readonly<Record<string, string[]>>, { dir }: Company): Record<string, number[]> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  const env = { ...bare(), LOCKKEEPER_HOME: join(dir, 'machines/admin') };
  for (let run = 0; run < RUNS; run++) {
    for (const [name, words] of Object.entries(cases)) {
      const at = performance.now();
      execFileSync(process.execPath, words, { cwd: join(dir, 'project'), env, stdio: 'ignore' });
      times[name]?.push(performance.now() - at);
    }
  }
  return times;
}

async function approveAll(company: Company): Promise<void> {
  const reviewers = ['alice', 'bob'];
  for (const person of reviewers) {
    const { code } = (await company.must('admin', 'people', 'add', person, '--roles', 'reviewer')) as {
      code: string;
    };
    await company.must(person, 'login', company.url, '--code', code);
    for (const verb of ['new', 'enrol']) await company.must(person, 'keys', verb);
  }
  for (const name of VERSIONS) await company.must('admin', 'publish', `npm:@acme/${name}@1.0.0`, '--no-wait');
  for (;;) {
    const { releases } = (await company.must('alice', 'review')) as unknown as { releases: Release[] };
    process.stderr.write(`scanned ${releases.length} of ${VERSIONS.length}\n`);
    if (releases.length === VERSIONS.length) break;
    await sleep(2000);
  }
  for (const name of VERSIONS) for (const person of reviewers) await company.must(person, 'approve', name);
}
