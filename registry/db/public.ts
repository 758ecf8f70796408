/** What the public registry API may see: releases that were approved. */
import type { Client } from './pool.ts';
import { COLUMNS, type ReleaseRow } from './releases.ts';

export interface PublicFilter {
  readonly search: string | null;
  /** An exact version; `latest` is filtered by the caller. */
  readonly version: string | null;
  readonly updatedSince: string | null;
  readonly deleted: boolean;
  readonly after: readonly [string, string] | null;
  readonly limit: number;
}

/** In the order of (name, version), so that pages stay true while rows come in. */
export async function listPublic(client: Client, filter: PublicFilter): Promise<ReleaseRow[]> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r
     where r.state = any($1) and ($2::text is null or position(lower($2) in lower(r.name)) > 0) and ($3::text is null or r.version = $3)
       and ($4::timestamptz is null or r.changed_at >= $4) and ($5::text is null or (r.name, r.version) > ($5, $6))
     order by r.name, r.version limit $7`,
    [
      states(filter.deleted),
      filter.search,
      filter.version === 'latest' ? null : filter.version,
      filter.updatedSince,
      filter.after?.[0] ?? null,
      filter.after?.[1] ?? null,
      filter.limit,
    ],
  );
  return rows;
}

export async function versionsOf(client: Client, name: string, deleted: boolean): Promise<ReleaseRow[]> {
  const { rows } = await client.query<ReleaseRow>(
    `select ${COLUMNS} from releases r where r.name = $1 and r.state = any($2)`,
    [name, states(deleted)],
  );
  return rows;
}

function states(deleted: boolean): string[] {
  return deleted ? ['approved', 'deprecated', 'revoked'] : ['approved', 'deprecated'];
}
