/** Releases and their approvals. State moves by compare-and-set only. */
import type { DeltaFrom } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { Provenance } from '../../schemas/origin.ts';
import type { Closure, Launch, ReleaseState, Submission } from '../../schemas/release.ts';
import type { Client } from './pool.ts';

export interface ReleaseRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly source: string;
  readonly description: string;
  readonly state: ReleaseState;
  readonly reason: string | null;
  readonly requested_by: string;
  readonly submission: Submission;
  readonly launch: Launch | null;
  readonly closure: Closure | null;
  readonly surface_digest: string | null;
  readonly surface_text: string | null;
  readonly report_digest: string | null;
  /** The envelope of the scanner's verdict on that report. */
  readonly verdict: Buffer | null;
  readonly maintainers: string[] | null;
  readonly provenance: Provenance | null;
  readonly submitted_at: Date;
  readonly changed_at: Date;
  readonly former_package: string | null;
  readonly lapsed_at: Date | null;
  readonly approvals: readonly GivenApproval[];
}

/** An approval as its envelope says; whether its key counts is for the root to say. */
export interface GivenApproval {
  readonly digest: string;
  readonly person: string;
  readonly keyid: string;
  readonly environments: string[];
  readonly accepts: Record<string, string>;
  readonly notBefore: string;
  readonly expires: string;
  readonly deltaFrom: DeltaFrom | null;
}

/** What a statement says is read out of the stored envelope: columns beside it could be edited by themselves. */
export const APPROVALS = `coalesce((select jsonb_agg(jsonb_build_object('digest', a.digest, 'person', a.person, 'keyid', e.sealed #>> '{signatures,0,keyid}',
  'environments', s.said -> 'environments', 'accepts', s.said -> 'accepts', 'notBefore', s.said -> 'notBefore', 'expires', s.said -> 'expires', 'deltaFrom', s.said -> 'deltaFrom') order by a.given_at, a.digest)
  from approvals a, lateral (select convert_from(a.envelope, 'utf8')::jsonb as sealed offset 0) e,
    lateral (select convert_from(decode(e.sealed ->> 'payload', 'base64'), 'utf8')::jsonb -> 'predicate' as said offset 0) s
  where a.release_id = r.id), '[]')`;
export const COLUMNS = `r.*, ${APPROVALS} as approvals`;

export async function insertRelease(
  client: Client,
  submission: Submission,
  by: { person: string; purl: string; formerPackage: string | null },
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'insert into releases (name, version, purl, source, description, requested_by, submission, former_package) values ($1, $2, $3, $4, $5, $6, $7, $8) returning id',
    [
      submission.name,
      submission.version,
      by.purl,
      submission.source,
      submission.description,
      by.person,
      JSON.stringify(submission),
      by.formerPackage,
    ],
  );
  return rows[0]?.id ?? '';
}

export async function findRelease(client: Client, id: number | string): Promise<ReleaseRow | null> {
  const { rows } = await client.query<ReleaseRow>(`select ${COLUMNS} from releases r where r.id = $1`, [id]);
  return rows[0] ?? null;
}

export interface ReleaseFilter {
  readonly state?: string | undefined;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listReleases(client: Client, filter: ReleaseFilter): Promise<ReleaseRow[]> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r
     where ($1::text is null or r.state = $1) and ($2::text is null or r.name = $2) and ($3::text is null or r.version = $3) and ($4::bigint is null or r.id < $4)
     order by r.id desc limit $5`,
    [filter.state ?? null, filter.name ?? null, filter.version ?? null, filter.before ?? null, filter.limit],
  );
  return rows;
}

/** The newest approved release of each other server, by name; as many as told. */
export async function approvedBeside(client: Client, name: string, limit: number): Promise<ReleaseRow[]> {
  const { rows } = await client.query<ReleaseRow>(
    `select distinct on (r.name) ${COLUMNS} from releases r where r.state = 'approved' and r.name <> $1 order by r.name, r.id desc limit $2`,
    [name, limit],
  );
  return rows;
}

/** Releases that may be locked or were: approved, deprecated, revoked; all versions of all names given. */
export async function releasesNamed(
  client: Client,
  names: readonly string[],
  states: readonly ReleaseState[],
): Promise<ReleaseRow[]> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r where r.name = any($1) and r.state = any($2) order by r.id desc`,
    [names, states],
  );
  return rows;
}

/** The release of this server that was approved last, but for the one given; one that lapsed was approved as well. */
export async function lastApproved(
  client: Client,
  name: string,
  except: number | string,
): Promise<ReleaseRow | null> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r where r.name = $1 and r.id <> $2 and (r.state in ('approved', 'deprecated') or r.state = 'in_review' and r.lapsed_at is not null) order by (select max(a.given_at) from approvals a where a.release_id = r.id) desc nulls last, r.id desc limit 1`,
    [name, except],
  );
  return rows[0] ?? null;
}

/** Was this version submitted before, whatever became of it? */
export async function isKnown(client: Client, name: string, version: string): Promise<boolean> {
  const { rowCount } = await client.query('select 1 from releases where name = $1 and version = $2 limit 1', [
    name,
    version,
  ]);
  return rowCount === 1;
}

/** The release of this version that was scanned, whatever became of it. */
export async function scannedVersion(
  client: Client,
  name: string,
  version: string,
): Promise<ReleaseRow | null> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r where r.name = $1 and r.version = $2 and r.report_digest is not null order by r.id desc limit 1`,
    [name, version],
  );
  return rows[0] ?? null;
}

/** True when this caller moved it; false when it was in none of the states any more. */
export async function moveState(
  client: Client,
  id: number | string,
  move: { from: readonly ReleaseState[]; to: ReleaseState; reason?: string | null },
): Promise<boolean> {
  const { rowCount } = await client.query(
    'update releases set state = $3, reason = coalesce($4, reason), changed_at = now() where id = $1 and state = any($2)',
    [id, move.from, move.to, move.reason ?? null],
  );
  return rowCount === 1;
}

export async function isReleaseBlob(client: Client, digest: string): Promise<boolean> {
  const { rowCount } = await client.query('select 1 from release_blobs where digest = $1 limit 1', [digest]);
  return rowCount === 1;
}

export async function insertApproval(
  client: Client,
  approval: { digest: string; releaseId: number; person: string; envelope: Envelope; expires: string },
): Promise<void> {
  await client.query(
    'insert into approvals (digest, release_id, person, envelope, expires_at) values ($1, $2, $3, $4, $5)',
    [
      approval.digest,
      approval.releaseId,
      approval.person,
      Buffer.from(JSON.stringify(approval.envelope)),
      approval.expires,
    ],
  );
  await client.query(
    'insert into approval_envelopes (digest, envelope) select digest, envelope from approvals where digest = $1 on conflict do nothing',
    [approval.digest],
  );
}

/** Approval envelopes of a release, oldest first; ended ones only when asked for. */
export async function approvalsOf(
  client: Client,
  id: number | string,
  ended = false,
): Promise<{ digest: string; person: string; envelope: Envelope; expires: string }[]> {
  const { rows } = await client.query<{ digest: string; person: string; envelope: Buffer; expires_at: Date }>(
    'select digest, person, envelope, expires_at from approvals where release_id = $1 and ($2 or expires_at > now()) order by given_at, digest',
    [id, ended],
  );
  return rows.map(({ digest, person, envelope, expires_at: expires }) => ({
    digest,
    person,
    envelope: JSON.parse(envelope.toString('utf8')) as Envelope,
    expires: expires.toISOString(),
  }));
}

export async function deleteApproval(client: Client, digest: string): Promise<void> {
  await client.query('delete from approvals where digest = $1', [digest]);
}
