/** What a scan leaves in the database. */
import type { Report } from '../../schemas/finding.ts';
import type { Closure, Launch } from '../../schemas/release.ts';
import type { Client } from './pool.ts';

export interface Scanned {
  readonly launch: Launch;
  readonly closure: Closure;
  readonly surfaceDigest: string;
  readonly surfaceText: string;
  readonly reportDigest: string;
  readonly verdict: Uint8Array;
  readonly maintainers: readonly string[] | null;
  readonly report: Pick<Report, 'origin'>;
}

/** Stores a scan and moves scanning -> in_review in one statement. */
export async function storeScan(client: Client, id: string, scanned: Scanned): Promise<boolean> {
  const { launch, closure, surfaceDigest, surfaceText, reportDigest, maintainers, verdict } = scanned;
  const provenance = scanned.report.origin?.provenance ?? null;
  const { rowCount } = await client.query(
    `update releases set state = 'in_review', reason = null, changed_at = now(), launch = $2, closure = $3, closure_digest = $4, surface_digest = $5, surface_text = $6, report_digest = $7, maintainers = $8, verdict = $9, provenance = $10
     where id = $1 and state = 'scanning'`,
    [
      id,
      JSON.stringify(launch),
      JSON.stringify(closure),
      closure.digest,
      surfaceDigest,
      surfaceText,
      reportDigest,
      maintainers,
      verdict,
      provenance && JSON.stringify(provenance),
    ],
  );
  if (rowCount !== 1) return false;
  const digests = [
    ...new Set([
      ...closure.artifacts.flatMap(({ sha256, built }) => [
        sha256,
        ...(built ? [built.source, ...built.requires].map((part) => part.sha256) : []),
      ]),
      ...[surfaceText, reportDigest],
    ]),
  ];
  await client.query(
    'insert into release_blobs (digest, release_id) select unnest($1::text[]), $2 on conflict do nothing',
    [digests, id],
  );
  return true;
}

export interface Orphan {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly state: string;
  /** The job whose last try is over; null without any. */
  readonly exhausted: string | null;
}

/** Releases that wait for a scan, and have no job that will be tried; held until the transaction is over. */
export async function orphanedReleases(client: Client): Promise<Orphan[]> {
  const { rows } = await client.query<Orphan>(
    `with jobs as (select j.id, j.payload ->> 'release' as release, j.locked_by is not null or j.attempts < j.max_attempts as alive
       from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id where t.identifier = 'scan')
     select r.id, r.name, r.version, r.state, (select max(j.id) from jobs j where j.release = r.id::text) as exhausted
     from releases r where r.state in ('submitted', 'scanning') and not exists (select 1 from jobs j where j.release = r.id::text and j.alive)
     order by r.id for update of r skip locked`,
  );
  return rows;
}
