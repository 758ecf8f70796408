/**
 * The container driver, for Podman and Docker through their command line. The image is made here, from the runtime's
 * own Node and the libraries it links: no registry is asked and nothing in it is older than this machine.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { create } from 'tar';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { DriverStatus, IsolationDriver, LaunchPlan, SandboxedProcess } from '../ports.ts';
import { overseen } from './process.ts';
import { assertReachable } from './reach.ts';
import { PROFILE_PATH } from './seccomp.ts';

const run = promisify(execFile);

export interface ContainerOptions {
  readonly engine: 'podman' | 'docker';
  readonly nodePath: string;
}

const UID = 65534;
/** Raised when the image is made differently. */
const LAYOUT = 2;
const PRELOAD = fileURLToPath(new URL('../egress/preload.cjs', import.meta.url));

export function container({ engine, nodePath }: ContainerOptions): IsolationDriver {
  return { name: engine, detect: () => detect(engine), start: (plan) => start(plan, { engine, nodePath }) };
}

/** An engine that answers. Podman without root on cgroup version 1 ignores limits silently, so it does not count. */
async function detect(engine: ContainerOptions['engine']): Promise<DriverStatus> {
  try {
    const format =
      engine === 'docker'
        ? '{{.ServerVersion}}'
        : '{{.Version.Version}} {{.Host.CgroupsVersion}} {{.Host.Security.Rootless}}';
    const { stdout } = await run(engine, ['info', '--format', format], { timeout: 20_000 });
    const [version = '', cgroups, rootless] = stdout.trim().split(' ');
    if (cgroups === 'v1' && rootless === 'true')
      return { available: false, reason: 'without root on cgroup v1 it ignores limits' };
    return { available: true, version };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      available: false,
      reason: code === 'ENOENT' ? `${engine} is not installed` : `no engine answers: ${quote(message, 200)}`,
    };
  }
}

async function start(plan: LaunchPlan, options: ContainerOptions): Promise<SandboxedProcess> {
  const { engine } = options;
  for (const mount of plan.mounts)
    await assertReachable(mount.source, { uid: UID, write: mount.mode === 'rw' });
  const image = await ensureImage(options);
  const name = `lockkeeper-${plan.id}`;
  const runtime = await runtimeOf(engine);
  const remove = async (): Promise<void> =>
    void (await run(engine, ['rm', '--force', name]).catch(() => undefined));
  try {
    await makeContainer(engine, [
      ...[...runtime, 'create', '--rm', '--interactive', '--name', name],
      ...[...containerSettings(plan), image, ...commandOf(plan)],
    ]);
    await assertLimits(name, plan, engine);
  } catch (error) {
    await remove();
    throw error;
  }
  const words = [...runtime, 'start', '--attach', '--interactive', name];
  const running = await overseen(spawn(engine, words, { stdio: ['pipe', 'pipe', 'pipe'] }), {
    driver: engine,
    isolation: { driver: engine, uid: UID, network: 'none', seccomp: true, image },
    cleanup: remove,
  });
  return { ...running, stop: (graceMs) => stopContainer({ running, engine, name }, graceMs) };
}

async function stopContainer(
  at: { running: SandboxedProcess; engine: string; name: string },
  graceMs: number,
): ReturnType<SandboxedProcess['stop']> {
  const timer = setTimeout(() => void run(at.engine, ['kill', at.name]).catch(() => undefined), graceMs);
  return at.running.stop(graceMs + 5000).finally(() => clearTimeout(timer));
}

/** crun before 1.9 does not start where cgroup v1 and v2 are mixed; runc does. */
async function runtimeOf(engine: ContainerOptions['engine']): Promise<string[]> {
  if (engine === 'docker') return [];
  return run('runc', ['--version']).then(
    () => ['--runtime', 'runc'],
    () => [],
  );
}

/** What the engine is told of one server, all but its image and command. */
export function containerSettings(plan: LaunchPlan): string[] {
  const { memoryMiB, cpus, pids, tmpMiB } = plan.limits;
  const words = [
    ...[
      '--read-only',
      '--ipc',
      'none',
      '--cap-drop',
      'all',
      '--security-opt',
      'no-new-privileges',
      '--network',
      'none',
    ],
    ...[
      '--security-opt',
      `seccomp=${fileURLToPath(PROFILE_PATH)}`,
      '--user',
      `${UID}:${UID}`,
      '--pids-limit',
      String(pids),
    ],
    ...['--memory', `${memoryMiB}m`, '--memory-swap', `${memoryMiB}m`, '--cpus', String(cpus)],
    ...[
      '--tmpfs',
      `/tmp:rw,size=${tmpMiB}m,mode=1777,noexec,nosuid,nodev`,
      '--ulimit',
      'nofile=1024:1024',
      '--ulimit',
      'nproc=4096:4096',
    ],
    ...['--init=false', '--workdir', '/app', '--volume', `${plan.appDir}:/app:ro`],
  ];
  for (const { source, target, mode } of plan.mounts) words.push('--volume', `${source}:${target}:${mode}`);
  const env: Record<string, string> = { ...plan.env, HOME: '/tmp', LANG: 'C.UTF-8' };
  if (plan.egressSocket !== undefined) {
    words.push(
      '--volume',
      `${plan.egressSocket}:/lockkeeper/egress.sock:ro`,
      '--volume',
      `${PRELOAD}:/lockkeeper/preload.cjs:ro`,
    );
    for (const key of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'])
      env[key] = 'http://127.0.0.1:3128';
    Object.assign(env, { NODE_USE_ENV_PROXY: '1', NODE_OPTIONS: '--require /lockkeeper/preload.cjs' });
  }
  for (const [key, value] of Object.entries(env)) words.push('--env', `${key}=${value}`);
  return words;
}

function commandOf(plan: LaunchPlan): string[] {
  const [first, ...rest] = plan.command;
  return [first === 'node' ? '/lockkeeper/node' : first, ...rest];
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

/** Reads back what the engine set, before anything runs in it. An engine that ignores a limit is refused. */
async function assertLimits(name: string, plan: LaunchPlan, engine: string): Promise<void> {
  const format =
    '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}}';
  const wanted = `${plan.limits.memoryMiB * 1024 * 1024} ${plan.limits.pids} true none`;
  const found = await run(engine, ['inspect', '--format', format, name]).then(
    ({ stdout }) => stdout.trim(),
    (error: Error) => error.message,
  );
  if (found === wanted) return;
  throw new LockkeeperError('ISOLATION_FAILED', {
    expected: `${engine} to set memory, pids, read-only root and network: ${wanted}`,
    found: quote(found, 300),
    next: 'Use bubblewrap here, or another engine',
  });
}

/** localhost/lockkeeper-node:<digest of the Node binary>, made on first use. */
async function ensureImage({ engine, nodePath }: ContainerOptions): Promise<string> {
  const tag = `localhost/lockkeeper-node:${LAYOUT}-${sha256(await readFile(nodePath)).slice(7, 23)}`;
  const there = await run(engine, ['image', 'inspect', tag]).then(
    () => true,
    () => false,
  );
  if (there) return tag;
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-image-'));
  try {
    const root = join(dir, 'root');
    for (const file of await librariesOf(nodePath)) await place(file, join(root, file));
    await place(nodePath, join(root, 'lockkeeper/node'));
    for (const folder of ['tmp', 'app', 'proc', 'dev', 'etc'])
      await mkdir(join(root, folder), { recursive: true });
    // An engine gives its tmpfs the mode that the folder has in the image.
    await chmod(join(root, 'tmp'), 0o1777);
    await writeFile(join(root, 'etc/passwd'), `mcp:x:${UID}:${UID}::/tmp:/sbin/nologin\n`);
    await create({ cwd: root, file: join(dir, 'image.tar') }, ['.']);
    await run(engine, ['import', join(dir, 'image.tar'), tag], { timeout: 120_000 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return tag;
}

async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]);
  return [...stdout.matchAll(/(\/[^\s)]+)\s+\(0x/g)].map((match) => match[1] ?? '').filter(Boolean);
}
