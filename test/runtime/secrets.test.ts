/** Secrets of a project: read before anything starts, and seen by the server as files, by nobody as words. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { container } from '../../runtime/isolation/container.ts';
import { laidOut, sweepSecrets } from '../../runtime/isolation/secrets.ts';
import { planLaunch } from '../../runtime/launch.ts';
import type { IsolationDriver, LaunchPlan } from '../../runtime/ports.ts';
import { diffReach } from '../../schemas/diff/reach.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { assertPermitted } from '../../schemas/request.ts';
import { driver as bubblewrap, openDir, planFor } from '../helpers/sandbox.ts';
import { makeEntry } from '../helpers/trust.ts';

const VALUE = 'wh1sper "$(id)" \\ ü\nof two lines';
const dir = openDir();
mkdirSync(join(dir, 'secrets'));
mkdirSync(join(dir, '.ssh'));
const put = (path: string, mode = 0o600): void => writeFileSync(join(dir, path), `${VALUE}\n`, { mode });
put('secrets/key');
put('secrets/open', 0o644);
put('.ssh/id');
symlinkSync(join(dir, '.ssh/id'), join(dir, 'secrets/link'));

const context = {
  id: 'test',
  appDir: dir,
  projectDir: dir,
  homes: [],
  environment: { API_KEY: VALUE, AWS_SECRET_ACCESS_KEY: 'of somebody else' },
  egressSocket: join(dir, 'egress.sock'),
};
const entryWith = (secrets: Record<string, string>, permitted = ['API_KEY']): LockEntry => {
  const entry: LockEntry = { ...makeEntry(), approvedBy: ['alice', 'bob'], approvals: [] };
  entry.permissions = { ...entry.permissions, secrets: permitted };
  entry.request = { ...entry.request, secrets };
  return entry;
};

describe('the launch plan', () => {
  it.each([['file:secrets/key'], ['env']])(
    'has what %s says, as a file and not as a variable',
    async (source) => {
      const plan = await planLaunch(entryWith({ API_KEY: source }), context);
      expect(plan.secrets).toEqual([{ name: 'API_KEY', value: VALUE }]);
      expect(plan.env).toEqual({ API_KEY_FILE: '/run/secrets/API_KEY' });
      expect(JSON.stringify({ ...plan, secrets: [] })).not.toContain('wh1sper');
    },
  );

  it('has none that the project does not ask for', async () => {
    const plan = await planLaunch(entryWith({}), context);
    expect(plan).not.toHaveProperty('secrets');
    expect(plan.env).toEqual({});
  });

  it.each([
    ['a secret that nobody approved', { AWS_SECRET_ACCESS_KEY: 'env' }, 'NOT_LOCKED'],
    ['a file that is not there', { API_KEY: 'file:secrets/none' }, 'SECRET_MISSING'],
    ['a file that others may read', { API_KEY: 'file:secrets/open' }, 'SECRET_UNUSABLE'],
    ['a file of credentials', { API_KEY: 'file:.ssh/id' }, 'MOUNT_REFUSED'],
    ['a link to one', { API_KEY: 'file:secrets/link' }, 'MOUNT_REFUSED'],
    ['a file of the system', { API_KEY: 'file:/etc/shadow' }, 'MOUNT_REFUSED'],
    ['a folder', { API_KEY: 'file:secrets' }, 'SECRET_UNUSABLE'],
    ['a file above the project', { API_KEY: 'file:/proc/self/environ' }, 'MOUNT_REFUSED'],
  ])('is not made with %s', async (_name, secrets, code) => {
    const error = await planLaunch(entryWith(secrets), context).catch((thrown: LockkeeperError) => thrown);
    expect(error).toMatchObject({ code });
    expect(String((error as Error).stack)).not.toContain('wh1sper');
  });

  it('is not made without a variable that is asked for', async () => {
    const planning = planLaunch(entryWith({ API_KEY: 'env' }), { ...context, environment: {} });
    await expect(planning).rejects.toMatchObject({ code: 'SECRET_MISSING' });
  });
});

it('a project cannot ask for a secret that was not approved', () => {
  const entry = entryWith({ OTHER: 'env' });
  const asking = (): void =>
    assertPermitted('weather', entry.request, { permissions: entry.permissions, projectArgs: false });
  expect(asking).toThrow(/the secret OTHER/);
});

const PROBE = `
const fs = require('node:fs'); const path = process.env.API_KEY_FILE; const out = {};
const attempt = (name, run) => { try { out[name] = run() ?? 'ok'; } catch (error) { out[name] = error.code; } };
attempt('value', () => fs.readFileSync(path, 'utf8'));
attempt('mode', () => (fs.statSync(path).mode & 0o777).toString(8));
attempt('names', () => fs.readdirSync('/run/secrets'));
attempt('write', () => fs.writeFileSync(path, 'x'));
attempt('add', () => fs.writeFileSync('/run/secrets/other', 'x'));
attempt('remove', () => fs.unlinkSync(path));
attempt('environment', () => JSON.stringify(process.env).includes('wh1sper'));
console.log(JSON.stringify(out));
setInterval(() => undefined, 1000);
`;

/** What the server saw, and every command line and environment of this machine that tells the secret meanwhile. */
async function probe(
  driver: IsolationDriver,
): Promise<{ seen: unknown; told: string[]; isolation: unknown }> {
  const home = openDir();
  mkdirSync(join(home, 'app'));
  writeFileSync(join(home, 'app/probe.js'), PROBE);
  chmodSync(join(home, 'app/probe.js'), 0o644);
  const plan: LaunchPlan = planFor(join(home, 'app'), ['node', '/app/probe.js'], {
    id: `s${process.pid}`,
    env: { API_KEY_FILE: '/run/secrets/API_KEY' },
    secrets: [{ name: 'API_KEY', value: VALUE }],
  });
  const running = await driver.start(plan);
  try {
    running.stderr.resume();
    let said = '';
    for await (const chunk of running.stdout) {
      said += String(chunk);
      if (said.includes('\n')) break;
    }
    return { seen: JSON.parse(said), told: tellers(), isolation: running.isolation };
  } finally {
    await running.stop(1000);
  }
}

function tellers(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter((path) => {
      try {
        return readFileSync(path, 'latin1').includes('wh1sper');
      } catch {
        return false;
      }
    });
}

const SEEN = {
  value: VALUE,
  mode: '400',
  names: ['API_KEY'],
  write: expect.stringMatching(/^(?:EROFS|EACCES)$/),
  add: 'EROFS',
  remove: expect.stringMatching(/^(?:EROFS|EBUSY)$/),
  environment: false,
};
const leftIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith(`lockkeeper-secrets-${process.pid}-`));

describe('a server', () => {
  it('finds its secret in bubblewrap, read-only and its own, and no process tells it', async () => {
    const { seen, told, isolation } = await probe(bubblewrap);
    expect(seen).toEqual(SEEN);
    expect(told).toEqual([]);
    expect(isolation).toMatchObject({ secrets: 'API_KEY' });
    expect(JSON.stringify(isolation)).not.toContain('wh1sper');
  });

  describe('under Podman', () => {
    it('finds it as well, and nothing of it is left when it ends', async () => {
      const { seen, told, isolation } = await probe(
        container({ engine: 'podman', nodePath: process.execPath }),
      );
      expect(seen).toEqual(SEEN);
      expect(told).toEqual([]);
      expect(isolation).toMatchObject({ secrets: 'API_KEY' });
      expect(leftIn('/dev/shm')).toEqual([]);
    });
  });

  it('is not started in a container where its files could not be its own', async () => {
    const laying = laidOut([{ name: 'A', value: 'a' }], 65534, false);
    await expect(laying).rejects.toBeInstanceOf(LockkeeperError);
    expect(leftIn('/dev/shm')).toEqual([]);
  });

  it('leaves nothing behind when its runtime was killed; a container that shares the memory takes none of a living one’s', async () => {
    const module = new URL('../../runtime/isolation/secrets.ts', import.meta.url).href;
    const laying = `import { laidOut } from ${JSON.stringify(module)};
      console.log((await laidOut([{ name: 'A', value: 'a' }], 65534)).dir); setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', laying]);
    const [said] = await once(child.stdout, 'data');
    const dir = String(said).trim();
    const sweeping = `import { sweepSecrets } from ${JSON.stringify(module)}; await sweepSecrets();`;
    const inOther = ['--pid', '--fork', '--mount-proc', process.execPath, '--input-type=module', '-e'];
    expect(spawnSync('unshare', [...inOther, sweeping]).status).toBe(0);
    expect(existsSync(join(dir, 'A'))).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await sweepSecrets();
    expect(existsSync(dir)).toBe(false);
  });
});

it('a release that may get more secrets reaches further', () => {
  const { permissions, launch } = entryWith({}, []);
  const wider = { permissions: { ...permissions, secrets: ['API_KEY'] }, launch };
  expect(diffReach({ permissions, launch }, wider)).toEqual([
    { at: '/permissions/secrets', kind: 'added', risk: 'risk', after: 'API_KEY' },
  ]);
  const { secrets: _none, ...older } = permissions;
  expect(diffReach(wider, { permissions: older, launch })).toMatchObject([
    { kind: 'removed', risk: 'cosmetic' },
  ]);
});
