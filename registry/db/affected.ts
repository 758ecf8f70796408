/** What affects which releases now, and which projects' locks name them. */
import type { AffectedLock, Affecting } from '../../schemas/advisory.ts';
import type { Severity } from '../../schemas/finding.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import { IN_USE } from './advisories.ts';
import type { Client } from './pool.ts';

interface AffectingRow {
  readonly release_id: string;
  readonly id: string;
  readonly kind: Affecting['kind'];
  readonly severity: Severity | null;
  readonly summary: string;
  readonly modified: Date;
  readonly purls: string[];
}

/** What affects these releases now, the gravest first. */
export async function affecting(
  client: Client,
  releaseIds: readonly string[],
): Promise<Map<string, Affecting[]>> {
  const { rows } = await client.query<AffectingRow>(
    `select h.release_id, a.id, a.kind, a.severity, a.summary, a.modified, h.purls
     from release_advisories h join advisories a on a.id = h.advisory
     where h.release_id = any($1) and h.gone_at is null
     order by a.kind = 'malware' desc, array_position('{critical,high,medium,low,info}'::text[], a.severity), a.id`,
    [releaseIds],
  );
  const found = new Map<string, Affecting[]>();
  for (const { release_id: releaseId, modified, ...rest } of rows) {
    const list = found.get(releaseId) ?? [];
    found.set(releaseId, list);
    list.push({ ...rest, modified: modified.toISOString() });
  }
  return found;
}

/** Releases in use that anything affects; oldest first. */
export async function affectedIds(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `select r.id from releases r where r.state = any($1)
       and exists (select 1 from release_advisories h where h.release_id = r.id and h.gone_at is null) order by r.id`,
    [IN_USE],
  );
  return rows.map(({ id }) => id);
}

export interface ReleaseHead {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: ReleaseState;
}

export async function releaseHeads(client: Client, ids: readonly string[]): Promise<ReleaseHead[]> {
  const { rows } = await client.query<ReleaseHead>(
    'select id, name, version, state from releases where id = any($1) order by id',
    [ids],
  );
  return rows;
}

/** Ids by `server@version`, of those that are not rejected. */
export async function releaseIdsOf(
  client: Client,
  releases: readonly { server: string; version: string }[],
): Promise<Map<string, string>> {
  const { rows } = await client.query<ReleaseHead>(
    `select distinct r.id, r.name, r.version from unnest($1::text[], $2::text[]) as l (name, version)
     join releases r on r.name = l.name and r.version = l.version and r.state <> 'rejected'`,
    [releases.map(({ server }) => server), releases.map(({ version }) => version)],
  );
  return new Map(rows.map(({ id, name, version }) => [`${name}@${version}`, id]));
}

/** Releases that may be run and hold known malware that nobody was asked about. */
export async function infected(
  client: Client,
): Promise<{ id: string; advisory: string; summary: string; purls: string[] }[]> {
  const { rows } = await client.query<{ id: string; advisory: string; summary: string; purls: string[] }>(
    `select distinct on (r.id) r.id, h.advisory, a.summary, h.purls
     from release_advisories h join releases r on r.id = h.release_id join advisories a on a.id = h.advisory
     where h.gone_at is null and h.held_at is null and a.kind = 'malware' and r.state in ('approved', 'deprecated') order by r.id, h.advisory`,
  );
  return rows;
}

/** Leaves the known malware of a release to a person; false where that was done before. */
export async function hold(client: Client, releaseId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `update release_advisories h set held_at = now() from advisories a
     where h.release_id = $1 and a.id = h.advisory and a.kind = 'malware' and h.gone_at is null and h.held_at is null`,
    [releaseId],
  );
  return (rowCount ?? 0) > 0;
}

/** Releases that may be run although they hold known malware, because a person has to decide. */
export async function heldReleases(client: Client): Promise<Omit<ReleaseHead, 'state'>[]> {
  const { rows } = await client.query<ReleaseHead>(
    `select r.id, r.name, r.version from releases r where r.state in ('approved', 'deprecated') and exists
       (select 1 from release_advisories h where h.release_id = r.id and h.gone_at is null and h.held_at is not null)
     order by r.id`,
  );
  return rows;
}

/** What a policy may let a lock last at most. */
const LONGEST_DAYS = 14;

/** The newest lock of each project and its older ones that have not expired, where they name one of these releases. */
export async function locksNaming(
  client: Client,
  releaseIds: readonly string[],
): Promise<Map<string, AffectedLock[]>> {
  const found = new Map<string, AffectedLock[]>();
  if (releaseIds.length === 0) return found;
  const { rows } = await client.query<{ id: string; project: string; version: number }>(
    `with recent as (
         select l.audience, l.version, convert_from(l.file, 'utf8')::jsonb -> 'lock' as lock,
           l.version = max(l.version) over (partition by l.audience) as newest
         from locks l where l.issued_at > now() - interval '${LONGEST_DAYS} days'
           or l.version = (select max(n.version) from locks n where n.audience = l.audience)),
       named as materialized (
         select distinct n.audience, n.version, s.value ->> 'server' as server, s.value ->> 'version' as release
         from recent n, jsonb_each(n.lock -> 'servers') s where n.newest or (n.lock ->> 'expires')::timestamptz > now())
     select r.id, n.audience as project, n.version from named n
       join releases r on r.name = n.server and r.version = n.release where r.id = any($1) order by n.audience, n.version`,
    [releaseIds],
  );
  for (const { id, ...lock } of rows) found.set(id, [...(found.get(id) ?? []), lock]);
  return found;
}
