/** Up to where each ecosystem of the feed was read, and which of its records could not be. */
import type { Client } from './pool.ts';

/** The newest `modified` up to which everything was read; null before the first time. */
export async function feedNewest(client: Client, ecosystem: string): Promise<string | null> {
  const { rows } = await client.query<{ newest: Date }>(
    'select newest from advisory_feeds where ecosystem = $1',
    [ecosystem],
  );
  return rows[0]?.newest.toISOString() ?? null;
}

/** Only forwards, whoever comes last. */
export async function feedRead(client: Client, ecosystem: string, newest: string): Promise<void> {
  await client.query(
    `insert into advisory_feeds (ecosystem, newest) values ($1, $2)
     on conflict (ecosystem) do update set newest = greatest(advisory_feeds.newest, excluded.newest), read_at = now()`,
    [ecosystem, newest],
  );
}

export interface Skip {
  readonly id: string;
  readonly modified: string;
  readonly reason: string;
}

export async function insertSkips(client: Client, ecosystem: string, skips: readonly Skip[]): Promise<void> {
  await client.query(
    `insert into advisory_skips (ecosystem, id, modified, reason)
     select distinct on (s.id) $1, s.id, s.modified, s.reason from unnest($2::text[], $3::timestamptz[], $4::text[]) as s (id, modified, reason)
     on conflict (ecosystem, id) do update set modified = excluded.modified, reason = excluded.reason`,
    [
      ecosystem,
      skips.map(({ id }) => id),
      skips.map(({ modified }) => modified),
      skips.map(({ reason }) => reason),
    ],
  );
}

/** What could not be read and did not change since is not asked for again. */
export async function skippedAmong(
  client: Client,
  ecosystem: string,
  listed: readonly { id: string; modified: string }[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `select k.id from advisory_skips k join unnest($2::text[], $3::timestamptz[]) as l (id, modified) on l.id = k.id
     where k.ecosystem = $1 and k.modified >= l.modified`,
    [ecosystem, listed.map(({ id }) => id), listed.map(({ modified }) => modified)],
  );
  return new Set(rows.map(({ id }) => id));
}

export async function dropSkips(client: Client, ids: readonly string[]): Promise<void> {
  await client.query('delete from advisory_skips where id = any($1)', [ids]);
}
