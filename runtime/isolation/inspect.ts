/**
 * What was put in place, read back from the kernel and compared with what the plan asks for. Nobody's word is taken:
 * not the driver's, not an engine's. The facts go to the journal.
 */
import { realpathSync } from 'node:fs';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { LaunchPlan, Mount } from '../ports.ts';
import { imageEntries } from './image-root.ts';
import {
  cgroupSetting,
  hardLimit,
  hostPathsOf,
  interfacesOf,
  type MountLine,
  mountsOf,
  ownNamespaces,
  readProc,
  statusField,
} from './proc.ts';
import { SECRETS_DIR } from './secrets.ts';

export type Facts = Readonly<Record<string, string | number | boolean>>;

/** What drivers do differently. */
export interface Means {
  /** User outside of the sandbox. */
  readonly uid: number;
  /** Namespaces that must be its own. */
  readonly namespaces: readonly string[];
  /** Total limits by control groups; without them memory is limited for each process, and processor time is not. */
  readonly cgroup: boolean;
  /** Options of /tmp. */
  readonly tmp: readonly string[];
  /** Set where an image's root is an engine's own copy of it, so that no path of this machine is there to compare. */
  readonly copiesImage?: true;
}

const MIB = 1024 * 1024;
/** What a sandbox needs of the kernel and cannot write data to. */
const KERNEL = new Set(['proc', 'sysfs', 'devpts', 'devtmpfs', 'mqueue', 'cgroup', 'cgroup2']);
/** Where engines lay a tmpfs that is root's. */
const ENGINE_TMPFS =
  /^\/(?:dev|sys\/fs\/cgroup)$|^\/proc\/(?:acpi|kcore|keys|latency_stats|timer_list|scsi|sched_debug)$/;

/** The facts as they have to be. */
export function wantedFacts(plan: LaunchPlan, means: Means): Facts {
  const { memoryMiB, cpus, pids, tmpMiB } = plan.limits;
  return {
    uid: means.uid,
    capabilities: 'none',
    noNewPrivileges: true,
    seccomp: true,
    namespaces: means.namespaces.join(' '),
    network: 'none',
    memory: means.cgroup ? `${memoryMiB} MiB, cgroup` : `${memoryMiB} MiB per process, rlimit`,
    pids: means.cgroup ? `${pids}, cgroup` : `${pids}, rlimit`,
    cpu: means.cgroup ? `${rounded(cpus)}, cgroup` : 'not limited',
    core: '0',
    openFiles: '1024',
    root: 'read-only',
    tmp: [`${tmpMiB} MiB`, ...means.tmp].join(' '),
    writable: ['/tmp', ...plan.mounts.filter(({ mode }) => mode === 'rw').map(({ target }) => target)]
      .sort()
      .join(' '),
    mounts: shownOf(plan, means)
      .map(({ source, target, mode }) => `${source} as ${target} ${mode}`)
      .join('; '),
    ...(plan.secrets ? { secrets: namesOf(plan.secrets.map(({ name }) => name)) } : {}),
  };
}

/** The same facts as the kernel tells them of a process. Throws what reading /proc throws. */
export function foundFacts(pid: number, plan: LaunchPlan, means: Means): Facts {
  const status = readProc(pid, 'status');
  const limits = readProc(pid, 'limits');
  const mounts = mountsOf(pid);
  const own = ownNamespaces(pid);
  return {
    uid: uidOf(status),
    capabilities: capabilitiesOf(status),
    noNewPrivileges: statusField(status, 'NoNewPrivs') === '1',
    seccomp: statusField(status, 'Seccomp') === '2',
    namespaces: means.namespaces.filter((name) => own.includes(name)).join(' '),
    network:
      interfacesOf(pid)
        .filter((name) => name !== 'lo')
        .join(' ') || 'none',
    ...(means.cgroup ? groupLimits(pid) : processLimits(limits)),
    core: hardLimit(limits, 'Max core file size'),
    openFiles: hardLimit(limits, 'Max open files'),
    root: mounts.find(({ target }) => target === '/')?.options.includes('ro') ? 'read-only' : 'writable',
    tmp: tmpOf(mounts),
    writable: mounts
      .filter(isWritable)
      .map(({ target }) => target)
      .sort()
      .join(' '),
    mounts: shownIn(mounts, plan, means),
    ...(plan.secrets ? { secrets: secretsIn(mounts) } : {}),
  };
}

/** Files alone, and none that can be written. */
function secretsIn(mounts: readonly MountLine[]): string {
  const inside = mounts.filter(({ target }) => target.startsWith(`${SECRETS_DIR}/`));
  if (!inside.every(({ options }) => options.includes('ro'))) return 'writable';
  return namesOf(inside.map(({ target }) => target.slice(SECRETS_DIR.length + 1)));
}

function namesOf(names: readonly string[]): string {
  return [...new Set(names)].sort().join(' ') || 'none';
}

/** Throws ISOLATION_MISMATCH naming every fact that is another one. */
export function assertAsPlanned(driver: string, wanted: Facts, found: Facts): void {
  const names = Object.keys(wanted).filter((name) => wanted[name] !== found[name]);
  if (names.length === 0) return;
  const told = (facts: Facts): string =>
    names.map((name) => `${name} ${quote(String(facts[name] ?? 'unknown'), 200)}`).join(', ');
  throw new LockkeeperError('ISOLATION_MISMATCH', {
    expected: `${driver} to give ${told(wanted)}`,
    found: told(found),
    next: 'The server was ended before it was spoken to; use another driver here, and see: lk doctor',
  });
}

/** Real, effective, saved and file system user, where they are one. */
function uidOf(status: string): string | number {
  const all = statusField(status, 'Uid').split(/\s+/);
  return new Set(all).size === 1 ? Number(all[0]) : all.join(' ');
}

function capabilitiesOf(status: string): string {
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
  const held = sets.filter((name) => !/^0+$/.test(statusField(status, name)));
  return held.map((name) => `${name} ${statusField(status, name)}`).join(' ') || 'none';
}

function groupLimits(pid: number): Record<'memory' | 'pids' | 'cpu', string> {
  const memory = Number(cgroupSetting(pid, 'memory', ['memory.limit_in_bytes', 'memory.max']));
  const pids = cgroupSetting(pid, 'pids', ['pids.max', 'pids.max']);
  return {
    memory: memory > 0 && memory < 2 ** 60 ? `${memory / MIB} MiB, cgroup` : 'not limited',
    pids: /^\d+$/.test(pids ?? '') ? `${pids}, cgroup` : 'not limited',
    cpu: cpuOf(pid),
  };
}

/** The kernel counts in microseconds of a tenth of a second. */
function rounded(cpus: number): number {
  return Number(cpus.toFixed(3));
}

function cpuOf(pid: number): string {
  const [quota, period = cgroupSetting(pid, 'cpu', ['cpu.cfs_period_us', '-'])] = (
    cgroupSetting(pid, 'cpu', ['cpu.cfs_quota_us', 'cpu.max']) ?? ''
  ).split(' ');
  const cpus = Number(quota) / Number(period);
  return cpus > 0 ? `${rounded(cpus)}, cgroup` : 'not limited';
}

function processLimits(limits: string): Record<'memory' | 'pids' | 'cpu', string> {
  const bytes = Number(hardLimit(limits, 'Max data size'));
  const pids = hardLimit(limits, 'Max processes');
  return {
    memory: Number.isFinite(bytes) ? `${bytes / MIB} MiB per process, rlimit` : 'not limited',
    pids: /^\d+$/.test(pids) ? `${pids}, rlimit` : 'not limited',
    cpu: 'not limited',
  };
}

function tmpOf(mounts: readonly MountLine[]): string {
  const tmp = mounts.find(({ target }) => target === '/tmp');
  if (tmp?.type !== 'tmpfs') return 'none';
  const size = tmp.superOptions.find((option) => option.startsWith('size='));
  const kib = Number(/^size=(\d+)k$/.exec(size ?? '')?.[1]);
  const options = ['noexec', 'nosuid', 'nodev'].filter((option) => tmp.options.includes(option));
  return [Number.isFinite(kib) ? `${kib / 1024} MiB` : 'not limited', ...options].join(' ');
}

function isWritable({ target, type, options }: MountLine): boolean {
  if (!options.includes('rw') || KERNEL.has(type)) return false;
  return !(type === 'tmpfs' && ENGINE_TMPFS.test(target));
}

/** Links to our own folders are followed; a mount's source was, when it was judged, and is none any more. */
function shownOf(
  { appDir, image, mounts, egressSocket }: LaunchPlan,
  { copiesImage }: Means,
): readonly Mount[] {
  const app: Mount = { source: realpathSync(appDir), target: image ? '/' : '/app', mode: 'ro' };
  const own = image && copiesImage ? [] : [app];
  if (egressSocket === undefined) return [...own, ...mounts];
  return [
    ...own,
    ...mounts,
    { source: realpathSync(egressSocket), target: '/lockkeeper/egress.sock', mode: 'ro' },
  ];
}

/** What really lies at the places of the plan: the path of this machine that the kernel mounted there. */
function shownIn(mounts: readonly MountLine[], plan: LaunchPlan, means: Means): string {
  const host = mountsOf('self');
  const isThere = ({ source, target }: Mount): boolean => {
    const at = mounts.findLast((mount) => mount.target === target);
    return at?.options.includes('ro') === true && hostPathsOf(at, host).includes(source);
  };
  return shownOf(plan, means)
    .map(({ source, target }) => {
      // An image's tree is shown entry by entry.
      const wrong = target === '/' ? imageEntries(source).shown.find((one) => !isThere(one)) : undefined;
      if (wrong) return `not ${wrong.source} at ${wrong.target}`;
      if (target === '/') return `${source} as / ro`;
      const at = mounts.findLast((mount) => mount.target === target);
      if (!at) return `nothing at ${target}`;
      const paths = hostPathsOf(at, host);
      const path = paths.includes(source) ? source : (paths[0] ?? 'unknown');
      return `${path} as ${target} ${at.options.includes('ro') ? 'ro' : 'rw'}`;
    })
    .join('; ');
}
