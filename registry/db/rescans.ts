/** Second looks at approved releases. Append-only; the newest counts. */
import type { Client } from './pool.ts';

export interface Rescan {
  readonly reportDigest: string;
  readonly closureDigest: string;
  readonly surfaceDigest: string;
  readonly maintainers: readonly string[] | null;
  readonly newer: readonly string[] | null;
}

export async function insertRescan(client: Client, releaseId: string, rescan: Rescan): Promise<void> {
  await client.query(
    'insert into rescans (release_id, report_digest, closure_digest, surface_digest, maintainers, newer) values ($1, $2, $3, $4, $5, $6)',
    [
      releaseId,
      rescan.reportDigest,
      rescan.closureDigest,
      rescan.surfaceDigest,
      rescan.maintainers,
      rescan.newer,
    ],
  );
}

export async function newestRescan(client: Client, releaseId: string): Promise<Rescan | null> {
  const { rows } = await client.query<Rescan>(
    `select report_digest as "reportDigest", closure_digest as "closureDigest", surface_digest as "surfaceDigest", maintainers, newer
     from rescans where release_id = $1 order by id desc limit 1`,
    [releaseId],
  );
  return rows[0] ?? null;
}
