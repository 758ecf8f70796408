/** Rows of what witnesses signed. A witness is named by name and key hash. */
import type { StoredCheckpoint } from './log.ts';
import type { Client } from './pool.ts';

/** The first line of a witness for a size stays; another says nothing new. */
export async function insertCosignature(
  client: Client,
  row: { size: number; witness: string; line: string },
): Promise<void> {
  await client.query(
    'insert into log_cosignatures (size, witness, line) values ($1, $2, $3) on conflict (size, witness) do nothing',
    [row.size, row.witness, row.line],
  );
}

/** Lines below the checkpoint of this size, by witness. */
export async function cosignaturesOf(client: Client, size: number): Promise<Map<string, string>> {
  const { rows } = await client.query<{ witness: string; line: string }>(
    'select witness, line from log_cosignatures where size = $1 order by witness',
    [size],
  );
  return new Map(rows.map(({ witness, line }) => [witness, line]));
}

/** The largest size that a witness is known to have signed; 0 for none. */
export async function cosignedSize(client: Client, witness: string): Promise<number> {
  const { rows } = await client.query<{ size: string }>(
    'select coalesce(max(size), 0) as size from log_cosignatures where witness = $1',
    [witness],
  );
  return Number(rows[0]?.size ?? 0);
}

/** The newest checkpoint between two sizes that this many of these witnesses signed. */
export async function newestSigned(
  client: Client,
  by: { witnesses: readonly string[]; threshold: number; atLeast: number; atMost: number },
): Promise<StoredCheckpoint | null> {
  const { rows } = await client.query<{ size: string; root: Buffer; note: string }>(
    `select size, root, note from log_checkpoints c where size between $3 and $4 and $2 <= (
       select count(*) from log_cosignatures s where s.size = c.size and s.witness = any($1))
     order by size desc limit 1`,
    [by.witnesses, by.threshold, by.atLeast, by.atMost],
  );
  return rows[0] ? { ...rows[0], size: Number(rows[0].size) } : null;
}
