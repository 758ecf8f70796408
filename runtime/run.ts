/** One locked server for one client: artifacts, folder tree, sandbox, session. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { AuditSubject } from '../schemas/audit.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { pinSurface, Surface } from '../schemas/surface.ts';
import { assertValid } from '../schemas/validate.ts';
import { watchAttempts } from './egress/attempts.ts';
import { startEgressProxy } from './egress/proxy.ts';
import type { Caller } from './gate/caller.ts';
import type { Journal } from './journal/journal.ts';
import { planLaunch } from './launch.ts';
import type { IsolationDriver } from './ports.ts';
import { pullArtifacts } from './pull.ts';
import type { SessionEnd, SessionOptions } from './session/options.ts';
import type { OnRevoke } from './session/quarantine.ts';
import { serveSession } from './session/serve.ts';
import type { Blobs } from './store/blobs.ts';
import { materialise } from './store/materialise.ts';
import type { VerifiedEntry } from './trust/entry.ts';
import { type RevocationSource, watchRevocations } from './trust/revocations.ts';
import type { TrustedRoot } from './trust/root.ts';

export interface RunOptions extends Pick<SessionOptions, 'onState' | 'onCall'> {
  readonly verified: VerifiedEntry;
  /** The root that the lock carries. */
  readonly trusted: TrustedRoot;
  /** Where revocations are heard of; null when there is no registry to ask. */
  readonly revocations: RevocationSource | null;
  readonly onRevoke: OnRevoke;
  readonly lockDigest: string;
  readonly lockExpires: number;
  readonly projectDir: string;
  readonly homes: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly caller: Caller;
  readonly blobs: Blobs;
  /** Folder of the materialised trees. */
  readonly treesDir: string;
  readonly fetch: (digest: string) => Promise<Buffer>;
  readonly driver: IsolationDriver;
  readonly journal: Journal;
  readonly client: { readonly input: Readable; readonly output: Writable };
  readonly say: (line: string) => void;
  readonly progress: (line: string) => void;
  readonly stop?: AbortSignal;
}

/** Pulls, lays out, starts, serves. What it throws happened before anything was started. */
export async function runLocked(options: RunOptions): Promise<SessionEnd> {
  const { entry, approvedBy } = options.verified;
  const { blobs, progress } = options;
  await pullArtifacts(entry.closure.artifacts, blobs, {
    fetch: options.fetch,
    progress: (done, of) => progress(`pulling ${entry.server} ${entry.version}: ${done} of ${of} artifacts`),
  });
  const surface = await surfaceOf(options);
  const { appDir } = await materialise(entry.closure, blobs, options.treesDir);
  progress('');
  const id = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const scratch = await mkdtemp(join(tmpdir(), 'lockkeeper-run-'));
  await chmod(scratch, 0o755);
  const egressSocket = join(scratch, 'egress.sock');
  const subject: AuditSubject = {
    server: entry.server,
    version: entry.version,
    lock: options.lockDigest,
    closure: entry.closure.digest,
    surface: entry.surface.digest,
    approvedBy: [...approvedBy],
  };
  let closeProxy: () => Promise<void> = async () => undefined;
  try {
    const plan = await planLaunch(entry, {
      id,
      appDir,
      projectDir: options.projectDir,
      homes: options.homes,
      environment: options.environment,
      egressSocket,
    });
    return await serveSession({
      ...options,
      entry,
      subject,
      surface,
      ...watching(options),
      start: async (record) => {
        const proxy = await startEgressProxy({
          socketPath: egressSocket,
          allow: entry.permissions.egress,
          ...(options.driver.serverUid === undefined ? {} : { owner: options.driver.serverUid }),
          onEvent: record,
        });
        closeProxy = () => proxy.close();
        const running = await options.driver.start(plan);
        watchAttempts(running, record);
        return running;
      },
    });
  } finally {
    await closeProxy();
    await rm(scratch, { recursive: true, force: true });
  }
}

function watching({ verified, trusted, revocations }: RunOptions): Pick<SessionOptions, 'watch'> {
  const { server, version, closure } = verified.entry;
  const release = { server, version, closureDigest: closure.digest };
  return revocations
    ? { watch: (revoked) => watchRevocations({ release, trusted, source: revocations }, revoked) }
    : {};
}

async function surfaceOf({ verified, blobs, fetch }: RunOptions): Promise<Surface> {
  const { surfaceText } = verified.entry;
  if (!(await blobs.has(surfaceText))) {
    const bytes = await fetch(surfaceText);
    await blobs.put(bytes);
  }
  const surface = assertValid(Surface, parseStrict(await blobs.get(surfaceText)), 'the locked surface');
  const { digest } = pinSurface(surface);
  if (digest === verified.entry.surface.digest) return surface;
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: `the surface ${verified.entry.surface.digest}, which was approved`,
    found: `texts of another one, ${digest}`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}
