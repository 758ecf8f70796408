/** Scans as the registry's workers make them: a server cold, all of them again from a warm cache, and a real one by name. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { selectDriver } from '../../runtime/isolation/select.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { npmOptionsOf } from '../../scanner/npm.ts';
import type { NpmOptions, ScanPorts, ScanRequest, ScanResult } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { startNpmRegistry } from '../../test/helpers/npm-registry.ts';
import { requestFor } from '../../test/scanner/harness.ts';
import { median } from '../measure.ts';
import { type Sizes, serverName, serverOf } from './packages.ts';

/** Scans at the same time, as many as the registry makes unless told. */
const WORKERS = 2;

export interface ScanRow {
  readonly name: string;
  readonly servers: number;
  readonly packages: number;
  readonly seconds: number;
  /** Seconds of one scan, as the median. */
  readonly each: number;
  /** Share of each step in all of them. */
  readonly steps: Readonly<Record<string, number>>;
}

interface Timed {
  readonly result: ScanResult;
  readonly seconds: number;
  readonly steps: ReadonlyMap<string, number>;
}

/** Generated servers: some cold, each alone; then all of them warm, two at a time. */
export async function generated(dir: string, { servers, dependencies }: Sizes): Promise<ScanRow[]> {
  const numbers = Array.from({ length: servers }, (_, index) => index);
  const npm = await startNpmRegistry(numbers.flatMap((index) => serverOf(index, dependencies)));
  try {
    const ports = await portsIn(dir, { registry: npm.url, fetchRetries: 0 });
    const request = (index: number): ScanRequest =>
      requestFor({ name: `io.github.acme/server-${index}`, source: `npm:${serverName(index)}@1.0.0` });
    const cold: Timed[] = [];
    for (const index of numbers) cold.push(await timed(request(index), ports));
    process.stderr.write('warm\n');
    const from = performance.now();
    const warm: Timed[] = [];
    const queue = numbers.values();
    const worker = async (): Promise<void> => {
      for (const index of queue) warm.push(await timed(request(index), ports));
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    const seconds = (performance.now() - from) / 1000;
    return [rowOf('one server, cold', cold), { ...rowOf(`warm, ${WORKERS} at a time`, warm), seconds }];
  } finally {
    await npm.close();
  }
}

/** A real server of the registry that npm is configured with. Throws what a scan throws. */
export async function real(dir: string, name: string): Promise<ScanRow[]> {
  const ports = await portsIn(join(dir, 'real'), await npmOptionsOf(dir, process.env));
  const [, version = ''] = /@([^@]+)$/.exec(name) ?? [];
  const request = requestFor({ name: 'com.example/real', version, source: `npm:${name}` });
  const cold = await timed(request, ports);
  const warm = await timed(request, ports);
  return [rowOf(`${name}, cold`, [cold]), rowOf(`${name}, warm`, [warm])];
}

async function portsIn(dir: string, npm: NpmOptions): Promise<ScanPorts> {
  await mkdir(dir, { recursive: true, mode: 0o755 });
  const { driver } = await selectDriver({ nodePath: process.execPath });
  return {
    ...{ blobs: await openBlobs(join(dir, 'blobs')), driver, workDir: dir },
    npm: { ...npm, cache: join(dir, 'npm') },
    now: () => new Date(),
    progress: () => undefined,
  };
}

async function timed(request: ScanRequest, ports: ScanPorts): Promise<Timed> {
  const steps = new Map<string, number>();
  let [step, since] = ['begin', performance.now()];
  const from = since;
  const next = (name: string): void => {
    const now = performance.now();
    steps.set(step, (steps.get(step) ?? 0) + (now - since) / 1000);
    [step, since] = [name, now];
  };
  const result = await scan(request, {
    ...ports,
    progress: (name) => next(name.startsWith('resolving') ? 'resolving and fetching' : name),
  });
  next('end');
  return { result, seconds: (performance.now() - from) / 1000, steps };
}

function rowOf(name: string, all: readonly Timed[]): ScanRow {
  const seconds = all.reduce((sum, one) => sum + one.seconds, 0);
  const steps = new Map<string, number>();
  for (const one of all) for (const [step, took] of one.steps) steps.set(step, (steps.get(step) ?? 0) + took);
  return {
    ...{ name, servers: all.length, seconds },
    packages: all.reduce((sum, { result }) => sum + result.closure.artifacts.length, 0),
    each: median(all.map((one) => one.seconds)),
    steps: Object.fromEntries([...steps].map(([step, took]) => [step, took / seconds])),
  };
}
