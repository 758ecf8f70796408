/** One scanner with everything real: a loopback package registry, the blob store, the sandbox. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import type { Baseline, ScanPorts, ScanRequest, ScanResult } from '../../scanner/ports.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { CheckResult } from '../../schemas/finding.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { DEFAULT_LIMITS, type Submission } from '../../schemas/release.ts';
import { type LocalPackage, startNpmRegistry } from '../helpers/npm-registry.ts';
import { PATIENCE_MS } from '../helpers/wait.ts';

export const NOW = new Date('2026-11-24T12:00:00.000Z');
export const SERVERS = join(import.meta.dirname, '../servers');

/** A folder that a sandbox can reach; gone with the test. */
export async function tempDir(): Promise<string> {
  const dir = await reachableDir();
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function reachableDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-scan-'));
  await chmod(dir, 0o755);
  return dir;
}

export interface World {
  readonly ports: ScanPorts;
  readonly dir: string;
  readonly publish: (packages: readonly LocalPackage[]) => void;
  /** Number of artifacts and documents stored. */
  readonly stored: () => number;
}

/** Gone with the test. */
export async function worldOf(packages: readonly LocalPackage[], answerMs = PATIENCE_MS): Promise<World> {
  const { close, ...world } = await openWorld(packages, answerMs);
  onTestFinished(close);
  return world;
}

/** Gone with `close`. */
export async function openWorld(
  packages: readonly LocalPackage[],
  answerMs = PATIENCE_MS,
): Promise<World & { close: () => Promise<void> }> {
  const dir = await reachableDir();
  const registry = await startNpmRegistry(packages);
  const ports: ScanPorts = {
    blobs: await openBlobs(join(dir, 'blobs')),
    driver: bubblewrap({ nodePath: process.execPath }),
    workDir: dir,
    npm: { registry: registry.url, cache: join(dir, 'cache'), fetchRetries: 0 },
    now: () => NOW,
    progress: () => undefined,
    answerMs,
  };
  const stored = (): number => globSync('*/*', { cwd: join(dir, 'blobs') }).length;
  const close = async (): Promise<void> => {
    await registry.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { ports, dir, publish: registry.publish, stored, close };
}

/** A package that starts a server of test/servers with these files beside it. */
function serverPackage(
  server: 'scan-plain' | 'scan-hostile' | 'behaving',
  beside: Readonly<Record<string, string>>,
  more: Partial<LocalPackage> = {},
): LocalPackage {
  const code = readFileSync(join(SERVERS, `${server}.mjs`), 'utf8');
  return {
    name: '@acme/server',
    version: '1.0.0',
    publishedAt: '2026-01-01T00:00:00.000Z',
    maintainers: [{ name: 'ann', email: 'ann@acme.example' }],
    ...more,
    manifest: { type: 'module', bin: { server: 'index.mjs' }, license: 'MIT', ...more.manifest },
    files: { 'index.mjs': code, ...beside, ...more.files },
  };
}

export function plain(shows: JsonObject, more: Partial<LocalPackage> = {}): LocalPackage {
  return serverPackage('scan-plain', { 'server.json': JSON.stringify(shows) }, more);
}

/** A server of test/servers/behaving.mjs. */
export function behaving(acts: JsonObject, more: Partial<LocalPackage> = {}): LocalPackage {
  return serverPackage('behaving', { 'acts.json': JSON.stringify(acts) }, more);
}

export function hostile(mode: string, more: Partial<LocalPackage> = {}): LocalPackage {
  return serverPackage('scan-hostile', { 'mode.txt': mode }, more);
}

export function requestFor(change: Partial<Submission> = {}, baseline: Baseline | null = null): ScanRequest {
  const version = change.version ?? '1.0.0';
  const submission: Submission = {
    name: 'io.github.acme/server',
    version,
    source: `npm:@acme/server@${version}`,
    description: 'a server for tests',
    args: [],
    projectArgs: false,
    permissions: { egress: [], mounts: [], env: [], limits: { ...DEFAULT_LIMITS, memoryMiB: 512 } },
    ...change,
  };
  const advisories: ScanRequest['advisories'] = async () => ({
    newest: NOW.toISOString(),
    affecting: [],
    missing: [],
  });
  return { submission, policy: DEFAULT_POLICY, trial: false, baseline, advisories, peers: [] };
}

export function baselineOf(result: ScanResult): Baseline {
  const { closure, surface, maintainers, report, launch, licences } = result;
  const { permissions } = requestFor().submission;
  const { version } = report.release;
  const origin = report.origin ?? null;
  return { version, closure, surface, maintainers, launch, permissions, origin, licences };
}

/** The refusal that a promise ends in. */
export async function refusalOf(promise: Promise<unknown>): Promise<LockkeeperError> {
  const error = await promise.then(
    () => new Error('it did not refuse'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof LockkeeperError) return error;
  throw error;
}

export function checkOf(result: ScanResult, id: string): CheckResult {
  const found = result.report.checks.find((check) => check.id === id);
  if (found) return found;
  throw new Error(`no check ${id}`);
}

/** Messages of what fired, or the empty list. */
export function firedIn(result: ScanResult, id: string): string[] {
  const check = checkOf(result, id);
  return check.outcome === 'fired' ? check.findings.map((one) => one.message) : [];
}

/** Command lines of processes that carry this word. */
export function processesWith(word: string): string[] {
  return globSync('/proc/[0-9]*/cmdline')
    .map((file) => (existsSync(file) ? readQuietly(file) : ''))
    .filter((line) => line.includes(word));
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
