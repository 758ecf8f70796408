import { spawnSync } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planLaunch } from '../../runtime/launch.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { openDir } from '../helpers/sandbox.ts';
import { commandOf, makeEntry } from '../helpers/trust.ts';

const dir = openDir();
mkdirSync(join(dir, 'docs'));
const context = {
  id: 'test',
  appDir: dir,
  projectDir: dir,
  homes: [],
  environment: { CITY: 'Berlin', HOME: '/root', AWS_SECRET_ACCESS_KEY: 'secret' },
  egressSocket: join(dir, 'egress.sock'),
};
const entryWith = (change: (entry: LockEntry) => void): LockEntry => {
  const entry: LockEntry = { ...makeEntry(), approvedBy: ['alice', 'bob'], approvals: [] };
  entry.permissions = { ...entry.permissions, mounts: [{ target: '/data', mode: 'ro' }], env: ['CITY'] };
  change(entry);
  return entry;
};

describe('the launch plan', () => {
  it('is what the lock says: its command, its mounts with their modes, the variables that are permitted and asked for', async () => {
    const entry = entryWith((one) => {
      one.request = { ...one.request, mounts: { '/data': './docs' }, env: ['CITY'] };
    });
    const plan = await planLaunch(entry, context);
    expect(plan).toMatchObject({
      command: commandOf(entry.launch),
      env: { CITY: 'Berlin' },
      mounts: [{ source: join(dir, 'docs'), target: '/data', mode: 'ro' }],
      limits: entry.permissions.limits,
    });
    expect(Object.keys(plan.env)).toEqual(['CITY']);
  });

  it('has the variables of the launch below those of the project', async () => {
    const entry = entryWith((one) => {
      one.request = { ...one.request, env: ['CITY'] };
      one.launch = { ...one.launch, env: { UNITS: 'metric', CITY: 'Bremen' } } as LockEntry['launch'];
    });
    expect((await planLaunch(entry, context)).env).toEqual({ UNITS: 'metric', CITY: 'Berlin' });
  });

  it.each<[string, LockEntry['request'], string]>([
    [
      'a mount that nobody approved',
      { server: 'a/b', range: '*', mounts: { '/other': './docs' } },
      'NOT_LOCKED',
    ],
    [
      'a variable that nobody approved',
      { server: 'a/b', range: '*', env: ['AWS_SECRET_ACCESS_KEY'] },
      'NOT_LOCKED',
    ],
    ['arguments that nobody approved', { server: 'a/b', range: '*', args: ['--allow-all'] }, 'NOT_LOCKED'],
    ['a mount of the system', { server: 'a/b', range: '*', mounts: { '/data': '/etc' } }, 'MOUNT_REFUSED'],
    [
      'a mount that is not there',
      { server: 'a/b', range: '*', mounts: { '/data': './missing' } },
      'MOUNT_REFUSED',
    ],
  ])('refuses %s', async (_, request, code) => {
    const entry = entryWith((one) => {
      one.request = request;
    });
    await expect(planLaunch(entry, context)).rejects.toMatchObject({ code });
  });
});

describe('descriptors that were handed over', () => {
  it('are closed, but for the three that everybody has', () => {
    writeFileSync(join(dir, 'secret'), 'secret');
    const fd = openSync(join(dir, 'secret'), 'r');
    const code = `
      const { closeInherited } = await import(${JSON.stringify(new URL('../../runtime/isolation/descriptors.ts', import.meta.url).href)});
      const fs = await import('node:fs');
      const open = () => { try { return fs.readlinkSync('/proc/self/fd/20'); } catch (error) { return error.code; } };
      const before = open(); closeInherited(); console.log(before.endsWith('secret'), open());`;
    const stdio = ['pipe', 'pipe', 'pipe', ...Array.from({ length: 17 }, () => 'ignore' as const), fd];
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      stdio: stdio as never,
      encoding: 'utf8',
    });
    expect(stdout, stderr).toBe('true ENOENT\n');
  });
});
