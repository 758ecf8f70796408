/**
 * What becomes of approved servers where they come from, asked politely: newer versions are submitted as candidates, and a
 * name that means other bytes than it did, or nothing any more, is told.
 */
import semver from 'semver';
import { purlOfSubmission } from '../scanner/submission.ts';
import type { Offered, Pointed, WatchPorts } from '../scanner/watch/ports.ts';
import { hasName, hasVersions, hostOf, offeredAt, pointedAt } from '../scanner/watch/watch.ts';
import { asLockkeeperError, type Code } from '../schemas/errors.ts';
import { Submission } from '../schemas/release.ts';
import { assertValid } from '../schemas/validate.ts';
import { withTransaction } from './db/pool.ts';
import { insertEvent } from './db/records.ts';
import { isKnown, listReleases, type ReleaseRow } from './db/releases.ts';
import { dropLooks, type Look, lookAt, putLook, type What } from './db/upstream-looks.ts';
import type { ScanDeps } from './deps.ts';
import { SCHEDULE } from './owners.ts';
import { politely } from './polite.ts';
import { SELF } from './root.ts';
import { submit } from './routes/releases.ts';

/** Questions asked at the same time, over all hosts; fewer of each. */
const AT_ONCE = 8;
const MANNERS = { atOnce: 2, pauseMs: 100 };
const MOST_CHARS = 1000;

/** Why a candidate of the schedule is left alone: it is here, or nobody answers for the server any more. */
const UNWANTED: ReadonlySet<Code> = new Set(['RELEASE_EXISTS', 'SERVER_ORPHANED', 'SOURCE_CHANGED']);

/** Asks with manners. Both throw SOURCE_UNREACHABLE and SOURCE_INVALID. */
export function upstreamOf(ports: WatchPorts): Pick<ScanDeps, 'upstream' | 'pointer'> {
  const polite = politely(MANNERS);
  return {
    upstream: async (release) => {
      const host = await hostOf(release.source, ports);
      const offered = await polite(host, () => offeredAt(release, ports));
      return offered.map(({ version, source }) => ({
        version,
        source: typeof source === 'string' ? source : () => polite(host, source),
      }));
    },
    pointer: async (release, kept) =>
      polite(await hostOf(release.source, ports), () => pointedAt(release, kept, ports)),
  };
}

/** Asked for by the registry itself, with the permissions approved last. Returns how many were submitted. */
export async function watchUpstream(deps: ScanDeps): Promise<number> {
  const approved = await listReleases(deps.pool, { state: 'approved', limit: 100_000 });
  const newest = new Map<string, ReleaseRow>();
  for (const row of approved) {
    const other = newest.get(row.name);
    if (semver.valid(row.version) === null || !hasVersions(row.source)) continue;
    if (!other || semver.gt(row.version, other.version)) newest.set(row.name, row);
  }
  const rows = [...newest.values()];
  await dropLooks(
    deps.pool,
    rows.map(({ id }) => id),
  );
  let submitted = 0;
  const questions = [
    ...rows.map((row) => async () => {
      if (await watchVersions(row, deps)) submitted++;
    }),
    ...approved.filter(({ source }) => hasName(source)).map((row) => () => watchName(row, deps)),
  ].values();
  const worker = async (): Promise<void> => {
    for (const ask of questions) await ask();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return submitted;
}

/** Whether a candidate was submitted. */
async function watchVersions(row: ReleaseRow, deps: ScanDeps): Promise<boolean> {
  const asked = async (): Promise<Pick<Submission, 'source' | 'version'> | null> => {
    const candidate = newestOf(await deps.upstream(row), row.version);
    // What reviewers turned down does not come back by itself.
    if (candidate === null || (await isKnown(deps.pool, row.name, candidate.version))) return null;
    const { version, source } = candidate;
    const wanted = { version, source: typeof source === 'string' ? source : await source() };
    // What others call their versions may fit no release: that is a reason for one server, and no end for all.
    const submission = { ...row.submission, ...wanted };
    purlOfSubmission(assertValid(Submission, submission, `the newest of ${row.name}`, 'SOURCE_INVALID'));
    return wanted;
  };
  const found = await asked().catch((error: unknown) => problemOf(row, error, deps));
  const problem = typeof found === 'string' ? found : null;
  await keep(row, { what: 'versions', state: null, found: null, kept: null, problem }, deps);
  if (found === null || typeof found === 'string') return false;
  const submission: Submission = { ...row.submission, ...found };
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

/** What runs is what was approved; who moved a name had a hand on the place that it comes from. */
async function watchName(row: ReleaseRow, deps: ScanDeps): Promise<void> {
  const before = await lookAt(deps.pool, row.id, 'name');
  const found: Pointed | string = await deps
    .pointer(row, before?.kept ?? null)
    .catch((error: unknown) => problemOf(row, error, deps));
  const { state = null, found: was = null, kept = null } = before ?? {};
  await keep(
    row,
    typeof found === 'string'
      ? { what: 'name', state, found: was, kept, problem: found }
      : { what: 'name', state: found.state, found: found.found, kept: found.keep, problem: null },
    deps,
  );
}

/** Unknown, with its reason. Throws what is no answer of a place or a lack of one. */
function problemOf(row: ReleaseRow, error: unknown, { log }: Pick<ScanDeps, 'log'>): string {
  const { message } = asLockkeeperError(error);
  log.warn({ err: error, server: row.name }, 'upstream not reached');
  return message.slice(0, MOST_CHARS);
}

const TOLD = { moved: 'upstream.moved', gone: 'upstream.gone', same: 'upstream.back' } as const;

/** An event for each change, and one for a problem however often it is met. */
async function keep(
  row: ReleaseRow,
  look: Look & { readonly what: What },
  { pool }: Pick<ScanDeps, 'pool'>,
): Promise<void> {
  await withTransaction(pool, async (client) => {
    const before = await lookAt(client, row.id, look.what);
    await putLook(client, row.id, look);
    const person = SELF;
    const subject = `${row.name}@${row.version}`;
    const { state, found, problem, what } = look;
    const again = state === 'moved' && found !== before?.found;
    const told = state !== null && (state !== (before?.state ?? 'same') || again);
    if (told) await insertEvent(client, { person, action: TOLD[state], subject, detail: { found } });
    if (problem !== null && (before?.problem ?? null) === null)
      await insertEvent(client, { person, action: 'upstream.unknown', subject, detail: { what, problem } });
  });
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
