/** The scanner's side of the registry: jobs from the queue, one state move at each end, strangers outside transactions. */

import { EventEmitter } from 'node:events';
import {
  type Job,
  Logger,
  type Runner,
  run,
  type Task,
  type TaskList,
  type WorkerEvents,
} from 'graphile-worker';
import { asLockkeeperError, type Code, type LockkeeperError } from '../schemas/errors.ts';
import { canonical } from '../schemas/json.ts';
import { knownAgainst, mapRelease, revokeInfected } from './advisories/map.ts';
import { refreshAdvisories } from './advisories/refresh.ts';
import { GRACE_MS, keepAlive } from './alive.ts';
import { baselineFrom, peersOf } from './baseline.ts';
import { markJudged } from './db/judgements.ts';
import { findRelease, lastApproved, moveState, type ReleaseRow } from './db/releases.ts';
import { storeScan } from './db/scans.ts';
import type { RunDeps, ScanDeps } from './deps.ts';
import { runOf } from './lease.ts';
import { MOVES } from './lifecycle.ts';
import { recordEvent } from './log.ts';
import { toldOnFailure } from './looks.ts';
import { rejudgeJob } from './rejudge.ts';
import { rescanJob } from './rescan.ts';
import { SELF } from './root.ts';
import { standardOf } from './standard.ts';
import { refreshTrust } from './tuf/refresh.ts';
import { watchUpstream } from './upstream.ts';
import { signedVerdict } from './verdict.ts';

/** Failures of the world around, which another try may not meet again; a server that fails does so every time. */
const PASSING: ReadonlySet<Code> = new Set([
  'SOURCE_UNREACHABLE',
  'REMOTE_UNREACHABLE',
  'BLOBS_UNREACHABLE',
  'BLOBS_REFUSED',
  'ISOLATION_FAILED',
  'ISOLATION_MISMATCH',
  'SYSTEM',
  'INTERNAL',
]);

interface Payload {
  readonly release?: unknown;
  readonly standard?: unknown;
}

/** Takes jobs until it is stopped, `concurrency` at a time. A job of a worker that died is taken after `graceMs`. */
export async function startWorker(
  deps: ScanDeps,
  concurrency: number,
  graceMs = GRACE_MS,
): Promise<Pick<Runner, 'stop'>> {
  const taskList = tasksOf(deps);
  const alive = keepAlive(deps.pool, { log: deps.log, graceMs });
  const events: WorkerEvents = new EventEmitter();
  events.on('pool:create', ({ workerPool }) => alive.add(workerPool.id));
  try {
    const runner = await run({
      pgPool: deps.pool,
      concurrency,
      noHandleSignals: true,
      pollInterval: 2000,
      taskList,
      events,
      logger: quietLogger(deps),
    });
    return {
      stop: async () => {
        await runner.stop();
        await alive.stop();
      },
    };
  } catch (error) {
    await alive.stop();
    throw error;
  }
}

/** A run that ends without a word has to hold its job still: the queue would take the job from who has it now. */
function tasksOf(deps: ScanDeps): TaskList {
  const task =
    (work: (payload: Payload, run: RunDeps, job: Job) => Promise<unknown>): Task =>
    async (payload, { job }) => {
      const run = runOf(job, deps);
      await work((payload ?? {}) as Payload, run, job);
      await run.result(async () => undefined);
    };
  return {
    scan: task(({ release }, run, job) => scanJob(String(release), job, run)),
    rescan: task(({ release }, run, job) => {
      const id = String(release);
      return toldOnFailure(id, job, { deps: run, look: () => rescanJob(id, run) });
    }),
    rejudge: task(({ release, standard }, run, job) => {
      const [id, wanted] = [String(release), typeof standard === 'string' ? standard : null];
      return toldOnFailure(id, job, { deps: run, look: () => rejudgeJob(id, wanted, run) });
    }),
    upstream: task(() => watchUpstream(deps)),
    trust: task(() => refreshTrust(deps)),
    // Without a feed there may be what was imported, and what an earlier run did not come to.
    advisories: task(() =>
      deps.advisories ? refreshAdvisories(deps, deps.advisories) : revokeInfected(deps),
    ),
  };
}

function quietLogger(deps: ScanDeps): NonNullable<Parameters<typeof run>[0]['logger']> {
  const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  return new Logger(() => (level, message) => deps.log[levels[level]](message));
}

/** Claim, scan outside any transaction, store. A refusal rejects the release; a failure to verify is tried again. */
export async function scanJob(id: string, job: Tries, deps: RunDeps): Promise<void> {
  const row = await claim(id, job, deps);
  if (!row) return;
  try {
    await scanRelease(row, deps);
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    if (error.code === 'RUN_TAKEN_OVER') throw error;
    await failed(row, error, { job, deps });
  }
}

type Tries = Pick<Job, 'attempts' | 'max_attempts'>;

/** Null where somebody else has it, or it is not to be scanned any more. */
async function claim(id: string, job: Tries, deps: RunDeps): Promise<ReleaseRow | null> {
  if (await deps.result((client) => moveState(client, id, MOVES.claim))) return findRelease(deps.pool, id);
  // A scanner that died left its release in `scanning`; the queue gave its job to this one.
  const row = job.attempts > 1 ? await findRelease(deps.pool, id) : null;
  return row?.state === 'scanning' ? row : null;
}

async function scanRelease(row: ReleaseRow, deps: RunDeps): Promise<void> {
  const { pool } = deps;
  const standard = await standardOf(deps);
  const baseline = await baselineFrom(await lastApproved(pool, row.name, row.id), deps);
  const result = await deps.scan(
    {
      ...{ submission: row.submission, policy: deps.policy, trial: deps.trust.trial, baseline },
      advisories: (packages) => knownAgainst(pool, packages),
      peers: await peersOf(row.name, deps),
    },
    (step) => deps.log.debug({ release: row.id }, step),
  );
  const verdict = Buffer.from(canonical(await signedVerdict(result, deps)));
  await deps.result(async (client) => {
    if (!(await storeScan(client, row.id, { ...result, verdict }))) return;
    await mapRelease(client, row.id, result.packages);
    await markJudged(client, row.id, standard);
    await recordEvent(client, {
      person: SELF,
      action: 'release.scanned',
      subject: `${row.name}@${row.version}`,
      detail: { report: result.reportDigest },
      logged: { kind: 'verdict', digest: result.reportDigest },
    });
  });
}

/** Throws what is to be tried again; whatever else ends the release. */
async function failed(
  row: ReleaseRow,
  error: LockkeeperError,
  { job, deps }: { readonly job: Tries; readonly deps: RunDeps },
): Promise<void> {
  const { code, message } = error;
  const once = code === 'SERVER_SILENT' && job.attempts === 1;
  const again = (PASSING.has(code) || once) && job.attempts < job.max_attempts;
  deps.log.warn({ release: row.id, code, found: error.found, again }, 'scan failed');
  if (again) {
    const reason = `try ${job.attempts} failed: ${message}`;
    await deps.result((client) => moveState(client, row.id, { ...MOVES.retry, reason }));
    throw error;
  }
  await deps.result(async (client) => {
    await moveState(client, row.id, { ...MOVES.scanFailed, reason: `${message} [${code}]` });
    await recordEvent(client, {
      person: SELF,
      action: 'release.scan-failed',
      subject: `${row.name}@${row.version}`,
      detail: { code },
    });
  });
}
