/**
 * The bubblewrap driver. Started by root it first drops to an ordinary user, because user 65534 inside a namespace made
 * by root is still root to the kernel. Nothing is inherited: environment and options travel through a file descriptor,
 * so that no value of a variable stands on a command line.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { DriverStatus, IsolationDriver, LaunchPlan, SandboxedProcess } from '../ports.ts';
import { makeCgroup, sweepCgroups } from './cgroup.ts';
import { BRIDGE, bridgePrograms, imageRoot } from './image-root.ts';
import { assertAsPlanned, type Facts, foundFacts, type Means, wantedFacts } from './inspect.ts';
import { descendants, overseen } from './process.ts';
import { onPython, pythonFacts, pythonWords, START } from './python.ts';
import { assertReachable, reachable } from './reach.ts';
import { asDescriptors, rootfs } from './rootfs.ts';
import { defaultProgram } from './seccomp.ts';
import { sweepOrphans } from './sweep.ts';
import { GATE_FD, innerCommand, isRoot, outerCommand, sandboxSettings, UID } from './words.ts';

const run = promisify(execFile);

export interface BubblewrapOptions {
  /** The Node that servers run on. */
  readonly nodePath: string;
  /** What bubblewrap is told instead: for showing that what is missing is found. */
  readonly settings?: typeof sandboxSettings;
}

/** How long a sandbox may take to stand, ms: machines under load are slow. */
const START_MS = 30_000;
const PASSWD = `mcp:x:${UID}:${UID}::/tmp:/usr/sbin/nologin\n`;
const PRELOAD = new URL('../egress/preload.cjs', import.meta.url);

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

async function start(asked: LaunchPlan, options: BubblewrapOptions): Promise<SandboxedProcess> {
  const { plan, python } = await onPython(asked);
  for (const mount of plan.mounts)
    await assertReachable(mount.source, { uid: UID, write: mount.mode === 'rw' });
  await assertReachable(plan.appDir, { uid: UID, write: false });
  const node = await reachable(options.nodePath, UID);
  const preload = plan.egressSocket === undefined ? null : await reachable(PRELOAD.pathname, UID);
  const cgroup = await makeCgroup(plan.limits);
  const own = python === null ? [] : pythonWords(python, await reachable(START, UID));
  const settings = (options.settings ?? sandboxSettings)(plan, preload);
  const texts = [
    [...(plan.image ? await rootOf(plan, node) : await rootfs(node)), ...own, ...settings].join('\0'),
    PASSWD,
    `mcp:x:${UID}:\n`,
    defaultProgram(process.arch === 'arm64' ? 'arm64' : 'x64'),
  ];
  const opened = asDescriptors([...texts, ...(plan.secrets ?? []).map(({ value }) => value)]);
  const [files, secrets] = [opened.slice(0, texts.length), opened.slice(texts.length)];
  const [program, ...rest] = outerCommand(cgroup, innerCommand(plan, cgroup), plan.image !== undefined);
  const child = spawn(program, rest, {
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', ...files, 'pipe', ...secrets],
  });
  for (const file of opened) closeSync(file);
  const cleanup = async (): Promise<void> => cgroup?.remove();
  const running = await overseen(child, { driver: 'bubblewrap', cleanup });
  try {
    const { inside, isolation } = await letIn(child, plan, cgroup !== null);
    return { ...running, inside, isolation: { ...isolation, ...pythonFacts(python) } };
  } catch (error) {
    await running.stop(0);
    throw error;
  }
}

async function rootOf({ appDir, reaches }: LaunchPlan, node: string): Promise<string[]> {
  return imageRoot(appDir, reaches ? bridgePrograms(node, await reachable(BRIDGE, UID)) : {});
}

/** Waits until the sandbox stands, looks at it, and only then lets the server begin. Returns what was found. */
async function letIn(
  child: ChildProcess,
  plan: LaunchPlan,
  cgroup: boolean,
): Promise<{ inside: number; isolation: Facts }> {
  const gate = (child.stdio as readonly unknown[])[GATE_FD] as Duplex;
  gate.on('error', () => undefined);
  const [there] = await once(gate, 'readable', { signal: AbortSignal.timeout(START_MS) }).then(
    () => [gate.read() as Buffer | null],
    () => [null],
  );
  const inside = descendants(child.pid ?? 0).at(-1);
  if (there === null || inside === undefined) throw await notStarted(child);
  const means: Means = {
    uid: isRoot() ? UID : (process.getuid?.() ?? -1),
    namespaces: ['ipc', 'mnt', 'net', 'pid', 'user', 'uts'],
    cgroup,
    tmp: ['nosuid', 'nodev'],
  };
  const found = foundFacts(inside, plan, means);
  assertAsPlanned('bubblewrap', wantedFacts(plan, means), found);
  gate.end('\n', () => gate.destroy());
  return { inside, isolation: { driver: 'bubblewrap', ...found } };
}

async function notStarted(child: ChildProcess): Promise<LockkeeperError> {
  const said = child.stderr?.readableLength === 0 ? once(child.stderr, 'readable').catch(() => null) : null;
  await Promise.race([said, sleep(200)]);
  const words = String(child.stderr?.read() ?? '').trim();
  return new LockkeeperError('ISOLATION_FAILED', {
    expected: 'bubblewrap to make the sandbox',
    found: words === '' ? 'no sandbox' : quote(words, 300),
    next: 'Run: lk doctor',
  });
}
