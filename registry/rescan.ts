/** A second look at a release that is to be reviewed again, and what it shows against the first. */
import { hasVersions } from '../scanner/watch/watch.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import { canonical } from '../schemas/json.ts';
import type { Since } from '../schemas/review.ts';
import { knownAgainst, mapRelease } from './advisories/map.ts';
import { alarmsIn, said } from './alarms.ts';
import { baselineFrom, peersOf, storedReport } from './baseline.ts';
import { putAlarms } from './db/alarms.ts';
import { markJudged } from './db/judgements.ts';
import { findRelease, type ReleaseRow, scannedVersion } from './db/releases.ts';
import { insertRescan, newestRescan } from './db/rescans.ts';
import type { Deps, RunDeps, ScanDeps } from './deps.ts';
import { recordEvent } from './log.ts';
import { SELF } from './root.ts';
import { isReliedOn, standardOf } from './standard.ts';
import { newerThan } from './upstream.ts';
import { signedVerdict } from './verdict.ts';

/**
 * Scans as the first time, against the same earlier release, so that what differs is the world. The release itself stays
 * what was approved. Throws what the scan throws: the queue tries again.
 */
export async function rescanJob(id: string, deps: RunDeps): Promise<void> {
  const { pool } = deps;
  const row = await findRelease(pool, id);
  if (!row || !isReliedOn(row) || row.report_digest === null) return;
  const approved = await readReport(row.report_digest, deps);
  const { baseline } = approved;
  const before = baseline && (await scannedVersion(pool, row.name, baseline.version));
  const standard = await standardOf(deps);
  const result = await deps.scan(
    {
      submission: row.submission,
      policy: deps.policy,
      trial: deps.trust.trial,
      baseline: await baselineFrom(before, deps),
      advisories: (packages) => knownAgainst(pool, packages),
      peers: await peersOf(row.name, deps),
    },
    (step) => deps.log.debug({ release: id }, step),
  );
  const newer = await newerVersions(row, deps);
  const verdict = Buffer.from(canonical(await signedVerdict(result, deps)));
  await deps.result(async (client) => {
    const { reportDigest, surfaceDigest, maintainers, closure } = result;
    const found = { reportDigest, surfaceDigest, maintainers, newer, closureDigest: closure.digest };
    await insertRescan(client, id, { ...found, verdict, judgedFrom: null });
    await markJudged(client, id, standard);
    // What other bytes show is told beside it, and is not about what runs.
    if (closure.digest === row.closure?.digest) {
      // The same bytes may be listed better than the first time.
      await mapRelease(client, id, result.packages);
      await putAlarms(client, id, alarmsIn(approved, result.report, { '*': ['it was scanned again'] }));
    }
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
  if (!hasVersions(row.source)) return null;
  const offered = await deps.upstream(row).catch((error: unknown) => {
    deps.log.warn({ err: error, server: row.name }, 'upstream not reached');
    return null;
  });
  return offered && newerThan(row.version, offered).map(({ version }) => version);
}

function readReport(digest: string, { blobs }: Pick<Deps, 'blobs'>): Promise<Report> {
  return storedReport(digest, blobs);
}

/** Null for a release that nobody has to review again. */
export async function sinceApproval(row: ReleaseRow, deps: Deps): Promise<Since | null> {
  const newest = await newestRescan(deps.pool, row.id);
  if (row.report_digest === null || (newest === null && row.lapsed_at === null)) return null;
  const first = await readReport(row.report_digest, deps);
  const approved = { report: row.report_digest, scannedAt: first.scannedAt };
  const none = { checks: [], otherClosure: false, otherSurface: false, maintainers: null, newer: null };
  if (!newest) return { approved, newest: null, ...none };
  // The world is looked at by a scan alone; a judgement may be of other bytes than the scan found.
  const scan = await newestRescan(deps.pool, row.id, 'scan');
  const judgement = await newestRescan(deps.pool, row.id, 'judgement');
  const checks = new Map<string, Since['checks'][number]>();
  let second = first;
  for (const one of newest.judgedFrom === null ? [judgement, scan] : [scan, judgement]) {
    if (!one) continue;
    second = await readReport(one.reportDigest, deps);
    for (const check of otherChecks(first.checks, second.checks)) checks.set(check.id, check);
  }
  return {
    approved,
    newest: { report: newest.reportDigest, scannedAt: second.again?.at ?? second.scannedAt },
    checks: [...checks.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    otherClosure: scan !== null && scan.closureDigest !== row.closure?.digest,
    otherSurface: scan !== null && scan.surfaceDigest !== row.surface_digest,
    maintainers: otherPeople(row.maintainers, scan?.maintainers ?? null),
    newer: scan?.newer ? [...scan.newer] : null,
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

/** Checks that end otherwise in the second, or fire for something else. */
export function otherChecks(first: readonly CheckResult[], second: readonly CheckResult[]): Since['checks'] {
  const [before, after] = [first, second].map((list) => new Map(list.map((check) => [check.id, check])));
  const ids = [...new Set([...first, ...second].map(({ id }) => id))].sort();
  return ids.flatMap((id) => {
    const [a, b] = [before?.get(id), after?.get(id)];
    if (a && b && said(a) === said(b)) return [];
    return [{ id, title: b?.title ?? a?.title ?? id, before: a?.outcome ?? null, after: b?.outcome ?? null }];
  });
}
