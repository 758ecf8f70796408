/** Verifying locks of 10, 100 and 1,000 servers: cold as a command, warm in one process; time and memory. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyLock } from '../runtime/trust/lock.ts';
import { sha256 } from '../schemas/json.ts';
import { type Artifact, closureDigest } from '../schemas/release.ts';
import { makeEntry, pin } from '../test/helpers/trust.ts';
import { at, lockOf, type Unapproved } from './locked.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const SIZES = [10, 100, 1000] as const;
/** What the filesystem server's closure has, about. */
const ARTIFACTS = 100;
const COLD = 10;
const WARM = 10;
const REGISTRY = 'http://127.0.0.1:1';

export async function lock(): Promise<BenchResult> {
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  for (const size of SIZES) {
    process.stderr.write(`a lock of ${size} servers\n`);
    const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
    try {
      const bytes = lockOf(serversOf(size), { registry: REGISTRY });
      const cold = coldRuns(dir, bytes);
      const warm = warmRuns(bytes);
      const mib = bytes.length / 2 ** 20;
      data[size] = { cold: summary(cold.times), warm: summary(warm), mib, rssMiB: cold.rss };
      rows.push([
        `${size} servers`,
        mib.toFixed(1),
        ...[cold.times, warm].flatMap((list) =>
          [quantile(list, 0.5), quantile(list, 0.99)].map((ms) => ms.toFixed(0)),
        ),
        cold.rss.toFixed(0),
      ]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return {
    head: ['lock', 'MiB', 'cold p50 ms', 'cold p99', 'warm p50 ms', 'warm p99', 'cold peak MiB'],
    rows,
    notes: [
      `${COLD} cold runs of lk verify, ${WARM} warm ones; ${ARTIFACTS} artifacts and two approvals in the log to each server.`,
      'Per server: two signatures, two in-toto statements of every artifact, and their proofs.',
    ],
    data,
  };
}

const summary = (times: number[]): { p50: number; p99: number } => ({
  p50: quantile(times, 0.5),
  p99: quantile(times, 0.99),
});

function artifactsOf(name: string): Artifact[] {
  return Array.from({ length: ARTIFACTS }, (_, index) => {
    const digest = sha256(`${name} ${index}`);
    const sha512 = digest.slice('sha256:'.length).repeat(2);
    const purl = `pkg:npm/${name}-${index}@1.2.3`;
    return {
      location: `node_modules/${name}-${String(index).padStart(3, '0')}`,
      purl,
      sha256: digest,
      sha512,
      size: 1000,
      optional: false,
    };
  });
}

function serversOf(size: number): Record<string, Unapproved> {
  const servers: Record<string, Unapproved> = {};
  for (let index = 0; index < size; index++) {
    const name = `server-${index}`;
    const artifacts = artifactsOf(name);
    servers[name] = {
      ...makeEntry(),
      server: `acme.tools/${name}`,
      request: { server: `acme.tools/${name}`, range: '*' },
      closure: { digest: closureDigest(artifacts), artifacts },
    };
  }
  return servers;
}

function coldRuns(dir: string, bytes: Buffer): { times: number[]; rss: number } {
  const home = join(dir, 'home');
  mkdirSync(home);
  const signIn = {
    registry: REGISTRY,
    person: 'erin',
    token: `lk_${'x'.repeat(43)}`,
    expires: at(10),
    ...pin,
  };
  const credentials = { lockkeeper: 'credentials/v1', signIns: [signIn] };
  writeFileSync(join(home, 'credentials.json'), JSON.stringify(credentials), { mode: 0o600 });
  const intent = {
    lockkeeper: 'intent/v1',
    project: 'acme/app',
    environment: 'development',
    registry: REGISTRY,
    trust: pin,
    servers: {},
  };
  writeFileSync(join(dir, 'lockkeeper.json'), JSON.stringify(intent));
  writeFileSync(join(dir, 'mcp.lock'), bytes);
  const env = { PATH: process.env.PATH ?? '', LOCKKEEPER_HOME: home };
  const peak = join(dir, 'peak.mjs');
  writeFileSync(
    peak,
    `process.on('exit', () => process.stderr.write(String(process.resourceUsage().maxRSS)));`,
  );
  const times: number[] = [];
  let rss = 0;
  for (let run = 0; run < COLD; run++) {
    const from = performance.now();
    execFileSync(process.execPath, [MAIN, 'verify'], { cwd: dir, env, stdio: 'ignore' });
    times.push(performance.now() - from);
  }
  const told = spawnPeak([`--import=${peak}`, MAIN, 'verify'], { cwd: dir, env });
  rss = Number(told.match(/\d+$/)?.[0] ?? 0) / 1024;
  return { times, rss };
}

/** What the process said last on stderr: its largest resident size, KiB. */
function spawnPeak(words: string[], at_: { cwd: string; env: NodeJS.ProcessEnv }): string {
  const script = `exec "${process.execPath}" "$@" 2>&1 >/dev/null`;
  return execFileSync('/bin/sh', ['-c', script, 'sh', ...words], { ...at_, encoding: 'utf8' });
}

function warmRuns(bytes: Buffer): number[] {
  const context = { pin, audience: 'acme/app', environment: 'development', now: new Date(), seen: null };
  const times: number[] = [];
  for (let run = 0; run < WARM; run++) {
    const from = performance.now();
    verifyLock(bytes, context);
    times.push(performance.now() - from);
  }
  return times;
}
