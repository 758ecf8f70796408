/** Total limits for one sandbox through control groups, where this process may make them. */
import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Limits } from '../ports.ts';

export interface Cgroup {
  /** Files that take a process id. */
  readonly procs: readonly string[];
  /** Kills what is left inside, then removes the folders. */
  remove(): Promise<void>;
}

const ROOT = '/sys/fs/cgroup';

/** Version 1 as root, or version 2 with delegated controllers; null where neither is writable. */
export async function makeCgroup(limits: Limits): Promise<Cgroup | null> {
  const name = `lockkeeper-${process.pid}-${randomBytes(4).toString('hex')}`;
  const memory = String(limits.memoryMiB * 1024 * 1024);
  const quota = String(Math.round(limits.cpus * 100_000));
  const pids = String(limits.pids);
  if (await writable(join(ROOT, 'memory'))) {
    return make({
      [join(ROOT, 'memory', name)]: { 'memory.limit_in_bytes': memory },
      [join(ROOT, 'pids', name)]: { 'pids.max': pids },
      [join(ROOT, 'cpu', name)]: { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': quota },
    });
  }
  const controllers = await readFile(join(ROOT, 'cgroup.subtree_control'), 'utf8').catch(() => '');
  if (
    !['memory', 'pids', 'cpu'].every((name) => controllers.split(/\s+/).includes(name)) ||
    !(await writable(ROOT))
  )
    return null;
  return make({
    [join(ROOT, name)]: {
      'memory.max': memory,
      'memory.swap.max': '0',
      'pids.max': pids,
      'cpu.max': `${quota} 100000`,
    },
  });
}

/** Removes the groups of runtimes that were killed: nobody else would, and the kernel keeps each until somebody does. */
export async function sweepCgroups(): Promise<void> {
  for (const folder of [ROOT, ...['memory', 'pids', 'cpu'].map((name) => join(ROOT, name))]) {
    for (const name of await readdir(folder).catch(() => [])) {
      const [, pid] = /^lockkeeper-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
      if (pid === undefined || (await exists(`/proc/${pid}`))) continue;
      // One that is still in use does not go.
      await rmdir(join(folder, name)).catch(() => undefined);
    }
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function writable(folder: string): Promise<boolean> {
  return (
    process.getuid?.() === 0 &&
    access(folder, constants.W_OK).then(
      () => true,
      () => false,
    )
  );
}

/** All groups with all limits, or none: a limit that cannot be set removes what was made. */
async function make(
  groups: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<Cgroup | null> {
  const folders = Object.keys(groups);
  const cgroup: Cgroup = {
    procs: folders.map((folder) => join(folder, 'cgroup.procs')),
    remove: () => removeAll(folders),
  };
  try {
    for (const [folder, files] of Object.entries(groups)) {
      await mkdir(folder);
      for (const [file, value] of Object.entries(files)) await writeFile(join(folder, file), value);
    }
    return cgroup;
  } catch {
    await cgroup.remove();
    return null;
  }
}

async function removeAll(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let attempt = 0; attempt < 50; attempt++) {
      const left = (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => ''))
        .split('\n')
        .filter(Boolean);
      for (const pid of left) kill(Number(pid));
      const gone = await rmdir(folder).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
      if (gone) break;
      await sleep(10);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}
