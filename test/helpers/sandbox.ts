/** Sandboxes for tests: the real driver, folders that the sandbox's user can reach. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import type { LaunchPlan, SandboxedProcess } from '../../runtime/ports.ts';
import { SCRIPTED } from './session.ts';

/** A temporary folder that every user may traverse. */
export function openDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lk-test-'));
  chmodSync(dir, 0o755);
  return dir;
}

export function planFor(
  appDir: string,
  command: LaunchPlan['command'],
  rest: Partial<LaunchPlan> = {},
): LaunchPlan {
  return {
    id: 'test',
    appDir,
    command,
    env: {},
    mounts: [],
    limits: { memoryMiB: 512, cpus: 1, pids: 64, tmpMiB: 8 },
    ...rest,
  };
}

export const driver = bubblewrap({ nodePath: process.execPath });

/** The scripted server in bubblewrap; its log stands in `<dir>/mount/calls`. */
export function sandboxedScripted(dir: string): Promise<SandboxedProcess> {
  const app = join(dir, 'app');
  const mount = join(dir, 'mount');
  mkdirSync(app, { recursive: true });
  mkdirSync(mount, { recursive: true });
  chmodSync(mount, 0o777);
  copyFileSync(SCRIPTED, join(app, 'server.mjs'));
  return driver.start(
    planFor(app, ['node', '/app/server.mjs', 'good', '/data/calls'], {
      mounts: [{ source: mount, target: '/data', mode: 'rw' }],
    }),
  );
}
