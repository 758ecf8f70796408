/** A second look at a release that is to be reviewed again, and what it shows against the first. */
import semver from 'semver';
import { packageOf } from '../scanner/closure.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import { canonical } from '../schemas/json.ts';
import type { Since } from '../schemas/review.ts';
import { baselineFrom, peersOf, storedReport } from './baseline.ts';
import { withTransaction } from './db/pool.ts';
import { findRelease, type ReleaseRow, scannedVersion } from './db/releases.ts';
import { insertRescan, newestRescan } from './db/rescans.ts';
import type { Deps, ScanDeps } from './deps.ts';
import { recordEvent } from './log.ts';
import { SELF } from './root.ts';
import { isUnwatched } from './whereabouts.ts';

/**
 * Scans as the first time, against the same earlier release, so that what differs is the world. The release itself stays
 * what was approved. Throws what the scan throws: the queue tries again.
 */
export async function rescanJob(id: string, deps: ScanDeps): Promise<void> {
  const { pool } = deps;
  const row = await findRelease(pool, id);
  if (!row || (row.state !== 'approved' && row.lapsed_at === null) || row.report_digest === null) return;
  const { baseline } = await readReport(row.report_digest, deps);
  const before = baseline && (await scannedVersion(pool, row.name, baseline.version));
  const result = await deps.scan(
    {
      submission: row.submission,
      policy: deps.policy,
      trial: deps.trust.trial,
      baseline: await baselineFrom(before, deps),
      peers: await peersOf(row.name, deps),
    },
    (step) => deps.log.debug({ release: id }, step),
  );
  const newer = await newerVersions(row, deps);
  await withTransaction(pool, async (client) => {
    const { reportDigest, surfaceDigest, maintainers, closure } = result;
    const found = { reportDigest, surfaceDigest, maintainers, newer, closureDigest: closure.digest };
    await insertRescan(client, id, found);
    await recordEvent(client, {
      person: SELF,
      action: 'release.rescanned',
      subject: `${row.name}@${row.version}`,
      detail: { report: reportDigest },
      logged: { kind: 'verdict', digest: reportDigest },
    });
  });
}

async function newerVersions(row: ReleaseRow, deps: ScanDeps): Promise<string[] | null> {
  if (isUnwatched(row.source)) return null;
  const versions = await deps.upstream(packageOf(row.source).name).catch((error: unknown) => {
    deps.log.warn({ err: error, server: row.name }, 'upstream not reached');
    return null;
  });
  return (
    versions
      ?.filter((one) => semver.valid(one) === one && semver.gt(one, row.version))
      .sort(semver.rcompare) ?? null
  );
}

async function readReport(digest: string, { blobs }: Pick<Deps, 'blobs'>): Promise<Report> {
  return storedReport(digest, blobs);
}

/** Null for a release that nobody has to review again. */
export async function sinceApproval(row: ReleaseRow, deps: Deps): Promise<Since | null> {
  const again = await newestRescan(deps.pool, row.id);
  if (row.report_digest === null || (again === null && row.lapsed_at === null)) return null;
  const first = await readReport(row.report_digest, deps);
  const approved = { report: row.report_digest, scannedAt: first.scannedAt };
  const none = { checks: [], otherClosure: false, otherSurface: false, maintainers: null, newer: null };
  if (!again) return { approved, newest: null, ...none };
  const second = await readReport(again.reportDigest, deps);
  return {
    approved,
    newest: { report: again.reportDigest, scannedAt: second.scannedAt },
    checks: otherChecks(first.checks, second.checks),
    otherClosure: again.closureDigest !== row.closure?.digest,
    otherSurface: again.surfaceDigest !== row.surface_digest,
    maintainers: otherPeople(row.maintainers, again.maintainers),
    newer: again.newer === null ? null : [...again.newer],
  };
}

function otherPeople(
  before: readonly string[] | null,
  after: readonly string[] | null,
): Since['maintainers'] {
  if (before === null || after === null) return null;
  return {
    added: after.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !after.includes(name)),
  };
}

function otherChecks(first: readonly CheckResult[], second: readonly CheckResult[]): Since['checks'] {
  const [before, after] = [first, second].map((list) => new Map(list.map((check) => [check.id, check])));
  const ids = [...new Set([...first, ...second].map(({ id }) => id))].sort();
  return ids.flatMap((id) => {
    const [a, b] = [before?.get(id), after?.get(id)];
    if (a && b && said(a) === said(b)) return [];
    return [{ id, title: b?.title ?? a?.title ?? id, before: a?.outcome ?? null, after: b?.outcome ?? null }];
  });
}

/** The outcome, and of one that fired for what; wording of the others may vary with the day. */
function said(check: CheckResult): string {
  return check.outcome === 'fired' ? canonical(check.findings) : check.outcome;
}
