/** Approvals of a difference: what they may rest on, and the full review they go back to. */
import { assertApproved, opened } from '../runtime/trust/approval.ts';
import type { TrustedRoot } from '../runtime/trust/root.ts';
import type { Approval, DeltaFrom } from '../schemas/approval.ts';
import { asLockkeeperError, refusing } from '../schemas/errors.ts';
import type { FullReview } from '../schemas/review.ts';
import type { Client } from './db/pool.ts';
import { approvalsOf, type ReleaseRow, scannedVersion } from './db/releases.ts';
import { factsOfRow } from './facts.ts';
import { packageKey } from './owners.ts';
import { counting, isStanding } from './standing.ts';

/** Chains longer than this are not followed to their end; no policy lets them come into being. */
const MOST_STEPS = 100;

export interface Chain {
  /** Differences between this release and the full review; Infinity where there is none. */
  readonly depth: number;
  readonly full: FullReview | null;
  /** Releases on the way, this one included. */
  readonly ids: ReadonlySet<string>;
}

/** Goes back to the release that as many people as the threshold read whole; along the longest way. */
export async function chainOf(
  client: Client,
  row: ReleaseRow,
  at: { threshold: number; seen?: ReadonlySet<string> },
): Promise<Chain> {
  const ids = new Set([...(at.seen ?? []), row.id]);
  const whole = row.approvals.filter(({ deltaFrom }) => deltaFrom === null);
  const by = [...new Set(whole.map(({ person }) => person))].sort();
  const last = whole
    .map(({ notBefore }) => notBefore)
    .sort()
    .at(-1);
  if (by.length >= at.threshold && last !== undefined)
    return { depth: 0, full: { version: row.version, at: last, by }, ids };
  let longest: Chain | null = null;
  const met = new Set(ids);
  const deltas = row.approvals.map(({ deltaFrom }) => deltaFrom).filter((one) => one !== null);
  for (const delta of new Map(deltas.map((one) => [one.version, one])).values()) {
    const base = await baseOf(client, row.name, delta);
    if (!base || ids.has(base.id) || ids.size > MOST_STEPS) return { depth: Infinity, full: null, ids: met };
    const chain = await chainOf(client, base, { threshold: at.threshold, seen: ids });
    for (const id of chain.ids) met.add(id);
    if (!longest || chain.depth > longest.depth) longest = chain;
  }
  if (!longest) return { depth: Infinity, full: null, ids: met };
  return { depth: longest.depth + 1, full: longest.full, ids: met };
}

async function baseOf(client: Client, name: string, delta: DeltaFrom): Promise<ReleaseRow | null> {
  const base = await scannedVersion(client, name, delta.version);
  return base?.closure?.digest === delta.closureDigest && base.surface_digest === delta.surfaceDigest
    ? base
    : null;
}

const refused = refusing('APPROVAL_DELTA', 'Read the whole release and approve it without --delta-from');

/** Another package under the same name is not a next version: nobody read the difference of two strangers. */
function assertSamePackage(row: ReleaseRow, base: ReleaseRow): void {
  const [is, was] = [packageKey(row.source), packageKey(base.source)];
  if (is !== was) throw refused(`a difference between two releases of ${is}`, `${base.version}, of ${was}`);
}

/** What a statement says of the release that somebody read the difference from. Throws APPROVAL_DELTA. */
export async function deltaOf(
  client: Client,
  row: ReleaseRow,
  { version, trusted }: { version: string; trusted: TrustedRoot },
): Promise<DeltaFrom> {
  const base = await scannedVersion(client, row.name, version);
  if (base?.state !== 'approved' || base.id === row.id)
    throw refused(
      `an approved release of ${row.name} other than ${row.version}`,
      base
        ? `${version}, which is ${base.id === row.id ? 'the same' : base.state}`
        : `${version}, which is not here`,
    );
  assertSamePackage(row, base);
  const { closure, surfaceDigest } = factsOfRow(base);
  const now = new Date();
  if (!isStanding(base, trusted, now))
    throw refused(`approvals of ${version} that suffice today`, 'too few under the root of today');
  const approvals = counting(base, trusted, now).map(({ digest }) => digest);
  return { version, closureDigest: closure.digest, surfaceDigest, approvals };
}

/**
 * 1 the base is an approved release of the same server and package, of those bytes and that surface; 2 the approvals named are its
 * own and suffice today for every environment asked for; 3 a full review is at most so many differences away, and the
 * way does not lead through this release. Holds the base as it is until the transaction ends. Throws APPROVAL_DELTA.
 */
export async function assertDelta(
  client: Client,
  row: ReleaseRow,
  at: { approval: Approval; trusted: TrustedRoot; maxDeltas: number },
): Promise<void> {
  const { deltaFrom: delta, environments } = at.approval.predicate;
  if (delta === undefined) return;
  const base = await baseOf(client, row.name, delta);
  const held = base
    ? await client.query(`select 1 from releases where id = $1 and state = 'approved' for share`, [base.id])
    : null;
  if (!base || base.id === row.id || held?.rowCount !== 1)
    throw refused(
      `a difference from an approved release of ${row.name}, of its bytes and surface`,
      `one from ${delta.version}, which is ${base ? base.state : 'not here as it is named'}`,
    );
  assertSamePackage(row, base);
  await assertCarried(client, base, { delta, environments, trusted: at.trusted });
  const { threshold } = at.trusted.root.roles.approver;
  const chain = await chainOf(client, base, { threshold });
  if (chain.ids.has(row.id))
    throw refused(
      'a chain of differences that ends in a full review',
      `one that comes back to ${row.version}`,
    );
  if (chain.depth + 1 <= at.maxDeltas) return;
  const found = Number.isFinite(chain.depth) ? `${chain.depth + 1} in a row` : 'no full review behind it';
  throw refused(`at most ${at.maxDeltas} differences since a full review`, found);
}

async function assertCarried(
  client: Client,
  base: ReleaseRow,
  {
    delta,
    environments,
    trusted,
  }: { delta: DeltaFrom; environments: readonly string[]; trusted: TrustedRoot },
): Promise<void> {
  const given = (await approvalsOf(client, base.id)).filter(({ digest }) => delta.approvals.includes(digest));
  const label = `${base.name} ${base.version}`;
  if (given.length !== new Set(delta.approvals).size || environments.length === 0)
    throw refused(
      `approvals of ${label} that are valid, for an environment at least`,
      `${given.length} of the ${delta.approvals.length} named, for ${environments.join(', ') || 'none'}`,
    );
  for (const environment of environments) {
    const scoped = given.filter(({ envelope }) =>
      opened(envelope, trusted)?.approval.predicate.environments.includes(environment),
    );
    const envelopes = scoped.map(({ envelope }) => envelope);
    try {
      assertApproved(envelopes, trusted, { facts: factsOfRow(base), environment, now: new Date() });
    } catch (error) {
      throw refused(`${label} approved for ${environment} today`, asLockkeeperError(error).found);
    }
  }
}
