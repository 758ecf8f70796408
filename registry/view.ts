/** A release as it is told. */
import type { TrustedRoot } from '../runtime/trust/root.ts';
import type { Release } from '../schemas/release.ts';
import type { ReleaseRow } from './db/releases.ts';
import { reviewBy } from './standing.ts';

export function viewOf(row: ReleaseRow, trusted: TrustedRoot): Release {
  return {
    id: Number(row.id),
    name: row.name,
    version: row.version,
    purl: row.purl,
    source: row.source,
    description: row.description,
    state: row.state,
    reason: row.reason,
    requestedBy: row.requested_by,
    submittedAt: row.submitted_at.toISOString(),
    changedAt: row.changed_at.toISOString(),
    permissions: row.submission.permissions,
    launch: row.launch,
    closure: row.closure,
    surfaceDigest: row.surface_digest,
    reportDigest: row.report_digest,
    formerPackage: row.former_package,
    reviewBy: reviewBy(row, trusted, new Date())?.toISOString() ?? null,
    lapsedAt: row.lapsed_at?.toISOString() ?? null,
    approvals: row.approvals.map(({ digest, person, environments, accepts, expires, deltaFrom }) => ({
      digest,
      person,
      environments,
      accepts,
      expires,
      deltaFrom: deltaFrom?.version ?? null,
    })),
  };
}
