/** Replays of incidents: the clean release is scanned and taken as approved, the bad one is scanned against it. */
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import type { Baseline, ScanPorts, ScanRequest, ScanResult } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { DEFAULT_LIMITS, type Submission } from '../../schemas/release.ts';
import { type LocalPackage, startNpmRegistry } from '../helpers/npm-registry.ts';
import type { Incident } from './rows.ts';

const NOW = new Date('2026-11-24T12:00:00.000Z');
const SERVER = readFileSync(join(import.meta.dirname, '../servers/scan-plain.mjs'), 'utf8');
const TOOL = {
  name: 'weather',
  description: 'Tells the weather of a city.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } } },
  annotations: { readOnlyHint: false },
};

export interface Outcome {
  readonly id: string;
  readonly what: string;
  /** Checks that say more of the bad release than of an honest update, gating ones apart. */
  readonly stoppedBy: readonly string[];
  readonly advised: readonly string[];
  /** Checks that were to fire and did not. */
  readonly silent: readonly string[];
  /** Not without a named reason of two people for each check that stopped it. */
  readonly lockable: boolean;
}

export interface Replays {
  replay(incident: Incident): Promise<Outcome>;
  close(): Promise<void>;
}

/** Everything real but the package registry, which listens on the loopback. */
export async function openReplays(): Promise<Replays> {
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-incidents-'));
  await chmod(dir, 0o755);
  const honest = { 'index.mjs': SERVER };
  const old: LocalPackage = packageOf('1.0.0', {
    ...honest,
    'server.json': JSON.stringify({ tools: [TOOL] }),
  });
  const helper: LocalPackage = {
    name: 'helper',
    version: '1.0.0',
    files: { 'index.js': 'module.exports = 1;\n' },
  };
  const registry = await startNpmRegistry([old, helper]);
  const ports: ScanPorts = {
    blobs: await openBlobs(join(dir, 'blobs')),
    driver: bubblewrap({ nodePath: process.execPath }),
    workDir: dir,
    npm: { registry: registry.url, cache: join(dir, 'cache'), fetchRetries: 0, preferOnline: true },
    now: () => NOW,
    progress: () => undefined,
    answerMs: 20_000,
  };
  const approved = baselineOf(await scan(requestOf('1.0.0', {}, null), ports));
  let version = 0;
  const update = async (incident: Partial<Incident>): Promise<ScanResult> => {
    const name = `1.0.${++version}`;
    const tool = incident.shows ? incident.shows(TOOL) : TOOL;
    const files = { ...honest, 'server.json': JSON.stringify({ tools: [tool] }), ...incident.files };
    const fresh = incident.by?.includes('LK-REL-01')
      ? '2026-11-24T03:00:00.000Z'
      : '2026-11-01T00:00:00.000Z';
    registry.publish([...(incident.others ?? []), packageOf(name, files, incident, fresh)]);
    return scan(requestOf(name, incident.submission ?? {}, approved), ports);
  };
  const usual = firedIn(await update({}));
  return {
    replay: async (incident) => {
      const result = await update(incident);
      const fired = firedIn(result).filter((id) => !usual.includes(id));
      const gates = new Set(result.report.checks.filter((check) => check.gates).map(({ id }) => id));
      const { id, what, by, told = [] } = incident;
      const stoppedBy = fired.filter((one) => gates.has(one));
      return {
        ...{ id, what, stoppedBy },
        advised: fired.filter((one) => !gates.has(one)),
        silent: [
          ...by.filter((one) => !stoppedBy.includes(one)),
          ...told.filter((one) => !fired.includes(one)),
        ],
        lockable: stoppedBy.length === 0,
      };
    },
    close: async () => {
      await registry.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function packageOf(
  version: string,
  files: Readonly<Record<string, string>>,
  incident: Partial<Incident> = {},
  publishedAt = '2026-01-01T00:00:00.000Z',
): LocalPackage {
  return {
    ...{ name: '@acme/server', version, files, publishedAt },
    maintainers: [{ name: 'ann', email: 'ann@acme.example' }],
    manifest: {
      type: 'module',
      bin: { server: 'index.mjs' },
      dependencies: { helper: '1.0.0' },
      ...incident.manifest,
    },
  };
}

function requestOf(version: string, change: Partial<Submission>, baseline: Baseline | null): ScanRequest {
  const submission: Submission = {
    ...{ name: 'io.github.acme/server', version, source: `npm:@acme/server@${version}` },
    ...{ description: 'a server for replays', args: [], projectArgs: false },
    permissions: { egress: [], mounts: [], env: [], limits: { ...DEFAULT_LIMITS, memoryMiB: 512 } },
    ...change,
  };
  const advisories: ScanRequest['advisories'] = async () => ({ newest: NOW.toISOString(), affecting: [] });
  return { submission, policy: DEFAULT_POLICY, trial: false, baseline, advisories };
}

function baselineOf(result: ScanResult): Baseline {
  const { closure, surface, maintainers, report, launch } = result;
  const { permissions } = requestOf('1.0.0', {}, null).submission;
  return {
    version: report.release.version,
    closure,
    surface,
    maintainers,
    launch,
    permissions,
    origin: report.origin ?? null,
  };
}

const firedIn = ({ report }: ScanResult): string[] =>
  report.checks.filter(({ outcome }) => outcome === 'fired').map(({ id }) => id);
