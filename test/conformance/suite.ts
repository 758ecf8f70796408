/** The referee: the MCP conformance suite as a program, run against one address, and the checks that it wrote down. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const REFEREE = join(
  import.meta.dirname,
  '../../node_modules/@modelcontextprotocol/conformance/dist/index.js',
);

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

export interface Check {
  readonly scenario: string;
  /** The check's id, its name, and which of those with the same it is. */
  readonly id: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED';
  /** What the referee says of it. */
  readonly said: string;
}

export interface Run {
  readonly checks: readonly Check[];
  /** Whether all that the revision requires passed, as the referee itself counts. */
  readonly conforms: boolean;
}

interface Written {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly errorMessage?: string;
}

// Milliseconds. The longest scenario takes about one second alone.
const SCENARIO = 15_000;
const WHOLE = 240_000;

/**
 * Runs all scenarios of a revision against an address, one after the other, at most four minutes long.
 * Throws if the referee does not come to an end: no check is better than one that was not made.
 */
export async function runSuite(url: string, revision: Revision): Promise<Run> {
  const dir = await mkdtemp(join(tmpdir(), 'lk-conformance-'));
  try {
    const words = ['--url', url, '--requirements', revision, '-o', dir, '--timeout', `${SCENARIO}`];
    const { code, said } = await referee(['server', ...words], dir);
    const checks = await readChecks(dir);
    if (checks.length === 0) throw new Error(`the conformance suite wrote no checks: ${said.slice(-500)}`);
    return { checks, conforms: code === 0 };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Runs these scenarios of a server, each as a program of its own, three at a time. */
export async function runScenarios(
  url: string,
  scenarios: readonly string[],
  revision: Revision,
): Promise<Run> {
  const dir = await mkdtemp(join(tmpdir(), 'lk-conformance-'));
  const options = ['--url', url, '--spec-version', revision, '--force', '-o', dir, '--timeout', `${WHOLE}`];
  const left = [...scenarios];
  try {
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next; next = left.shift())
        await referee(['server', '--scenario', next, ...options], dir);
    };
    await Promise.all([work(), work(), work()]);
    const checks = await readChecks(dir);
    const missing = scenarios.filter((one) => !checks.some(({ scenario }) => scenario === one));
    if (missing.length > 0) throw new Error(`the suite did not run ${missing.join(', ')}`);
    return { checks, conforms: checks.every(({ status }) => status !== 'FAILURE') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Runs client scenarios one by one, as their clocks do not stand each other. `command` is given the address. */
export async function runClient(
  command: string,
  scenarios: readonly string[],
  revision: Revision,
): Promise<Run> {
  const dir = await mkdtemp(join(tmpdir(), 'lk-conformance-'));
  const options = ['--spec-version', revision, '--force', '--timeout', `${SCENARIO}`];
  try {
    const checks: Check[] = [];
    for (const [at, scenario] of scenarios.entries()) {
      const into = join(dir, `${at}`);
      const words = ['client', '--command', command, '--scenario', scenario, '-o', into, ...options];
      const { said } = await referee(words, dir);
      const [folder] = await readdir(join(into, dirname(scenario))).catch(() => []);
      if (folder === undefined) throw new Error(`the suite did not run ${scenario}: ${said.slice(-500)}`);
      const written = await readWritten(join(into, dirname(scenario), folder, 'checks.json'));
      checks.push(...checksOf(scenario, worstOfEach(written)));
    }
    return { checks, conforms: checks.length > 0 && checks.every(({ status }) => status !== 'FAILURE') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function referee(words: readonly string[], cwd: string): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [REFEREE, ...words], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const hear = (chunk: Buffer): void => void (said = (said + chunk).slice(-100_000));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const timer = setTimeout(() => child.kill('SIGKILL'), WHOLE);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    // 0: conforms, 1: does not; a signal or anything else is no verdict.
    if (code !== 0 && code !== 1)
      throw new Error(`the conformance suite ended with ${code}: ${said.slice(-500)}`);
    return { code, said };
  } finally {
    clearTimeout(timer);
  }
}

/** One folder a scenario, named after it and the time. What is only told (INFO) is no check. */
async function readChecks(dir: string): Promise<Check[]> {
  const checks: Check[] = [];
  for (const folder of (await readdir(dir)).sort()) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(folder)?.[1];
    if (!scenario) throw new Error(`the conformance suite wrote ${folder}, which is not a scenario's folder`);
    checks.push(...checksOf(scenario, await readWritten(join(dir, folder, 'checks.json'))));
  }
  return checks;
}

const WORST = ['FAILURE', 'WARNING', 'SUCCESS', 'SKIPPED'];

/** What is checked with each request is one check: how many requests it takes is not what is compared. */
function worstOfEach(written: readonly Written[]): Written[] {
  const worst = new Map<string, Written>();
  for (const one of written) {
    const both = `${one.id}/${one.name}`;
    const before = worst.get(both);
    if (!WORST.includes(one.status)) continue;
    if (!before || WORST.indexOf(one.status) < WORST.indexOf(before.status)) worst.set(both, one);
  }
  return [...worst.values()];
}

function checksOf(scenario: string, written: readonly Written[]): Check[] {
  const seen = new Map<string, number>();
  return written.flatMap(({ id, name, status, errorMessage }) => {
    if (status === 'INFO') return [];
    const both = `${id}/${name}`;
    const count = (seen.get(both) ?? 0) + 1;
    seen.set(both, count);
    return {
      scenario,
      id: count > 1 ? `${both}#${count}` : both,
      status: status as Check['status'],
      said: errorMessage ?? '',
    };
  });
}

/** A scenario that threw wrote nothing: that is a check too, and it failed. */
async function readWritten(file: string): Promise<readonly Written[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Written[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return [
      { id: 'ran', name: 'Ran', status: 'FAILURE', errorMessage: 'the scenario did not run to its end' },
    ];
  }
}
