import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bubblewrap } from '../../../runtime/isolation/bubblewrap.ts';
import { sandboxSettings } from '../../../runtime/isolation/words.ts';
import type { LaunchPlan } from '../../../runtime/ports.ts';
import { driver, openDir, planFor } from '../../helpers/sandbox.ts';

const isRoot = process.getuid?.() === 0;

/** A server that leaves a note where it may write, the first thing it does. */
function noter(): { plan: LaunchPlan; dir: string; began: () => boolean } {
  const dir = openDir();
  for (const name of ['app', 'out']) mkdirSync(join(dir, name));
  chmodSync(join(dir, 'out'), 0o777);
  writeFileSync(
    join(dir, 'app/x.js'),
    "require('node:fs').writeFileSync('/out/began', ''); console.log('up'); setInterval(() => {}, 1000);",
  );
  const plan = planFor(join(dir, 'app'), ['node', '/app/x.js', dir], {
    mounts: [{ source: join(dir, 'out'), target: '/out', mode: 'rw' }],
  });
  return { plan, dir, began: () => existsSync(join(dir, 'out/began')) };
}

/** Processes that stand in the sandbox of a plan. */
function inside(plan: LaunchPlan): string[] {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(plan.command[2] ?? '-') && line.includes('bwrap'));
}

type Words = readonly string[];
const without =
  (...gone: Words) =>
  (words: Words): string[] => {
    const at = words.findIndex((_, index) => gone.every((word, n) => words[index + n] === word));
    expect(at, gone.join(' ')).toBeGreaterThanOrEqual(0);
    return words.toSpliced(at, gone.length);
  };
const instead =
  (from: string, to: string) =>
  (words: Words): string[] =>
    words.map((word) => (word === from ? to : word));

describe('what runs in bubblewrap', () => {
  it('is told as it was found, and the server begins only then', async () => {
    const { plan, began } = noter();
    const running = await driver.start(plan);
    expect(running.isolation).toMatchObject({
      driver: 'bubblewrap',
      capabilities: 'none',
      noNewPrivileges: true,
      seccomp: true,
      namespaces: 'ipc mnt net pid user uts',
      network: 'none',
      core: '0',
      openFiles: '1024',
      root: 'read-only',
      tmp: '8 MiB nosuid nodev',
      writable: '/out /tmp',
      mounts: `${plan.appDir} as /app ro; ${plan.mounts[0]?.source} as /out rw`,
      ...(isRoot ? { uid: 65534, memory: '512 MiB, cgroup', pids: '64, cgroup', cpu: '1, cgroup' } : {}),
    });
    await once(running.stdout, 'data');
    expect(began()).toBe(true);
    await running.stop(0);
  });

  it.each<[string, string, (words: Words) => string[]]>([
    ['the filter of system calls', 'seccomp', without('--seccomp', '6')],
    ['a network of its own', 'network', without('--unshare-net')],
    ['processes of its own', 'namespaces', without('--unshare-pid')],
    ['an IPC namespace', 'namespaces', without('--unshare-ipc')],
    [
      'a name of its own',
      'namespaces',
      (words) => without('--unshare-uts')(without('--hostname', 'mcp')(words)),
    ],
    ['the shut root', 'root', without('--remount-ro', '/')],
    ['the size of /tmp', 'tmp', without('--size', '8388608')],
    ['a larger /tmp', 'tmp', instead('8388608', '16777216')],
    ['the server to be read-only', 'writable', instead('--ro-bind', '--bind')],
    ['another folder', 'mounts', (words) => words.map((word) => (word.endsWith('/out') ? '/var/tmp' : word))],
    [
      'one folder more',
      'writable',
      (words) => [...without('--remount-ro', '/')(words), '--bind', '/var/tmp', '/more', '--remount-ro', '/'],
    ],
  ])('is refused without %s, and the server never began', async (_name, fact, change) => {
    const { plan, began } = noter();
    const settings: typeof sandboxSettings = (...of) => change(sandboxSettings(...of));
    const forgetful = bubblewrap({ nodePath: process.execPath, settings });
    await expect(forgetful.start(plan)).rejects.toMatchObject({
      code: 'ISOLATION_MISMATCH',
      exit: 3,
      found: expect.stringMatching(new RegExp(`(^|, )${fact} `)),
    });
    expect(began()).toBe(false);
    expect(inside(plan)).toEqual([]);
  });

  it('is refused when a mount was exchanged for a link after it was judged', async () => {
    const { plan, dir, began } = noter();
    const elsewhere = openDir();
    chmodSync(elsewhere, 0o777);
    renameSync(join(dir, 'out'), join(dir, 'kept'));
    symlinkSync(elsewhere, join(dir, 'out'));
    await expect(driver.start(plan)).rejects.toMatchObject({
      code: 'ISOLATION_MISMATCH',
      found: expect.stringContaining(`${elsewhere} as /out rw`),
    });
    expect(began()).toBe(false);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('is told what is wrong where no sandbox can be made', async () => {
    const { plan } = noter();
    const settings: typeof sandboxSettings = (...of) => [
      ...sandboxSettings(...of),
      '--ro-bind',
      '/missing',
      '/x',
    ];
    await expect(bubblewrap({ nodePath: process.execPath, settings }).start(plan)).rejects.toMatchObject({
      code: 'ISOLATION_FAILED',
      found: expect.stringContaining('/missing'),
    });
  });
});

describe.runIf(isRoot)('limits that were taken away', () => {
  it.each([
    ['memory', 'memory', 'memory.limit_in_bytes', String(2 ** 40)],
    ['pids', 'pids', 'pids.max', 'max'],
    ['cpu', 'cpu', 'cpu.cfs_quota_us', '-1'],
  ])('are found: %s', async (fact, controller, file, value) => {
    const folder = join('/sys/fs/cgroup', controller);
    if (!existsSync(folder)) return; // version 2 has other files, and is read by the same code
    const own = `lockkeeper-${process.pid}-`;
    const before = new Set(readdirSync(folder));
    const { plan, began } = noter();
    const settings: typeof sandboxSettings = (...of) => {
      const made = readdirSync(folder).find((name) => name.startsWith(own) && !before.has(name));
      writeFileSync(join(folder, made ?? '', file), value);
      return sandboxSettings(...of);
    };
    await expect(bubblewrap({ nodePath: process.execPath, settings }).start(plan)).rejects.toMatchObject({
      code: 'ISOLATION_MISMATCH',
      found: expect.stringMatching(new RegExp(`(^|, )${fact} `)),
    });
    expect(began()).toBe(false);
  });
});
