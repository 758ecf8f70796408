/** One start of a prepared release: a sandbox and its own way out, which goes when the sandbox is gone. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockkeeperError } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import { watchAttempts } from './egress/attempts.ts';
import { startEgressProxy } from './egress/proxy.ts';
import { type LaunchContext, planLaunch } from './launch.ts';
import type { EgressEvent, IsolationDriver, RunningServer, SandboxedProcess } from './ports.ts';
import type { Prepared } from './prepare.ts';
import type { Credentials } from './remote/requests.ts';
import { type RemoteStart, startRemote } from './remote/start.ts';

export interface Around extends Pick<LaunchContext, 'projectDir' | 'homes' | 'environment'> {
  /** Null where only servers are started that run elsewhere. */
  readonly driver: IsolationDriver | null;
  /** Ours with a server that runs elsewhere. */
  readonly credentials?: Credentials;
  /** Called at each start, for what is to hear what the server says on stderr. */
  readonly hears?: () => (chunk: Buffer) => void;
}

type Record = (event: EgressEvent) => Promise<void>;

/**
 * Starts it, or connects to it; every connection is told to `record` first. Throws what planning, starting and connecting
 * throw, and then leaves nothing behind.
 */
export async function startInstance(
  prepared: Startable,
  around: Around,
  record: Record,
): Promise<RunningServer> {
  const running = await startOne(prepared, around, record);
  if (around.hears) running.heard = around.hears();
  return running;
}

type Startable = Pick<Prepared, 'entry' | 'appDir'> & Pick<RemoteStart, 'surface'>;

async function startOne(
  { entry, surface, appDir }: Startable,
  around: Around,
  record: Record,
): Promise<RunningServer> {
  const { launch } = entry;
  const { driver, credentials } = around;
  if (!isLocal(launch))
    return startRemote({ launch, surface, record, ...(credentials === undefined ? {} : { credentials }) });
  if (driver !== null && appDir !== null)
    return startInside({ entry, appDir }, { ...around, driver }, record);
  throw new LockkeeperError('ISOLATION_MISSING', {
    expected: `a driver to isolate ${entry.server} with`,
    found: 'none',
    next: 'Run: lk doctor',
  });
}

async function startInside(
  { entry, appDir }: { readonly entry: LockEntry; readonly appDir: string },
  { driver, projectDir, homes, environment }: Around & { readonly driver: IsolationDriver },
  record: Record,
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
  const exited = running.exited.then((exit) => clean().then(() => exit));
  return {
    ...running,
    exited,
    stop: async (graceMs) => {
      await running.stop(graceMs);
      return exited;
    },
  };
}
