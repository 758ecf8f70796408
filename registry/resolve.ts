/** Choosing a release for a request. Pure. */
import semver from 'semver';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { IntentServer } from '../schemas/intent.ts';
import { inRange } from '../schemas/request.ts';
import type { ReleaseRow } from './db/releases.ts';

/** The highest approved version in the range. Throws LOCK_UNRESOLVED naming what there is. */
export function pickRelease(alias: string, request: IntentServer, rows: readonly ReleaseRow[]): ReleaseRow {
  const unresolved = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('LOCK_UNRESOLVED', {
      expected,
      found,
      next: `Change the range in lockkeeper.json, ask reviewers for an approval (lk review), or do without it: lk remove ${alias}`,
    });
  if (semver.validRange(request.range) === null)
    throw unresolved(`a semver range for ${alias}`, quote(request.range));
  const approved = rows.filter((row) => row.name === request.server && row.state === 'approved');
  const fitting = approved.filter((row) => inRange(row.version, request.range));
  const [best] = fitting.sort((a, b) => semver.rcompare(a.version, b.version));
  if (best) return best;
  const revoked = rows
    .filter((row) => row.name === request.server && row.state === 'revoked')
    .map((row) => `${row.version} (revoked)`);
  const known = [...approved.map((row) => row.version), ...revoked];
  throw unresolved(
    `an approved release of ${request.server} in ${request.range}, for ${alias}`,
    known.length ? `only ${known.join(', ')}` : 'none at all',
  );
}
