/** Advisories, the packages of releases, and which of the one affects which of the other. */

import { type Advisory, type Affects, nameIn } from '../../scanner/advisories/record.ts';
import type { Named } from '../../scanner/installed/package.ts';
import type { Affecting, FeedView } from '../../schemas/advisory.ts';
import { sha256 } from '../../schemas/json.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import type { Client } from './pool.ts';

const LOCK = 7_411_009;

/**
 * Storing advisories and storing a scan take turns until their transactions end: else each could miss what the other
 * brings.
 */
export async function takeTurn(client: Client): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
}

/** Of these, the ids that are not known here, or only as older. */
export async function changedAmong(
  client: Client,
  listed: readonly { id: string; modified: string }[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `select l.id from unnest($1::text[], $2::timestamptz[]) as l (id, modified)
     left join advisories a on a.id = l.id where a.id is null or a.modified < l.modified`,
    [listed.map(({ id }) => id), listed.map(({ modified }) => modified)],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Stores what is new or newer, one of each id at most; returns the ids stored. */
export async function storeAdvisories(client: Client, advisories: readonly Advisory[]): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `insert into advisories (id, modified, kind, summary, severity, withdrawn, record, digest)
     select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bytea[], $8::text[])
     on conflict (id) do update set modified = excluded.modified, kind = excluded.kind, summary = excluded.summary,
       severity = excluded.severity, withdrawn = excluded.withdrawn, record = excluded.record, digest = excluded.digest,
       stored_at = now() where advisories.modified < excluded.modified
     returning id`,
    [
      advisories.map(({ id }) => id),
      advisories.map(({ modified }) => modified),
      advisories.map(({ kind }) => kind),
      advisories.map(({ summary }) => summary),
      advisories.map(({ severity }) => severity),
      advisories.map(({ withdrawn }) => withdrawn),
      advisories.map(({ bytes }) => bytes),
      advisories.map(({ bytes }) => sha256(bytes)),
    ],
  );
  const stored = new Set(rows.map(({ id }) => id));
  await client.query('delete from advisory_affects where advisory = any($1)', [[...stored]]);
  await insertAffects(
    client,
    advisories.filter(({ id, withdrawn }) => stored.has(id) && !withdrawn),
  );
  return [...stored];
}

async function insertAffects(client: Client, advisories: readonly Advisory[]): Promise<void> {
  const rows = advisories.flatMap(({ id, affects }) => affects.map((one) => ({ advisory: id, ...one })));
  if (rows.length === 0) return;
  await client.query(
    `insert into advisory_affects (advisory, ecosystem, name, versions, ranges)
     select advisory, ecosystem, name, versions, ranges from jsonb_to_recordset($1::jsonb)
       as r (advisory text, ecosystem text, name text, versions text[], ranges jsonb)`,
    [JSON.stringify(rows)],
  );
}

/** Packages as columns. */
function columnsOf(packages: readonly Named[]): string[][] {
  return [
    packages.map(({ ecosystem }) => ecosystem),
    packages.map(({ ecosystem, name }) => nameIn(ecosystem, name)),
    packages.map(({ version }) => version),
    packages.map(({ purl }) => purl),
  ];
}

/** The packages of a release that was just scanned, in the same transaction. */
export async function insertPackages(
  client: Client,
  releaseId: string,
  packages: readonly Named[],
): Promise<void> {
  await client.query('delete from release_packages where release_id = $1', [releaseId]);
  await client.query(
    `insert into release_packages (release_id, ecosystem, name, version, purl)
     select $1::bigint, * from unnest($2::text[], $3::text[], $4::text[], $5::text[]) on conflict do nothing`,
    [releaseId, ...columnsOf(packages)],
  );
}

/** A package of a release beside an advisory about a package of that name. */
export interface Meeting extends Pick<Affects, 'ecosystem' | 'versions' | 'ranges'> {
  readonly release_id: string;
  readonly advisory: string;
  readonly version: string;
  readonly purl: string;
}

export const IN_USE: readonly ReleaseState[] = ['in_review', 'approved', 'deprecated'];

/** Of these advisories, or of one release; which releases they may affect. */
export async function meetings(
  client: Client,
  of: { readonly advisories: readonly string[] } | { readonly release: string },
): Promise<Meeting[]> {
  const advisories = 'advisories' in of ? of.advisories : null;
  const { rows } = await client.query<Meeting>(
    `select p.release_id, a.advisory, ecosystem, p.version, p.purl, a.versions, a.ranges
     from advisory_affects a join release_packages p using (ecosystem, name) join releases r on r.id = p.release_id
     where ${advisories ? 'a.advisory = any($1)' : 'p.release_id = $1'} and r.state = any($2)`,
    [advisories ?? ('release' in of ? of.release : null), IN_USE],
  );
  return rows;
}

/** Of these families, those of which there is no advisory that is about them alone: others come along with other feeds. */
export async function familiesMissing(client: Client, families: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ family: string }>(
    `select f as family from unnest($1::text[]) f where not exists (
       select 1 from advisory_affects a where split_part(a.ecosystem, ':', 1) = f and not exists (
         select 1 from advisory_affects b where b.advisory = a.advisory and split_part(b.ecosystem, ':', 1) <> f))
     order by f`,
    [families],
  );
  return rows.map(({ family }) => family);
}

/** Families of all packages of all releases. */
export async function familiesHeld(client: Client): Promise<Set<string>> {
  const { rows } = await client.query<{ family: string }>(
    `select distinct split_part(ecosystem, ':', 1) as family from release_packages`,
  );
  return new Set(rows.map(({ family }) => family));
}

export interface Hit {
  readonly releaseId: string;
  readonly advisory: string;
  readonly purls: readonly string[];
}

/** Remembers what affects what; returns the pairs that were never seen before. */
export async function insertHits(
  client: Client,
  hits: readonly Hit[],
): Promise<{ releaseId: string; advisory: string }[]> {
  if (hits.length === 0) return [];
  const { rows } = await client.query<{ release_id: string; advisory: string; fresh: boolean }>(
    `insert into release_advisories (release_id, advisory, purls)
     select release, advisory, purls from jsonb_to_recordset($1::jsonb) as h (release bigint, advisory text, purls text[])
     on conflict (release_id, advisory) do update set purls = excluded.purls, gone_at = null
     returning release_id, advisory, xmax = 0 as fresh`,
    [JSON.stringify(hits.map(({ releaseId, ...hit }) => ({ release: releaseId, ...hit })))],
  );
  return rows
    .filter(({ fresh }) => fresh)
    .map(({ release_id: releaseId, advisory }) => ({ releaseId, advisory }));
}

/** What these advisories affected, but for these pairs, they affect no longer: withdrawn, or about other versions now. Returns the releases. */
export async function dropHits(
  client: Client,
  advisories: readonly string[],
  hits: readonly Hit[],
): Promise<string[]> {
  const { rows } = await client.query<{ release_id: string }>(
    `update release_advisories h set gone_at = now(), held_at = null from releases r
     where h.advisory = any($1) and h.gone_at is null and r.id = h.release_id and r.state = any($2)
       and not exists (select 1 from unnest($3::bigint[], $4::text[]) as k (release_id, advisory)
         where k.release_id = h.release_id and k.advisory = h.advisory)
     returning h.release_id`,
    [advisories, IN_USE, hits.map(({ releaseId }) => releaseId), hits.map(({ advisory }) => advisory)],
  );
  return rows.map(({ release_id }) => release_id);
}

/** The same for packages that are being scanned, which are no release's yet. */
export async function meetingsOf(
  client: Client,
  packages: readonly Named[],
): Promise<Omit<Meeting, 'release_id'>[]> {
  const { rows } = await client.query<Omit<Meeting, 'release_id'>>(
    `select a.advisory, ecosystem, p.version, p.purl, a.versions, a.ranges
     from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as p (ecosystem, name, version, purl)
     join advisory_affects a using (ecosystem, name)`,
    columnsOf(packages),
  );
  return rows;
}

/** Of these ids, as they are known; `purls` is the caller's to fill. */
export async function advisoriesOf(
  client: Client,
  ids: readonly string[],
): Promise<Omit<Affecting, 'purls'>[]> {
  const { rows } = await client.query<Omit<Affecting, 'purls' | 'modified'> & { modified: Date }>(
    'select id, kind, severity, summary, modified from advisories where id = any($1) order by id',
    [ids],
  );
  return rows.map(({ modified, ...rest }) => ({ ...rest, modified: modified.toISOString() }));
}

/** The newest `modified` of any; null when there are none. */
export async function newestAdvisory(client: Client): Promise<string | null> {
  const { rows } = await client.query<{ newest: Date | null }>(
    'select max(modified) as newest from advisories',
  );
  return rows[0]?.newest?.toISOString() ?? null;
}

/** How new and how much what is known is. */
export async function feedView(client: Client): Promise<FeedView> {
  const { rows } = await client.query<{ advisories: string; skipped: string }>(
    `select (select count(*) from advisories) as advisories, (select count(*) from advisory_skips) as skipped`,
  );
  const [row] = rows;
  return {
    newest: await newestAdvisory(client),
    advisories: Number(row?.advisories ?? 0),
    skipped: Number(row?.skipped ?? 0),
  };
}
