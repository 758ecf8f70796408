/** What the kernel says of a process that is running (proc(5)): status, limits, mounts, namespaces, control groups. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** One line of /proc/PID/mountinfo. */
export interface MountLine {
  /** Major and minor number of the file system. */
  readonly device: string;
  /** The folder of the file system that is shown. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly type: string;
  /** Options of the file system as a whole, such as the size of a tmpfs. */
  readonly superOptions: readonly string[];
}

export function readProc(pid: number | 'self', file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'utf8');
}

/** Whether there is a process of this id, whoever's it is. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When a process began, for telling it from a later one of its id; null where the kernel does not say. Field 22 of stat
 * is the start in clock ticks since the boot, counted after the name, which may hold anything.
 */
export function beganOf(pid: number): string | null {
  try {
    const stat = readProc(pid, 'stat');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined
      ? null
      : `${ticks}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return null;
  }
}

/** Whose process ids those that this process sees are: of one boot, one namespace. Null where the kernel does not say. */
export function pidSpace(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** The value of one line of /proc/PID/status; empty where there is none. */
export function statusField(status: string, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
}

/** Hard limit of one resource as the kernel writes it: a number or `unlimited`. */
export function hardLimit(limits: string, name: string): string {
  return new RegExp(`^${name} +\\S+ +(\\S+)`, 'm').exec(limits)?.[1] ?? '';
}

export function mountsOf(pid: number | 'self'): MountLine[] {
  return readProc(pid, 'mountinfo').trimEnd().split('\n').map(mountLine);
}

function mountLine(line: string): MountLine {
  const [before = '', after = ''] = line.split(' - ');
  const [, , device = '', root = '', target = '', options = ''] = before.split(' ');
  const [type = '', , superOptions = ''] = after.split(' ');
  return {
    device,
    root: unescaped(root),
    target: unescaped(target),
    options: options.split(','),
    type,
    superOptions: superOptions.split(','),
  };
}

/** Spaces and the like stand in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Paths of this machine at which what is mounted in a process can be found. */
export function hostPathsOf({ device, root }: MountLine, host: readonly MountLine[]): string[] {
  return host
    .filter((at) => at.device === device && (root === at.root || root.startsWith(slashed(at.root))))
    .map((at) => join(at.target, root.slice(at.root.length)));
}

function slashed(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

/** Names of the namespaces that a process does not share with this one, in order. */
export function ownNamespaces(pid: number): string[] {
  return readdirSync(`/proc/${pid}/ns`)
    .filter((name) => !name.endsWith('_for_children'))
    .filter((name) => readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`))
    .sort();
}

/** Names of the network interfaces that a process sees. */
export function interfacesOf(pid: number): string[] {
  return [...readProc(pid, 'net/dev').matchAll(/^\s*([^\s:]+):/gm)].map(([, name = '']) => name).sort();
}

/**
 * One setting of the control group that a process is in, of version 1 (`controller/v1 file`) or 2 (`v2 file`); null
 * where there is none.
 */
export function cgroupSetting(
  pid: number,
  controller: string,
  files: readonly [v1: string, v2: string],
): string | null {
  for (const line of readProc(pid, 'cgroup').trimEnd().split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isFirst = controllers.split(',').includes(controller);
    if (!isFirst && controllers !== '') continue;
    const folder = isFirst ? join(CGROUPS, controllers, path) : join(CGROUPS, path);
    try {
      return readFileSync(join(folder, files[isFirst ? 0 : 1]), 'utf8').trim();
    } catch {
      // the other version has it
    }
  }
  return null;
}
