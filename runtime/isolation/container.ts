/**
 * The container driver, for Podman and Docker through their command line. The image is made here, from the runtime's
 * own Node and the libraries it links: no registry is asked and nothing in it is older than this machine.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { IsolationDriver, LaunchPlan, SandboxedProcess } from '../ports.ts';
import { bridgeWords, commandOf, containerSettings, environmentOf } from './container-words.ts';
import { detectEngine, type Engine, envFile, inspect, runtimeWords, saidAndWanted } from './engine.ts';
import { guarded, ownerWords, sweepContainers } from './guard.ts';
import { ensureImage } from './image.ts';
import { ensureCopy } from './image-copy.ts';
import { assertAsPlanned, type Facts, foundFacts, type Means, wantedFacts } from './inspect.ts';
import { overseen } from './process.ts';
import { onPython, pythonFacts } from './python.ts';
import { assertReachable } from './reach.ts';
import { laidOut, sweepSecrets } from './secrets.ts';
import { UID } from './words.ts';

const run = promisify(execFile);

export interface ContainerOptions extends Engine {
  readonly nodePath: string;
}

/** How long a container may take to run, ms. */
const START_MS = 60_000;
const SETTLE_MS = 2000;
const MEANS: Means = {
  uid: UID,
  namespaces: ['ipc', 'mnt', 'net', 'pid', 'uts'],
  cgroup: true,
  tmp: ['noexec', 'nosuid', 'nodev'],
  copiesImage: true,
};

export function container(options: ContainerOptions): IsolationDriver {
  return {
    name: options.runtime ?? options.engine,
    detect: async () => {
      const [status] = await Promise.all([
        detectEngine(options),
        sweepSecrets(),
        sweepContainers(options.engine),
      ]);
      return status;
    },
    start: (plan) => start(plan, options),
  };
}

/** Threads of gVisor's own kernel count as well, several for each of the server's. */
function withRoom({ limits, ...plan }: LaunchPlan): LaunchPlan {
  return { ...plan, limits: { ...limits, pids: 512 + 4 * limits.pids } };
}

async function start(asked: LaunchPlan, options: ContainerOptions): Promise<SandboxedProcess> {
  const { engine } = options;
  const { plan, python } = await onPython(options.runtime === undefined ? asked : withRoom(asked));
  const driver = options.runtime ?? engine;
  for (const mount of plan.mounts)
    await assertReachable(mount.source, { uid: UID, write: mount.mode === 'rw' });
  const image = plan.image
    ? await ensureCopy(engine, plan.appDir)
    : await ensureImage(engine, options.nodePath, python);
  const name = `lockkeeper-${plan.id}`;
  const runtime = await runtimeWords(options);
  const env = environmentOf(plan);
  const laid = await laidOut(plan.secrets ?? [], UID);
  // Podman's monitor leaves a file where it was started when a container runs out of memory.
  const cwd = await mkdtemp(join(tmpdir(), 'lockkeeper-container-'));
  let unguard: ReturnType<typeof guarded> | undefined;
  const remove = async (): Promise<void> => {
    await run(engine, ['rm', '--force', name]).catch(() => undefined);
    await laid.remove();
    unguard?.();
    await rm(cwd, { recursive: true, force: true });
  };
  try {
    unguard = guarded(engine, name, laid.dir);
    const bridge = await bridgeWords(plan, options.nodePath);
    const settings = [...containerSettings(plan, engine), ...ownerWords()];
    const words = [...runtime.create, ...settings, ...bridge, ...laid.words];
    await withEnvFile(env, (file) =>
      makeContainer(engine, [
        ...[...runtime.global, 'create', '--rm', '--interactive', '--name', name],
        ...[...words, '--env-file', file, image, ...commandOf(plan)],
      ]),
    );
    const { said, wanted } = saidAndWanted(await inspect(engine, name), plan, env);
    assertAsPlanned(driver, wanted, said);
  } catch (error) {
    await remove();
    throw error;
  }
  const attach = [...runtime.global, 'start', '--attach', '--interactive', name];
  const child = spawn(engine, attach, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const running = await overseen(child, { driver, cleanup: remove });
  const stop = (graceMs: number): ReturnType<SandboxedProcess['stop']> =>
    stopContainer({ running, engine, name }, graceMs);
  try {
    const { facts, ...seen } = await lookAt(name, plan, options);
    return { ...running, ...seen, stop, isolation: { driver, image, ...pythonFacts(python), ...facts } };
  } catch (error) {
    await stop(0);
    throw error;
  }
}

/**
 * What runs, as the kernel tells it. A server that ended before it could be looked at was not spoken to. gVisor's
 * processes are its own kernel's: of those only the control group is the machine's, and the engine's word has to do.
 */
async function lookAt(
  name: string,
  plan: LaunchPlan,
  options: ContainerOptions,
): Promise<{ facts: Facts; inside?: number }> {
  const pid = await pidOf(options.engine, name);
  if (pid === null) return { facts: { inspected: 'it ended first' } };
  const wanted = wantedFacts(plan, MEANS);
  const keys = options.runtime === undefined ? Object.keys(wanted) : ['memory', 'pids', 'cpu', 'network'];
  const only = (facts: Facts): Facts => Object.fromEntries(keys.map((key) => [key, facts[key] ?? 'unknown']));
  for (const until = Date.now() + SETTLE_MS; ; await sleep(25)) {
    const found = seen(pid, plan);
    if (found === null) return { facts: { inspected: 'it ended first' } };
    // An OCI runtime sets the last of it while it becomes the server.
    if (Date.now() < until && keys.some((key) => wanted[key] !== found[key])) continue;
    assertAsPlanned(options.runtime ?? options.engine, only(wanted), only(found));
    return { facts: only(found), inside: pid };
  }
}

function seen(pid: number, plan: LaunchPlan): Facts | null {
  try {
    return foundFacts(pid, plan, MEANS);
  } catch (error) {
    // Of a process that is ending the kernel has no mounts any more, and says EINVAL.
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** The first process of a container once it runs; null when it ended before. */
async function pidOf(engine: string, name: string): Promise<number | null> {
  for (const until = Date.now() + START_MS; Date.now() < until; await sleep(25)) {
    const seen = await inspect(engine, name).catch(() => null);
    if (seen === null) return null;
    if (seen.State.Running && seen.State.Pid > 0) return seen.State.Pid;
  }
  throw new LockkeeperError('ISOLATION_FAILED', {
    expected: `${engine} to run the container within ${START_MS / 1000} s`,
    found: 'that it does not',
    next: 'Run: lk doctor',
  });
}

async function withEnvFile<T>(
  env: Readonly<Record<string, string>>,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const text = envFile(env);
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-env-'));
  try {
    await writeFile(join(dir, 'env'), text, { mode: 0o600, flag: 'wx' });
    return await use(join(dir, 'env'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function stopContainer(
  at: { running: SandboxedProcess; engine: string; name: string },
  graceMs: number,
): ReturnType<SandboxedProcess['stop']> {
  const timer = setTimeout(() => void run(at.engine, ['kill', at.name]).catch(() => undefined), graceMs);
  return at.running.stop(graceMs + 5000).finally(() => clearTimeout(timer));
}

async function makeContainer(engine: string, words: readonly string[]): Promise<void> {
  await run(engine, words).catch((error: Error & { stderr?: string }) => {
    throw new LockkeeperError('ISOLATION_FAILED', {
      expected: `${engine} to make the container`,
      found: quote(error.stderr?.trim() || error.message, 300),
      next: 'Use bubblewrap here, or another engine',
    });
  });
}
