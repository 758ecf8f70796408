/** New versions of approved servers: asked of their package registries, politely, and submitted as candidates. */
import semver from 'semver';
import { packageOf } from '../scanner/closure.ts';
import type { NpmOptions } from '../scanner/ports.ts';
import type { PypiOptions } from '../scanner/pypi/options.ts';
import { pypiVersions } from '../scanner/pypi/versions.ts';
import { upstreamVersions } from '../scanner/upstream.ts';
import { asLockkeeperError, type Code } from '../schemas/errors.ts';
import { isPypiSource, pypiRefOf } from '../schemas/pypi.ts';
import type { Submission } from '../schemas/release.ts';
import { isKnown, listReleases, type ReleaseRow } from './db/releases.ts';
import type { ScanDeps } from './deps.ts';
import { SCHEDULE } from './owners.ts';
import { politely } from './polite.ts';
import { submit } from './routes/releases.ts';
import { isUnwatched } from './whereabouts.ts';

/** A version that a package registry has, as releases name it, and the source that it would come from. */
export interface Offered {
  readonly version: string;
  readonly source: string;
}

/** Packages asked about at the same time, over all hosts; fewer of each. */
const AT_ONCE = 8;
const MANNERS = { atOnce: 2, pauseMs: 100 };

/** Why a candidate of the schedule is left alone: it is here, or nobody answers for the server any more. */
const UNWANTED: ReadonlySet<Code> = new Set(['RELEASE_EXISTS', 'SERVER_ORPHANED', 'SOURCE_CHANGED']);

/** What the package's own registry offers beside this source. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
export function upstreamOf(npm: NpmOptions, pypi: () => Promise<PypiOptions>): ScanDeps['upstream'] {
  const polite = politely(MANNERS);
  return async (source) => {
    if (isPypiSource(source)) {
      const options = await pypi();
      const { name } = pypiRefOf(source);
      const refs = await polite(options.indexes[0] ?? '', () => pypiVersions(name, options));
      return refs.map(({ release, version }) => ({ version: release, source: `pypi:${name}@${version}` }));
    }
    const { name } = packageOf(source);
    const [scope = ''] = name.split('/');
    const host = String(npm[`${scope}:registry`] ?? npm.registry ?? '');
    const versions = await polite(host, () => upstreamVersions(name, npm));
    return versions.map((version) => ({ version, source: `npm:${name}@${version}` }));
  };
}

/** Asked for by the registry itself, with the permissions approved last. Returns how many were submitted. */
export async function watchUpstream(deps: ScanDeps): Promise<number> {
  const approved = await listReleases(deps.pool, { state: 'approved', limit: 100_000 });
  const newest = new Map<string, ReleaseRow>();
  for (const row of approved) {
    const other = newest.get(row.name);
    if (semver.valid(row.version) === null || isUnwatched(row.source)) continue;
    if (!other || semver.gt(row.version, other.version)) newest.set(row.name, row);
  }
  const queue = newest.values();
  let submitted = 0;
  const worker = async (): Promise<void> => {
    for (const row of queue) if (await watchOne(row, deps)) submitted++;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return submitted;
}

/** Whether a candidate was submitted. */
async function watchOne(row: ReleaseRow, deps: ScanDeps): Promise<boolean> {
  const offered = await deps.upstream(row.source).catch((error: unknown) => {
    deps.log.warn({ err: error, server: row.name }, 'upstream not reached');
    return [];
  });
  const candidate = newestOf(offered, row.version);
  // What reviewers turned down does not come back by itself.
  if (candidate === null || (await isKnown(deps.pool, row.name, candidate.version))) return false;
  const submission: Submission = { ...row.submission, ...candidate };
  return submit(deps.pool, submission, SCHEDULE).then(
    () => true,
    (error: unknown) => {
      const { code, message } = asLockkeeperError(error);
      if (!UNWANTED.has(code)) throw error;
      if (code !== 'RELEASE_EXISTS') deps.log.warn({ server: row.name }, message);
      return false;
    },
  );
}

/** The highest version above `current`; pre-releases only for those who run one. */
export function newestOf(offered: readonly Offered[], current: string): Offered | null {
  const stable = semver.prerelease(current) === null;
  const above = newerThan(current, offered).filter(
    ({ version }) => !stable || semver.prerelease(version) === null,
  );
  return above[0] ?? null;
}

/** What is above this version, the highest first. */
export function newerThan(current: string, offered: readonly Offered[]): Offered[] {
  return offered
    .filter(({ version }) => semver.valid(version) === version && semver.gt(version, current))
    .sort((a, b) => semver.rcompare(a.version, b.version));
}
