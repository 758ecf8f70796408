/**
 * The bubblewrap driver. Started by root it first drops to an ordinary user, because user 65534 inside a namespace made
 * by root is still root to the kernel. Nothing is inherited: environment and options travel through a file descriptor,
 * so that no value of a variable stands on a command line.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { promisify } from 'node:util';
import { quote } from '../../schemas/errors.ts';
import type { DriverStatus, IsolationDriver, LaunchPlan, SandboxedProcess } from '../ports.ts';
import { type Cgroup, makeCgroup, sweepCgroups } from './cgroup.ts';
import { overseen } from './process.ts';
import { assertReachable, reachable } from './reach.ts';
import { asDescriptor, rootfs } from './rootfs.ts';
import { defaultProgram } from './seccomp.ts';
import { SANDBOX_WORDS, sweepOrphans } from './sweep.ts';

const run = promisify(execFile);

export interface BubblewrapOptions {
  /** The Node that servers run on. */
  readonly nodePath: string;
}

/** Inside, and outside when root starts it: an ordinary user that owns nothing. */
const UID = 65534;
const PASSWD = `mcp:x:${UID}:${UID}::/tmp:/usr/sbin/nologin\n`;
const PRELOAD = new URL('../egress/preload.cjs', import.meta.url);
const isRoot = (): boolean => process.getuid?.() === 0;

export function bubblewrap(options: BubblewrapOptions): IsolationDriver {
  const serverUid = isRoot() ? UID : process.getuid?.();
  return {
    name: 'bubblewrap',
    ...(serverUid === undefined ? {} : { serverUid }),
    detect,
    start: (plan) => start(plan, options),
  };
}

/** Clears what an earlier runtime left, looks for the program and tries it: a kernel may forbid user namespaces. */
async function detect(): Promise<DriverStatus> {
  sweepOrphans();
  await sweepCgroups();
  try {
    const { stdout } = await run('bwrap', ['--version']);
    const trial = [
      '--unshare-all',
      '--ro-bind',
      '/usr',
      '/usr',
      '--ro-bind-try',
      '/lib',
      '/lib',
      '--ro-bind-try',
      '/lib64',
      '/lib64',
      '/usr/bin/true',
    ];
    const drop = isRoot() ? { uid: UID, gid: UID } : {};
    await run('bwrap', trial, drop);
    return { available: true, version: stdout.trim().replace('bubblewrap ', '') };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      available: false,
      reason: code === 'ENOENT' ? 'bwrap is not installed' : `bwrap does not work here: ${quote(message)}`,
    };
  }
}

async function start(plan: LaunchPlan, options: BubblewrapOptions): Promise<SandboxedProcess> {
  for (const mount of plan.mounts)
    await assertReachable(mount.source, { uid: UID, write: mount.mode === 'rw' });
  await assertReachable(plan.appDir, { uid: UID, write: false });
  const node = await reachable(options.nodePath, UID);
  const preload = plan.egressSocket === undefined ? null : await reachable(PRELOAD.pathname, UID);
  const cgroup = await makeCgroup(plan.limits);
  const words = [...(await rootfs(node)), ...sandboxSettings(plan, preload)];
  const files = [
    words.join('\0'),
    PASSWD,
    `mcp:x:${UID}:\n`,
    defaultProgram(process.arch === 'arm64' ? 'arm64' : 'x64'),
  ].map(asDescriptor);
  const [program, ...rest] = outerCommand(cgroup, innerCommand(plan, cgroup));
  const child = spawn(program, rest, {
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', ...files],
  });
  for (const file of files) closeSync(file);
  try {
    return await overseen(child, {
      driver: 'bubblewrap',
      isolation: facts(plan, cgroup),
      cleanup: async () => cgroup?.remove(),
    });
  } catch (error) {
    await cgroup?.remove();
    throw error;
  }
}

/** Refuses to go on when the runtime died before the kernel was told to kill this process with it. */
const WITH_PARENT = 'test "$PPID" = "$1" || exit 1; shift; exec "$@"';

/**
 * Join the control groups as root, become the ordinary user, die with the runtime, become bubblewrap: each word execs
 * the next, so that all of it is one process.
 */
export function outerCommand(cgroup: Cgroup | null, command: readonly string[]): [string, ...string[]] {
  const bwrap = [...SANDBOX_WORDS, ...command];
  const alive = ['--pdeathsig', 'KILL', '--', 'sh', '-c', WITH_PARENT, 'sh', String(process.pid), ...bwrap];
  if (!isRoot()) return ['setpriv', ...alive];
  const user = [
    `--reuid=${UID}`,
    `--regid=${UID}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ];
  const enter = (cgroup?.procs ?? []).map((file) => `echo $$ > ${file}`);
  return ['sh', '-c', [...enter, 'exec "$@"'].join(' && '), 'sh', 'setpriv', ...user, ...alive];
}

/** What bubblewrap is told of one server, after the view of the system. */
export function sandboxSettings(plan: LaunchPlan, preload: string | null): string[] {
  const { limits, mounts, egressSocket } = plan;
  const words = [
    ...[
      '--unshare-user',
      '--unshare-ipc',
      '--unshare-pid',
      '--unshare-net',
      '--unshare-uts',
      '--unshare-cgroup-try',
    ],
    ...[
      '--disable-userns',
      '--die-with-parent',
      '--new-session',
      '--clearenv',
      '--cap-drop',
      'ALL',
      '--hostname',
      'mcp',
    ],
    ...['--uid', String(UID), '--gid', String(UID), '--seccomp', '6'],
    ...[
      '--size',
      String(limits.tmpMiB * 1024 * 1024),
      '--tmpfs',
      '/tmp',
      '--ro-bind',
      plan.appDir,
      '/app',
      '--chdir',
      '/app',
    ],
  ];
  for (const { source, target, mode } of mounts)
    words.push(mode === 'rw' ? '--bind' : '--ro-bind', source, target);
  if (egressSocket !== undefined && preload !== null) {
    words.push(
      '--ro-bind',
      egressSocket,
      '/lockkeeper/egress.sock',
      '--ro-bind',
      preload,
      '/lockkeeper/preload.cjs',
    );
  }
  for (const [name, value] of Object.entries(environmentOf(plan))) words.push('--setenv', name, value);
  // Last: until here the folders of the mounts had to be made.
  return [...words, '--remount-ro', '/'];
}

/** What the server sees: its own variables under ours, so that it cannot take the preload or the proxy away. */
function environmentOf(plan: LaunchPlan): Record<string, string> {
  const own = {
    ...plan.env,
    PATH: '/lockkeeper:/usr/bin:/bin',
    HOME: '/tmp',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
  };
  if (plan.egressSocket === undefined) return own;
  const proxy = 'http://127.0.0.1:3128';
  const proxies = {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NODE_USE_ENV_PROXY: '1',
  };
  return { ...own, ...proxies, NODE_OPTIONS: '--require /lockkeeper/preload.cjs' };
}

/** What prlimit is told: limits per process are set inside, where this user namespace is counted alone. */
export function innerCommand(plan: LaunchPlan, cgroup: Cgroup | null): string[] {
  const [first, ...rest] = plan.command;
  const limits = ['--core=0', '--nofile=1024:1024', `--nproc=${plan.limits.pids}:${plan.limits.pids}`];
  if (cgroup === null) {
    const data = plan.limits.memoryMiB * 1024 * 1024;
    limits.push(`--data=${data}:${data}`);
  }
  return [...limits, '--', first === 'node' ? '/lockkeeper/node' : first, ...rest];
}

function facts(plan: LaunchPlan, cgroup: Cgroup | null): SandboxedProcess['isolation'] {
  const { memoryMiB, pids, cpus, tmpMiB } = plan.limits;
  return {
    driver: 'bubblewrap',
    uid: isRoot() ? UID : (process.getuid?.() ?? -1),
    network: 'none',
    seccomp: true,
    memory: cgroup ? `${memoryMiB} MiB, cgroup` : `${memoryMiB} MiB per process, rlimit`,
    pids: `${pids}, ${cgroup ? 'cgroup and rlimit' : 'rlimit'}`,
    cpu: cgroup ? `${cpus}, cgroup` : 'not limited',
    tmp: `${tmpMiB} MiB`,
    mounts:
      plan.mounts.map((mount) => `${mount.source} as ${mount.target} ${mount.mode}`).join('; ') || 'none',
  };
}
