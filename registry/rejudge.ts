/**
 * Approved releases are judged again when a check, the policy, the trust files that the root pins or what is known against
 * them changed: from the evidence of their newest report, so that 1,000 of them cost no start and no download. What comes out otherwise is a rescan of its own.
 */

import { type Rejudged, type RejudgeRequest, rejudge } from '../scanner/rejudge.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { canonical } from '../schemas/json.ts';
import { concludeReport } from '../schemas/scan.ts';
import { knownAgainst } from './advisories/map.ts';
import { alarmsIn } from './alarms.ts';
import { storedReport } from './baseline.ts';
import { putAlarms } from './db/alarms.ts';
import { markJudged, queueStale } from './db/judgements.ts';
import type { Client } from './db/pool.ts';
import { findRelease, type ReleaseRow } from './db/releases.ts';
import { insertRescan, newestReportOn } from './db/rescans.ts';
import type { Deps, RunDeps } from './deps.ts';
import { recordEvent } from './log.ts';
import { queueRescan } from './queue.ts';
import { otherChecks } from './rescan.ts';
import { SELF } from './root.ts';
import { isReliedOn, standardOf } from './standard.ts';
import { trustFiles } from './trust-files.ts';
import { signedVerdict } from './verdict.ts';

/** Puts a job on the queue for each release that was judged by anything else. Returns how many. */
export async function queueRejudgements(deps: Pick<Deps, 'pool' | 'policy' | 'trust'>): Promise<number> {
  return queueStale(deps.pool, await standardOf(deps));
}

/**
 * Judges one release again, or has it scanned where that takes more than what was kept. `wanted` is what the schedule judges
 * by; null: whatever is judged by here. Throws STATE_CONFLICT where this process has other checks: the queue tries another.
 */
export async function rejudgeJob(id: string, wanted: string | null, deps: RunDeps): Promise<void> {
  const { pool, policy, blobs } = deps;
  const row = await findRelease(pool, id);
  if (!row?.closure || row.report_digest === null || !isReliedOn(row)) return;
  const standard = await standardOf(deps);
  if (wanted !== null && wanted !== standard) throw otherStandard();
  const digest = (await newestReportOn(pool, id, row.closure.digest)) ?? row.report_digest;
  const report = await storedReport(digest, blobs);
  const request: RejudgeRequest = {
    ...{ report, reportDigest: digest, policy },
    advisories: (packages) => knownAgainst(pool, packages),
    trust: await trustFiles(deps.trust, { folder: deps.trustRoots, blobs }),
  };
  const judged = await rejudge(request, { blobs, workDir: deps.workDir, now: () => new Date() });
  if (judged === null) return deps.result((client) => queueRescan(client, id));
  const approved = digest === row.report_digest ? report : await storedReport(row.report_digest, blobs);
  const alarms = alarmsIn(approved, judged.report, judged.because);
  const differs = otherChecks(report.checks, judged.report.checks);
  const same = differs.length === 0 && concludeReport(judged.report) === concludeReport(report);
  const verdict = same ? null : await verdictOn(row, judged, deps);
  await deps.result(async (client) => {
    await client.query('select 1 from releases where id = $1 for update', [id]);
    // Somebody else was faster; what they did not know of is on the queue still.
    if (((await newestReportOn(client, id, row.closure?.digest ?? '')) ?? row.report_digest) !== digest)
      return;
    await markJudged(client, id, standard);
    await putAlarms(client, id, alarms);
    const checks = differs.map((one) => one.id);
    if (verdict) await storeJudgement(client, row, { ...judged, from: digest, verdict, checks });
  });
}

interface Judgement extends Rejudged {
  readonly from: string;
  readonly verdict: Buffer;
  /** Those that end otherwise. */
  readonly checks: readonly string[];
}

async function verdictOn(row: ReleaseRow, judged: Rejudged, deps: RunDeps): Promise<Buffer | null> {
  const { closure } = row;
  return closure && Buffer.from(canonical(await signedVerdict({ ...judged, closure }, deps)));
}

async function storeJudgement(client: Client, row: ReleaseRow, judged: Judgement): Promise<void> {
  const { closure, surface_digest: surfaceDigest } = row;
  if (!closure || surfaceDigest === null) return;
  const { report, reportDigest, from, verdict, checks, because } = judged;
  await insertRescan(client, row.id, {
    ...{ reportDigest, closureDigest: closure.digest, surfaceDigest, verdict },
    ...{ maintainers: null, newer: null, judgedFrom: from },
  });
  await recordEvent(client, {
    person: SELF,
    action: 'release.rejudged',
    subject: `${row.name}@${row.version}`,
    detail: {
      ...{ report: reportDigest, from, checks, conclusion: concludeReport(report) },
      because: Object.fromEntries(checks.map((id) => [id, because[id] ?? []])),
    },
    logged: { kind: 'verdict', digest: reportDigest },
  });
}

function otherStandard(): LockkeeperError {
  return new LockkeeperError('STATE_CONFLICT', {
    expected: 'a scanner with the checks and the policy of the process whose schedule asks',
    found: 'one with others',
    next: 'Have all processes of this registry run one version, with the same settings',
  });
}
