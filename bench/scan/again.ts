/** What it costs to hold 1,000 approved releases to what is judged by today: on the registry's own queue, with its database. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScanDeps } from '../../registry/deps.ts';
import { startEmbedded } from '../../registry/embedded.ts';
import { queueRejudgements } from '../../registry/rejudge.ts';
import { startWorker } from '../../registry/worker.ts';
import { selectDriver } from '../../runtime/isolation/select.ts';
import { store } from '../../scanner/evidence.ts';
import type { ScanResult } from '../../scanner/ports.ts';
import { rulesOfChecks } from '../../scanner/rules.ts';
import { scan } from '../../scanner/scan.ts';
import type { Report } from '../../schemas/finding.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { startNpmRegistry } from '../../test/helpers/npm-registry.ts';
import { startTestRegistry, type TestRegistry } from '../../test/helpers/registry.ts';
import { requestFor } from '../../test/scanner/harness.ts';
import { makeTemplate } from '../../test/setup/postgres.ts';
import { type Sizes, serverName, serverOf } from './packages.ts';

const WORKERS = 2;
const OTHER = `sha256:${'0'.repeat(64)}`;

export interface AgainRow {
  readonly name: string;
  readonly releases: number;
  /** Jobs that were queued for them, and reports that came out otherwise. */
  readonly jobs: number;
  readonly reports: number;
  /** Milliseconds until it is known what is to be done, and seconds until it is done. */
  readonly askMs: number;
  readonly seconds: number;
}

export async function again(dir: string, sizes: Sizes): Promise<AgainRow[]> {
  const database = await startEmbedded({ dir: join(dir, 'postgres'), progress: () => undefined });
  try {
    const { host, user } = database.connection as { host: string; user: string };
    const server = { name: 'embedded PostgreSQL', host, user };
    await makeTemplate(server);
    const registry = await startTestRegistry(server);
    try {
      const workDir = join(dir, 'registry');
      await mkdir(workDir, { mode: 0o755 });
      return await rowsOf(registry, { ...registry.deps, workDir }, sizes);
    } finally {
      await registry.close();
    }
  } finally {
    await database.stop();
  }
}

async function rowsOf(registry: TestRegistry, deps: ScanDeps, sizes: Sizes): Promise<AgainRow[]> {
  const { releases, dependencies } = sizes;
  process.stderr.write(`${releases} approved releases\n`);
  const result = await oneScan(deps, dependencies);
  const rules = await rulesOfChecks();
  const judgedBy = async (id: string): Promise<void> =>
    approve(registry, result, { releases, rules: await store({ ...rules, [id]: OTHER }, deps.blobs) });
  await judgedBy('LK-TXT-02');
  const rows = [await measured('one check of tool text changed', registry, deps)];
  rows.unshift(await measured('nothing changed', registry, deps));
  await judgedBy('LK-COD-01');
  rows.push(await measured('one check of code changed', registry, deps));
  const { policy } = deps;
  const stricter = { ...policy, scan: { ...policy.scan, coolDownDays: 365 } };
  rows.push(
    await measured('the policy changed, every verdict with it', registry, { ...deps, policy: stricter }),
  );
  return rows;
}

async function oneScan({ blobs, workDir }: ScanDeps, dependencies: number): Promise<ScanResult> {
  const npm = await startNpmRegistry(serverOf(0, dependencies));
  try {
    const { driver } = await selectDriver({ nodePath: process.execPath });
    const source = `npm:${serverName(0)}@1.0.0`;
    return await scan(requestFor({ name: 'io.github.acme/server', source }), {
      ...{ blobs, driver, workDir, now: () => new Date(), progress: () => undefined },
      npm: { registry: npm.url, cache: join(workDir, 'npm'), fetchRetries: 0 },
    });
  } finally {
    await npm.close();
  }
}

/** That many releases with a surface and a report of their own, all of them approved, judged by these rules. */
async function approve(
  { pool, deps: { blobs } }: TestRegistry,
  result: ScanResult,
  { releases, rules }: { releases: number; rules: string },
): Promise<void> {
  const names: string[] = [];
  const surfaces: string[] = [];
  const pins: string[] = [];
  const reports: string[] = [];
  for (let index = 0; index < releases; index++) {
    const surface = surfaceOf(result.surface, index);
    const text = await store(surface, blobs);
    const name = `io.github.acme/server-${index}`;
    const evidence = { ...result.report.evidence, surface: text, secondStart: text, rules };
    const report: Report = { ...result.report, release: { ...result.report.release, name }, evidence };
    names.push(name);
    surfaces.push(text);
    pins.push(pinSurface(surface).digest);
    reports.push(await store(report, blobs));
  }
  const { closure, launch, report } = result;
  const { submission } = requestFor();
  await pool.query(
    `insert into releases (name, version, purl, source, description, state, requested_by, submission, launch, closure, closure_digest, surface_digest, surface_text, report_digest)
     select r.name, '1.0.0', $5, $6, 'a server', 'approved', 'dave', $7, $8, $9, $10, r.surface_digest, r.surface_text, r.report_digest
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as r (name, surface_text, surface_digest, report_digest)
     on conflict (name, version) where state <> 'rejected' do update set report_digest = excluded.report_digest, judged_by = null`,
    [
      ...[names, surfaces, pins, reports],
      ...[report.release.purl, submission.source, JSON.stringify(submission)],
      ...[JSON.stringify(launch), JSON.stringify(closure), closure.digest],
    ],
  );
}

function surfaceOf(surface: Surface, index: number): Surface {
  const tools = Object.entries(surface.tools).map(([name, tool]) => [
    name,
    { ...tool, description: `${String(tool.description)} Of server ${index}.` },
  ]);
  return { ...surface, tools: Object.fromEntries(tools) as Surface['tools'] };
}

/** From the schedule's question to the last job, done by workers as the registry has them. */
async function measured(name: string, { pool }: TestRegistry, deps: ScanDeps): Promise<AgainRow> {
  process.stderr.write(`${name}\n`);
  const count = async (sql: string): Promise<number> => Number((await pool.query(sql)).rows[0].n);
  const rescans = `select count(*) as n from rescans`;
  const before = await count(rescans);
  const from = performance.now();
  const jobs = await queueRejudgements(deps);
  const askMs = performance.now() - from;
  if (jobs > 0) {
    const runner = await startWorker(deps, WORKERS);
    while ((await count(`select count(*) as n from graphile_worker.jobs`)) > 0) await sleep(100);
    await runner.stop();
  }
  const seconds = (performance.now() - from) / 1000;
  const releases = await count(`select count(*) as n from releases where state = 'approved'`);
  return { name, releases, jobs, reports: (await count(rescans)) - before, askMs, seconds };
}
