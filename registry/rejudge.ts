/**
 * Approved releases are judged again when a check, the policy or what is known against them changed: from the evidence of
 * their newest report, so that 1,000 of them cost no start and no download. What comes out otherwise is a rescan of its own.
 */

import { type RejudgeRequest, rejudge } from '../scanner/rejudge.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { Report } from '../schemas/finding.ts';
import { canonical } from '../schemas/json.ts';
import { concludeReport } from '../schemas/scan.ts';
import { knownAgainst } from './advisories/map.ts';
import { storedReport } from './baseline.ts';
import { markJudged, queueStale } from './db/judgements.ts';
import { findRelease, type ReleaseRow } from './db/releases.ts';
import { insertRescan, newestReportOn } from './db/rescans.ts';
import type { Deps, RunDeps } from './deps.ts';
import { recordEvent } from './log.ts';
import { queueRescan } from './queue.ts';
import { otherChecks } from './rescan.ts';
import { SELF } from './root.ts';
import { isReliedOn, standardOf } from './standard.ts';
import { signedVerdict } from './verdict.ts';

/** Puts a job on the queue for each release that was judged by anything else. Returns how many. */
export async function queueRejudgements(deps: Pick<Deps, 'pool' | 'policy'>): Promise<number> {
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
  };
  const judged = await rejudge(request, { blobs, workDir: deps.workDir, now: () => new Date() });
  if (judged === null) return deps.result((client) => queueRescan(client, id));
  const differs = otherChecks(report.checks, judged.report.checks);
  const result = concludeReport(judged.report);
  if (differs.length === 0 && result === concludeReport(report))
    return deps.result((client) => markJudged(client, id, standard));
  await storeJudgement(
    row,
    { ...judged, from: digest, standard, checks: differs.map((one) => one.id) },
    deps,
  );
}

interface Judgement {
  readonly report: Report;
  readonly reportDigest: string;
  readonly from: string;
  readonly standard: string;
  /** Those that end otherwise. */
  readonly checks: readonly string[];
}

async function storeJudgement(row: ReleaseRow, judged: Judgement, deps: RunDeps): Promise<void> {
  const { closure, surface_digest: surfaceDigest } = row;
  if (!closure || surfaceDigest === null) return;
  const { report, reportDigest, from, standard, checks } = judged;
  const verdict = Buffer.from(canonical(await signedVerdict({ report, reportDigest, closure }, deps)));
  await deps.result(async (client) => {
    await client.query('select 1 from releases where id = $1 for update', [row.id]);
    // Somebody else was faster; what they did not know of is on the queue still.
    if (((await newestReportOn(client, row.id, closure.digest)) ?? row.report_digest) !== from) return;
    await markJudged(client, row.id, standard);
    await insertRescan(client, row.id, {
      ...{ reportDigest, closureDigest: closure.digest, surfaceDigest, verdict },
      ...{ maintainers: null, newer: null, judgedFrom: from },
    });
    await recordEvent(client, {
      person: SELF,
      action: 'release.rejudged',
      subject: `${row.name}@${row.version}`,
      detail: { report: reportDigest, from, checks, conclusion: concludeReport(report) },
      logged: { kind: 'verdict', digest: reportDigest },
    });
  });
}

function otherStandard(): LockkeeperError {
  return new LockkeeperError('STATE_CONFLICT', {
    expected: 'a scanner with the checks and the policy of the process whose schedule asks',
    found: 'one with others',
    next: 'Have all processes of this registry run one version, with the same settings',
  });
}
