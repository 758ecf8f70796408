/** What bubblewrap and the programs around it are told of one server. */
import type { LaunchPlan } from '../ports.ts';
import type { Cgroup } from './cgroup.ts';
import { bridged, gateWords, imagePath, imageVariables, nodeOptions } from './image-root.ts';
import { SECRETS_DIR } from './secrets.ts';
import { IMAGE_WORDS, SANDBOX_WORDS } from './sweep.ts';

/** Inside, and outside when root starts it: an ordinary user that owns nothing. */
export const UID = 65534;
export const isRoot = (): boolean => process.getuid?.() === 0;

/** Refuses to go on when the runtime died before the kernel was told to kill this process with it. */
const WITH_PARENT = 'test "$PPID" = "$1" || exit 1; shift; exec "$@"';

/**
 * Join the control groups as root, become the ordinary user, die with the runtime, become bubblewrap: each word execs
 * the next, so that all of it is one process.
 */
export function outerCommand(
  cgroup: Cgroup | null,
  command: readonly string[],
  image = false,
): [string, ...string[]] {
  const bwrap = [...(image ? IMAGE_WORDS : SANDBOX_WORDS), ...command];
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
    ...['--size', String(limits.tmpMiB * 1024 * 1024), '--tmpfs', '/tmp'],
    ...(plan.image
      ? ['--chdir', plan.image.workingDir]
      : ['--ro-bind', plan.appDir, '/app', '--chdir', '/app']),
  ];
  for (const [i, { name }] of (plan.secrets ?? []).entries())
    words.push('--perms', '0400', '--ro-bind-data', String(SECRETS_FD + i), `${SECRETS_DIR}/${name}`);
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
  const { env, image } = plan;
  const own = {
    ...env,
    PATH: image ? imagePath(image) : '/lockkeeper:/usr/bin:/bin',
    HOME: '/tmp',
    TMPDIR: '/tmp',
    LANG: image?.env.LANG ?? 'C.UTF-8',
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
  return { ...own, ...proxies, NODE_OPTIONS: nodeOptions(plan.reaches ? undefined : image) };
}

/** The descriptor at which a started sandbox tells that it is there, and waits for a word. */
export const GATE_FD = 7;

/** The first of the descriptors that secrets are read from, in the order of the plan. */
const SECRETS_FD = GATE_FD + 1;

/** Nothing of the server has run when its sandbox is looked at; without the word it never does. */
const GATE = `echo >&${GATE_FD}; read -r go <&${GATE_FD} || exit 1; exec ${GATE_FD}<&-; exec "$@"`;

/** The same for an image, whose variables are set for the server alone: they may choose what a program loads. */
const IMAGE_GATE = GATE.replace(
  'exec "$@"',
  'while [ "$1" != -- ]; do export "$1"; shift; done; shift; exec "$@"',
);

/** What prlimit is told: limits per process are set inside, where this user namespace is counted alone. */
export function innerCommand(plan: LaunchPlan, cgroup: Cgroup | null): string[] {
  const [first, ...rest] = plan.command;
  const limits = ['--core=0', '--nofile=1024:1024', `--nproc=${plan.limits.pids}:${plan.limits.pids}`];
  if (cgroup === null) {
    const data = plan.limits.memoryMiB * 1024 * 1024;
    limits.push(`--data=${data}:${data}`);
  }
  if (plan.image) {
    const variables = imageVariables(plan, environmentOf(plan));
    const set = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const own = plan.reaches
      ? [GATE, 'sh', ...bridged(plan, variables)]
      : [IMAGE_GATE, 'sh', ...set, '--', ...plan.command];
    const gate = [...gateWords('sh'), '-c', ...own];
    return [...gateWords('prlimit').slice(1), ...limits, '--', ...gate];
  }
  const program = first === 'node' ? '/lockkeeper/node' : first;
  return [...limits, '--', '/bin/sh', '-c', GATE, 'sh', program, ...rest];
}
