/** Choosing a release for a request. Pure. */
import semver from 'semver';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { IntentServer } from '../schemas/intent.ts';
import type { Launch, Permissions } from '../schemas/release.ts';
import type { ReleaseRow } from './db/releases.ts';

/** The highest approved version in the range. Throws LOCK_UNRESOLVED naming what there is. */
export function pickRelease(alias: string, request: IntentServer, rows: readonly ReleaseRow[]): ReleaseRow {
  const unresolved = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('LOCK_UNRESOLVED', {
      expected,
      found,
      next: 'Change the range in lockkeeper.json, or ask reviewers for an approval: lk review',
    });
  if (semver.validRange(request.range) === null)
    throw unresolved(`a semver range for ${alias}`, quote(request.range));
  const approved = rows.filter((row) => row.name === request.server && row.state === 'approved');
  const fitting = approved.filter(
    (row) =>
      semver.valid(row.version) !== null &&
      (request.range === '*' || semver.satisfies(row.version, request.range)),
  );
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

/** What a project asks for beside a version has to be among what was approved. Throws LOCK_UNRESOLVED. */
export function assertPermitted(
  alias: string,
  request: IntentServer,
  approved: { permissions: Permissions; launch: Launch },
): void {
  const { permissions, launch } = approved;
  const targets = permissions.mounts.map((mount) => mount.target);
  const beyond = [
    ...Object.keys(request.mounts ?? {})
      .filter((target) => !targets.includes(target))
      .map((target) => `the mount ${target}`),
    ...(request.env ?? [])
      .filter((name) => !permissions.env.includes(name))
      .map((name) => `the variable ${name}`),
    ...((request.args?.length ?? 0) > 0 && !launch.projectArgs
      ? [`the arguments ${(request.args ?? []).join(' ')}`]
      : []),
  ];
  if (beyond.length === 0) return;
  throw new LockkeeperError('LOCK_UNRESOLVED', {
    expected: `${alias} to ask for what was approved: mounts ${targets.join(', ') || 'none'}, variables ${permissions.env.join(', ') || 'none'}, ${launch.projectArgs ? 'any' : 'no'} arguments`,
    found: beyond.join(', '),
    next: 'Change lockkeeper.json, or publish the release with these permissions',
  });
}
