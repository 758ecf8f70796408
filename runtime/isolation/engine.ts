/** A container engine and its OCI runtime: which are there, how they are called, what they say they made. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { DriverStatus, LaunchPlan } from '../ports.ts';

const run = promisify(execFile);

export interface Engine {
  readonly engine: 'podman' | 'docker';
  /** gVisor's runtime in place of the engine's own: a kernel of its own between server and machine. */
  readonly runtime?: 'runsc';
}

/** An engine that answers. Podman without root on cgroup version 1 ignores limits silently, so it does not count. */
export async function detectEngine({ engine, runtime }: Engine): Promise<DriverStatus> {
  try {
    const format =
      engine === 'docker'
        ? '{{.ServerVersion}} {{range $name, $_ := .Runtimes}}{{$name}},{{end}}'
        : '{{.Version.Version}} {{.Host.CgroupsVersion}} {{.Host.Security.Rootless}}';
    const { stdout } = await run(engine, ['info', '--format', format], { timeout: 20_000 });
    const [version = '', second = '', rootless] = stdout.trim().split(' ');
    if (engine === 'podman' && second === 'v1' && rootless === 'true')
      return { available: false, reason: 'without root on cgroup v1 it ignores limits' };
    if (runtime === undefined) return { available: true, version };
    const there =
      engine === 'docker' ? second.split(',').includes(runtime) : (await programAt(runtime)) !== null;
    if (there) return { available: true, version: `by ${engine} ${version}` };
    return { available: false, reason: `${engine} has no ${runtime}` };
  } catch (error) {
    const { code, message, stderr = '' } = error as NodeJS.ErrnoException & { stderr?: string };
    const [said = message] = stderr.trim().split('\n');
    const reason =
      code === 'ENOENT' ? `${engine} is not installed` : `no engine answers: ${quote(said, 200)}`;
    return { available: false, reason };
  }
}

/** Where a program stands; null where it is not installed. */
async function programAt(name: string): Promise<string | null> {
  const found = await run('sh', ['-c', 'command -v "$1"', 'sh', name]).catch(() => null);
  return found?.stdout.trim() || null;
}

/** gVisor is named "release-20240729.0" or so; with the year its word for sockets of the host changed. */
const UDS_SINCE = 2023;

/** Words before the verb, and those of `create`, that choose the OCI runtime. */
export async function runtimeWords({
  engine,
  runtime,
}: Engine): Promise<{ global: string[]; create: string[] }> {
  if (engine === 'docker') return { global: [], create: runtime === undefined ? [] : ['--runtime', runtime] };
  if (runtime === undefined) {
    // crun before 1.9 does not start where cgroup v1 and v2 are mixed; runc does.
    const global = (await programAt('runc')) === null ? [] : ['--runtime', 'runc'];
    return { global, create: [] };
  }
  const program = (await programAt(runtime)) ?? runtime;
  const { stdout } = await run(program, ['--version']);
  const year = Number(/(20\d\d)\d{4}/.exec(stdout)?.[1]);
  const flags = ['network=none', year >= UDS_SINCE ? 'host-uds=open' : 'fsgofer-host-uds'];
  return { global: ['--runtime', program, ...flags.flatMap((flag) => ['--runtime-flag', flag])], create: [] };
}

interface Inspected {
  readonly State: { readonly Pid: number; readonly Running: boolean };
  readonly Config: {
    readonly Env: readonly string[];
    readonly User: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
  };
  readonly HostConfig: {
    readonly Memory: number;
    readonly PidsLimit: number;
    readonly ReadonlyRootfs: boolean;
    readonly NetworkMode: string;
    readonly Privileged: boolean;
    readonly PidMode: string;
    readonly CapAdd: readonly string[] | null;
    readonly Devices: readonly unknown[] | null;
    readonly SecurityOpt: readonly string[] | null;
  };
}

export async function hasImage(engine: string, tag: string): Promise<boolean> {
  return run(engine, ['image', 'inspect', tag]).then(
    () => true,
    () => false,
  );
}

/** No engine that hangs holds up what asks it longer than this, ms. */
const ANSWER_MS = 20_000;

/** Without a template: Podman's and Docker's differ in what `json .` of one thing is. */
export async function inspect(engine: string, name: string, timeout = ANSWER_MS): Promise<Inspected> {
  const limits = { maxBuffer: 4e6, timeout, killSignal: 'SIGKILL' } as const;
  const { stdout } = await run(engine, ['container', 'inspect', name], limits);
  const [first] = JSON.parse(stdout) as Inspected[];
  if (first) return first;
  throw new LockkeeperError('ISOLATION_FAILED', {
    expected: `${engine} to know ${name}`,
    found: 'that it does not',
    next: 'Use bubblewrap here, or another engine',
  });
}

/** What the engine says that it made, before anything runs in it, and what it has to say. */
export function saidAndWanted(
  { HostConfig: host, Config: { Env, User } }: Inspected,
  plan: LaunchPlan,
  env: Readonly<Record<string, string>>,
): { said: Record<string, string>; wanted: Record<string, string> } {
  const missing = Object.keys(env).filter((name) => !Env.includes(`${name}=${env[name]}`));
  const options = (host.SecurityOpt ?? [])
    .filter((option) => !option.endsWith('unconfined'))
    .map((option) => option.replace(/[=:].*$/s, ''));
  return {
    said: {
      memory: String(host.Memory),
      pids: String(host.PidsLimit),
      root: host.ReadonlyRootfs ? 'read-only' : 'writable',
      network: host.NetworkMode,
      privileged: String(host.Privileged),
      processes: host.PidMode === '' ? 'private' : host.PidMode,
      capabilities: (host.CapAdd ?? []).join(' ') || 'none',
      devices: String((host.Devices ?? []).length),
      security: ['no-new-privileges', 'seccomp'].filter((option) => options.includes(option)).join(' '),
      user: User,
      'variables missing': missing.join(' '),
    },
    wanted: {
      memory: String(plan.limits.memoryMiB * 1024 * 1024),
      pids: String(plan.limits.pids),
      root: 'read-only',
      network: 'none',
      privileged: 'false',
      processes: 'private',
      capabilities: 'none',
      devices: '0',
      security: 'no-new-privileges seccomp',
      user: '65534:65534',
      'variables missing': '',
    },
  };
}

/** The variables as the file that engines read: no value of one stands on a command line, for every user to read. */
export function envFile(env: Readonly<Record<string, string>>): string {
  for (const [name, value] of Object.entries(env)) {
    if (!/[\r\n\0]/.test(value)) continue;
    throw new LockkeeperError('ISOLATION_FAILED', {
      expected: `a value of ${name} on one line, as container engines take it`,
      found: 'more than one line',
      next: 'Use bubblewrap here: lk run --isolation bubblewrap',
    });
  }
  return Object.entries(env)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
