import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bubblewrap } from '../../../runtime/isolation/bubblewrap.ts';
import { makeCgroup } from '../../../runtime/isolation/cgroup.ts';

const LIMITS = { memoryMiB: 256, cpus: 1.5, pids: 64, tmpMiB: 8 };
const QUOTAS: Readonly<Record<string, string>> = {
  'memory.limit_in_bytes': '268435456',
  'memory.max': '268435456',
  'memory.swap.max': '0',
  'pids.max': '64',
  'cpu.cfs_quota_us': '150000',
  'cpu.cfs_period_us': '100000',
  'cpu.max': '150000 100000',
};

/** Where this user may make control groups; elsewhere a limit for each process stands in, and `null` says so. */
const cgroup = await makeCgroup(LIMITS);
await cgroup?.remove();

describe('a control group', () => {
  if (cgroup === null) {
    it('is made nowhere here, and that is said', async () => {
      expect(await makeCgroup(LIMITS)).toBeNull();
    });
    return;
  }

  it('holds memory, processes and processor time at what the plan says', async () => {
    const made = await makeCgroup(LIMITS);
    const found: Record<string, string> = {};
    for (const folder of (made?.procs ?? []).map(dirname))
      for (const file of Object.keys(QUOTAS))
        if (existsSync(join(folder, file))) found[file] = readFileSync(join(folder, file), 'utf8').trim();
    await made?.remove();
    const names = Object.keys(found);
    expect(names.some((name) => name.startsWith('memory.'))).toBe(true);
    expect(names.some((name) => name.startsWith('cpu.'))).toBe(true);
    expect(found['pids.max']).toBe('64');
    for (const name of names) expect(found[name], name).toBe(QUOTAS[name]);
  });

  it('ends what is left inside when it goes', async () => {
    const made = await makeCgroup(LIMITS);
    const child = spawn('sleep', ['300']);
    const closed = once(child, 'close');
    for (const file of made?.procs ?? []) writeFileSync(file, String(child.pid));
    await made?.remove();
    expect((await closed)[1]).toBe('SIGKILL');
    for (const file of made?.procs ?? []) expect(existsSync(dirname(file))).toBe(false);
  });

  it('goes with the next look for a driver where its runtime was killed, unless something is inside', async () => {
    const child = spawn('true');
    await once(child, 'close');
    const made = await makeCgroup(LIMITS);
    const folders = (made?.procs ?? []).map(dirname);
    const orphans = folders.map((folder) => join(dirname(folder), `lockkeeper-${child.pid}-0badc0de`));
    const used = folders.map((folder) => join(dirname(folder), `lockkeeper-${child.pid}-0badbeef`));
    const inside = spawn('sleep', ['300']);
    for (const folder of orphans) mkdirSync(folder);
    for (const folder of used) {
      mkdirSync(folder);
      writeFileSync(join(folder, 'cgroup.procs'), String(inside.pid));
    }
    await bubblewrap({ nodePath: process.execPath }).detect();
    expect(orphans.filter(existsSync)).toEqual([]);
    expect([...folders, ...used].filter((folder) => !existsSync(folder))).toEqual([]);
    inside.kill('SIGKILL');
    await once(inside, 'close');
    await bubblewrap({ nodePath: process.execPath }).detect();
    expect(used.filter(existsSync)).toEqual([]);
    await made?.remove();
  });

  it('is made with all limits or not at all', async () => {
    const parent = dirname(dirname(cgroup?.procs[0] ?? ''));
    const ours = (): string[] => readdirSync(parent).filter((name) => name.includes(`-${process.pid}-`));
    expect(await makeCgroup({ ...LIMITS, pids: -7 })).toBeNull();
    expect(ours()).toEqual([]);
  });
});
