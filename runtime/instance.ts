/** One start of a prepared release: a sandbox and its own way out, which goes when the sandbox is gone. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchAttempts } from './egress/attempts.ts';
import { startEgressProxy } from './egress/proxy.ts';
import { type LaunchContext, planLaunch } from './launch.ts';
import type { EgressEvent, IsolationDriver, SandboxedProcess } from './ports.ts';
import type { Prepared } from './prepare.ts';

export interface Around extends Pick<LaunchContext, 'projectDir' | 'homes' | 'environment'> {
  readonly driver: IsolationDriver;
}

/**
 * Starts it; every connection it asks for is told to `record` first. Throws what planning and starting throw, and then
 * leaves nothing behind.
 */
export async function startInstance(
  { entry, appDir }: Pick<Prepared, 'entry' | 'appDir'>,
  { driver, projectDir, homes, environment }: Around,
  record: (event: EgressEvent) => Promise<void>,
): Promise<SandboxedProcess> {
  const scratch = await mkdtemp(join(tmpdir(), 'lockkeeper-run-'));
  const undo: (() => Promise<void>)[] = [() => rm(scratch, { recursive: true, force: true })];
  const clean = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    await chmod(scratch, 0o755);
    const egressSocket = join(scratch, 'egress.sock');
    const id = `${process.pid}-${randomBytes(4).toString('hex')}`;
    const plan = await planLaunch(entry, { id, appDir, projectDir, homes, environment, egressSocket });
    const proxy = await startEgressProxy({
      socketPath: egressSocket,
      allow: entry.permissions.egress,
      ...(driver.serverUid === undefined ? {} : { owner: driver.serverUid }),
      onEvent: record,
    });
    undo.push(() => proxy.close());
    const running = await driver.start(plan);
    watchAttempts(running, record);
    return cleaned(running, clean);
  } catch (error) {
    await clean();
    throw error;
  }
}

/** Whoever waits for its end waits for what is cleaned up after it as well. */
function cleaned(running: SandboxedProcess, clean: () => Promise<void>): SandboxedProcess {
  const exited = running.exited.finally(clean);
  return {
    ...running,
    exited,
    stop: async (graceMs) => {
      await running.stop(graceMs);
      return exited;
    },
  };
}
