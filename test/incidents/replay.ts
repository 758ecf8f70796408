/** Replays of incidents: the clean release is scanned and taken as approved, the bad one is scanned against it. */
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { isAffected } from '../../scanner/advisories/match.ts';
import { readAdvisory } from '../../scanner/advisories/record.ts';
import { openGithub } from '../../scanner/github/client.ts';
import type { Baseline, KnownAdvisories, ScanPorts, ScanRequest, ScanResult } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { failsGate } from '../../schemas/advisory.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { DEFAULT_LIMITS, type Submission } from '../../schemas/release.ts';
import { openFakeGithub, type RepositorySpec } from '../helpers/github-server.ts';
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

const REPOSITORY: RepositorySpec & { name: string } = {
  ...{ name: 'acme/server', id: 1001, createdAt: '2020-01-01T00:00:00Z' },
  files: { 'package.json': '{"name":"@acme/server"}' },
};

/** A scan that knows GitHub with this repository in it. */
async function scanWith(
  repository: RepositorySpec,
  request: ScanRequest,
  ports: ScanPorts,
): Promise<ScanResult> {
  const fake = await openFakeGithub({ files: REPOSITORY.files ?? {}, ...repository });
  const { url: api } = fake;
  const github = openGithub({ api, host: 'github.com', token: null, environment: {}, now: () => NOW });
  try {
    return await scan(request, { ...ports, github });
  } finally {
    await github.close();
    await fake.close();
  }
}

/** Everything real but the package registry and GitHub, which listen on the loopback. */
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
  const approved = baselineOf(await scanWith(REPOSITORY, requestOf('1.0.0', {}, null), ports));
  let version = 0;
  const attempt = async (incident: Partial<Incident>): Promise<ScanResult> => {
    const { repository = REPOSITORY, advisories = [], submission = {} } = incident;
    const name = incident.again ? '1.0.0' : `1.0.${++version}`;
    if (!incident.again) registry.publish([...(incident.others ?? []), updateOf(name, honest, incident)]);
    const request = { ...requestOf(name, submission, approved), advisories: knowing(advisories) };
    return scanWith(repository, request, ports);
  };
  const usual = { update: firedIn(await attempt({})), again: firedIn(await attempt({ again: true })) };
  return {
    replay: async (incident) => {
      const { id, what, by, told = [] } = incident;
      const result = await attempt(incident).catch((error: unknown) => asLockkeeperError(error).code);
      if (typeof result === 'string') {
        const silent = result === incident.refused ? [] : [...by, incident.refused ?? `not ${result}`];
        return { id, what, stoppedBy: [result], advised: [], silent, lockable: false };
      }
      const before = incident.again ? usual.again : usual.update;
      const fired = firedIn(result).filter((one) => !before.includes(one));
      const gates = new Set(result.report.checks.filter((check) => check.gates).map((check) => check.id));
      const { affecting } = await knowing(incident.advisories ?? [])(result.packages);
      const failed = affecting.some((one) => failsGate(one, incident.failOn ?? null));
      const stoppedBy = [
        ...fired.filter((one) => gates.has(one)),
        ...(failed ? [`lk ci (LOCKKEEPER_FAIL_ON=${incident.failOn})`] : []),
      ];
      return {
        ...{ id, what, stoppedBy },
        advised: fired.filter((one) => !gates.has(one)),
        silent: [
          ...(incident.refused === undefined ? [] : [incident.refused]),
          ...(failed || incident.failOn === undefined ? [] : ['lk ci']),
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

function updateOf(
  version: string,
  honest: Readonly<Record<string, string>>,
  incident: Partial<Incident>,
): LocalPackage {
  const tool = incident.shows ? incident.shows(TOOL) : TOOL;
  const files = { ...honest, 'server.json': JSON.stringify({ tools: [tool] }), ...incident.files };
  const fresh = incident.by?.includes('LK-REL-01') ? '2026-11-24T03:00:00.000Z' : '2026-11-01T00:00:00.000Z';
  return packageOf(version, files, incident, fresh);
}

/** What these records say of what is installed, by the rules that the registry goes by. */
function knowing(
  records: NonNullable<Incident['advisories']>,
): (packages: ScanResult['packages']) => Promise<KnownAdvisories> {
  const known = records.map((record) => readAdvisory(Buffer.from(JSON.stringify(record))));
  return async (packages) => ({
    newest: NOW.toISOString(),
    affecting: known.flatMap(({ id, kind, severity, summary, modified, affects }) => {
      const purls = packages
        .map(({ purl }) => purl)
        .filter((purl) =>
          affects.some((one) => {
            const [, name = '', version = ''] = /^pkg:npm\/(.+)@([^@]+)$/.exec(purl) ?? [];
            return one.name === decodeURIComponent(name) && isAffected(version, one);
          }),
        );
      return purls.length > 0 ? [{ id, kind, severity, summary, modified, purls }] : [];
    }),
    missing: [],
  });
}

function packageOf(
  version: string,
  files: Readonly<Record<string, string>>,
  incident: Partial<Incident> = {},
  publishedAt = '2026-01-01T00:00:00.000Z',
): LocalPackage {
  return {
    ...{ name: '@acme/server', version, files, publishedAt },
    maintainers: incident.maintainers ?? [{ name: 'ann', email: 'ann@acme.example' }],
    manifest: {
      repository: `github:${incident.repository?.name ?? REPOSITORY.name}`,
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
  return { submission, policy: DEFAULT_POLICY, trial: false, baseline, advisories: knowing([]) };
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
