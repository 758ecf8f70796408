/** Second looks at approved releases: scans, and judgements of what was kept of one. Append-only; the newest counts. */
import type { Client } from './pool.ts';

export interface Rescan {
  readonly reportDigest: string;
  readonly closureDigest: string;
  readonly surfaceDigest: string;
  readonly maintainers: readonly string[] | null;
  readonly newer: readonly string[] | null;
  /** The report whose evidence was judged again; null for a scan. */
  readonly judgedFrom: string | null;
  /** The scanner's envelope on the report; null from before such were signed. */
  readonly verdict: Buffer | null;
}

const COLUMNS = `report_digest as "reportDigest", closure_digest as "closureDigest", surface_digest as "surfaceDigest", maintainers, newer, judged_from as "judgedFrom", verdict`;

/** With its report among the blobs that may be handed out. */
export async function insertRescan(client: Client, releaseId: string, rescan: Rescan): Promise<void> {
  await client.query(
    'insert into rescans (release_id, report_digest, closure_digest, surface_digest, maintainers, newer, judged_from, verdict) values ($1, $2, $3, $4, $5, $6, $7, $8)',
    [
      releaseId,
      rescan.reportDigest,
      rescan.closureDigest,
      rescan.surfaceDigest,
      rescan.maintainers,
      rescan.newer,
      rescan.judgedFrom,
      rescan.verdict,
    ],
  );
  await client.query(
    'insert into release_blobs (digest, release_id) values ($1, $2) on conflict do nothing',
    [rescan.reportDigest, releaseId],
  );
}

/** The newest of all, or of one kind. */
export async function newestRescan(
  client: Client,
  releaseId: string,
  kind: 'any' | 'scan' | 'judgement' = 'any',
): Promise<Rescan | null> {
  const { rows } = await client.query<Rescan>(
    `select ${COLUMNS} from rescans where release_id = $1 and ($2 = 'any' or (judged_from is null) = ($2 = 'scan'))
     order by id desc limit 1`,
    [releaseId, kind],
  );
  return rows[0] ?? null;
}

/** The newest report on these very bytes; null where there is none but the first. */
export async function newestReportOn(
  client: Client,
  releaseId: string,
  closureDigest: string,
): Promise<string | null> {
  const { rows } = await client.query<{ digest: string }>(
    'select report_digest as digest from rescans where release_id = $1 and closure_digest = $2 order by id desc limit 1',
    [releaseId, closureDigest],
  );
  return rows[0]?.digest ?? null;
}
