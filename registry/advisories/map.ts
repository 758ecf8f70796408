/** From advisories to releases: which is affected through which of its packages, told once, and malware revoked. */
import { isAffected } from '../../scanner/advisories/match.ts';
import { type Advisory, familiesOf } from '../../scanner/advisories/record.ts';
import type { Named } from '../../scanner/installed/package.ts';
import type { KnownAdvisories } from '../../scanner/ports.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  advisoriesOf,
  dropHits,
  familiesMissing,
  type Hit,
  insertHits,
  insertPackages,
  type Meeting,
  meetings,
  meetingsOf,
  newestAdvisory,
  storeAdvisories,
  takeTurn,
} from '../db/advisories.ts';
import { dropSkips } from '../db/advisory-feeds.ts';
import { affecting, hold, infected, locksNaming } from '../db/affected.ts';
import { queueChanged } from '../db/judgements.ts';
import { type Client, withTransaction } from '../db/pool.ts';
import { insertEvent } from '../db/records.ts';
import { findRelease, type ReleaseRow } from '../db/releases.ts';
import { revokedToday } from '../db/revocations.ts';
import type { Deps } from '../deps.ts';
import { unsigned, withdraw } from '../revocations.ts';
import { SELF } from '../root.ts';

/**
 * Stores advisories and maps those that are new or newer, in one transaction: an advisory that is there has been mapped, and
 * what it is about is to be judged again.
 * Returns how many were stored.
 */
export async function takeIn({ pool }: Pick<Deps, 'pool'>, advisories: readonly Advisory[]): Promise<number> {
  if (advisories.length === 0) return 0;
  return withTransaction(pool, async (client) => {
    await takeTurn(client);
    const stored = await storeAdvisories(client, newestEach(advisories));
    if (stored.length === 0) return 0;
    await dropSkips(client, stored);
    const hits = hitsOf(await meetings(client, { advisories: stored }));
    const dropped = await dropHits(client, stored, hits);
    await tell(client, await insertHits(client, hits));
    await queueChanged(client, [...new Set([...dropped, ...hits.map(({ releaseId }) => releaseId)])]);
    return stored.length;
  });
}

/** The packages of a release that was just scanned, and what is known against them. In the transaction that stores the scan. */
export async function mapRelease(
  client: Client,
  releaseId: string,
  packages: readonly Named[],
): Promise<void> {
  await takeTurn(client);
  await insertPackages(client, releaseId, packages);
  await tell(client, await insertHits(client, hitsOf(await meetings(client, { release: releaseId }))));
}

/** What a scan is judged by. */
export async function knownAgainst(client: Client, packages: readonly Named[]): Promise<KnownAdvisories> {
  const found = hitsOf((await meetingsOf(client, packages)).map((row) => ({ ...row, release_id: '' })));
  const purls = new Map(found.map((hit) => [hit.advisory, [...hit.purls]]));
  const known = await advisoriesOf(client, [...purls.keys()]);
  const newest = await newestAdvisory(client);
  const missing = await familiesMissing(client, familiesOf(packages));
  return { newest, missing, affecting: known.map((one) => ({ ...one, purls: purls.get(one.id) ?? [] })) };
}

function newestEach(advisories: readonly Advisory[]): Advisory[] {
  const newest = new Map<string, Advisory>();
  for (const one of advisories) {
    const other = newest.get(one.id);
    if (!other || other.modified < one.modified) newest.set(one.id, one);
  }
  return [...newest.values()];
}

/** One hit for each release and advisory that do meet, with every package through which they do. */
function hitsOf(rows: readonly Meeting[]): Hit[] {
  const met = Map.groupBy(
    rows.filter((row) => isAffected(row.version, row)),
    (row) => `${row.release_id} ${row.advisory}`,
  );
  return [...met.values()].flatMap((list) => {
    const [first] = list;
    const purls = [...new Set(list.map(({ purl }) => purl))].sort();
    return first ? [{ releaseId: first.release_id, advisory: first.advisory, purls }] : [];
  });
}

/** An event for each pair of release and advisory, the first time. */
async function tell(
  client: Client,
  pairs: readonly { releaseId: string; advisory: string }[],
): Promise<void> {
  const ids = [...new Set(pairs.map(({ releaseId }) => releaseId))];
  const known = await affecting(client, ids);
  const locks = await locksNaming(client, ids);
  for (const { releaseId, advisory } of pairs) {
    const row = await findRelease(client, releaseId);
    const one = known.get(releaseId)?.find(({ id }) => id === advisory);
    if (!row || !one) continue;
    await insertEvent(client, {
      person: SELF,
      action: 'advisory.affects',
      subject: `${row.name}@${row.version}`,
      detail: {
        advisory,
        kind: one.kind,
        severity: one.severity,
        purls: one.purls,
        locks: locks.get(releaseId) ?? [],
      },
    });
  }
}

/** What became of the releases that hold known malware, each `server@version`. */
export interface Outcome {
  readonly revoked: string[];
  /** Left to a person. */
  readonly held: string[];
}

/**
 * Revokes every release in use that holds known malware, where the policy says so, up to the most of a day: whoever writes
 * the feed could else take everything down at once. What is beyond is held, and told, until a person decides. What a run
 * before this one left is taken up; a release that somebody else withdrew meanwhile is theirs.
 */
export async function revokeInfected(deps: Pick<Deps, 'pool' | 'policy' | 'log'>): Promise<Outcome> {
  const { pool, policy, log } = deps;
  const outcome: Outcome = { revoked: [], held: [] };
  if (!policy.advisories.revokeMalware) return outcome;
  for (const one of await infected(pool)) {
    const row = await findRelease(pool, one.id);
    if (!row) continue;
    const subject = `${row.name}@${row.version}`;
    try {
      await revokeFor(row, one, deps);
      outcome.revoked.push(subject);
    } catch (error) {
      const { code } = asLockkeeperError(error);
      if (code === 'RATE_LIMITED') {
        await holdFor(row, one, deps);
        outcome.held.push(subject);
      } else if (code !== 'STATE_CONFLICT') throw error;
      else log.debug({ release: one.id, advisory: one.advisory }, 'withdrawn by somebody else meanwhile');
    }
  }
  return outcome;
}

type Infected = Awaited<ReturnType<typeof infected>>[number];

async function revokeFor(
  row: ReleaseRow,
  { advisory, summary, purls }: Infected,
  { pool, policy }: Pick<Deps, 'pool' | 'policy'>,
): Promise<void> {
  const where =
    purls.length > 3 ? `${purls.slice(0, 3).join(', ')} and ${purls.length - 3} more` : purls.join(', ');
  const reason = `known malware: ${advisory} in ${quote(where, 400)}: ${quote(summary, 100)}`.slice(0, 1000);
  await withdraw(pool, row, {
    reason,
    person: SELF,
    stated: unsigned(row, reason, SELF),
    detail: { advisory, purls },
    allow: (client) => assertFew(client, policy.advisories.maxRevocations),
  });
}

async function assertFew(client: Client, most: number): Promise<void> {
  const count = await revokedToday(client, SELF);
  if (count <= most) return;
  throw new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most} releases revoked in a day without a person`,
    found: 'one more',
    next: 'Look at what is known and revoke it with: lk revoke',
  });
}

async function holdFor(
  row: ReleaseRow,
  { advisory, purls }: Infected,
  { pool, policy, log }: Pick<Deps, 'pool' | 'policy' | 'log'>,
): Promise<void> {
  const subject = `${row.name}@${row.version}`;
  await withTransaction(pool, async (client) => {
    if (!(await hold(client, row.id))) return;
    const detail = { advisory, purls, most: policy.advisories.maxRevocations };
    await insertEvent(client, { person: SELF, action: 'advisory.held', subject, detail });
  });
  log.warn({ release: subject, advisory }, 'known malware is held: a person has to decide');
}

/** What a person is told of a release that is held. */
export function heldSentence(
  { name, version }: Pick<ReleaseRow, 'name' | 'version'>,
  { advisories: { maxRevocations: most } }: Deps['policy'],
): string {
  return `Known malware, held: the registry revokes at most ${most} releases in a day by itself, so that a feed that lies cannot take everything down; look at it, and revoke it with: lk revoke ${name}@${version}`;
}
