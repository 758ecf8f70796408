/** A scanned release's row, in the words approvals and locks use. */
import type { ApprovedFacts } from '../runtime/trust/approval.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { ReleaseRow } from './db/releases.ts';

/** Throws STATE_CONFLICT for a release that was not scanned. */
export function factsOfRow(row: ReleaseRow): ApprovedFacts {
  const { closure, launch, surface_digest: surfaceDigest, report_digest: reportDigest } = row;
  if (!closure || !launch || surfaceDigest === null || reportDigest === null) {
    throw new LockkeeperError('STATE_CONFLICT', {
      expected: 'a release that was scanned',
      found: `one that is ${row.state}`,
      next: 'Wait for the scan',
    });
  }
  const { name, version, purl, submission, requested_by: requestedBy, provenance } = row;
  return {
    name,
    version,
    purl,
    closure,
    surfaceDigest,
    reportDigest,
    permissions: submission.permissions,
    launch,
    ...(provenance === null ? {} : { provenance }),
    requestedBy,
  };
}
