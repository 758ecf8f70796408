/** The Merkle log's rows. Appending takes a lock for the transaction, so that indexes neither skip nor repeat. */
import { leafHash, type NodeAt, nodeHash } from '../../schemas/merkle.ts';
import type { Client } from './pool.ts';

const LOCK = 7_411_004;

export async function logSize(client: Client): Promise<number> {
  const { rows } = await client.query<{ size: string }>(
    'select coalesce(max(index) + 1, 0) as size from log_entries',
  );
  return Number(rows[0]?.size ?? 0);
}

/** Adds entries in order and every subtree that they complete. Returns the index of the first. */
export async function appendEntries(client: Client, entries: readonly Uint8Array[]): Promise<number> {
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
  const first = await logSize(client);
  const nodes = new Map<string, Buffer>();
  const left = await leftSiblings(client, first);
  const put = (level: number, index: number, hash: Buffer): void => {
    nodes.set(`${level} ${index}`, hash);
    if (index % 2 === 0) return;
    const sibling = nodes.get(`${level} ${index - 1}`) ?? left.get(`${level} ${index - 1}`);
    if (sibling) put(level + 1, (index - 1) / 2, nodeHash(sibling, hash));
  };
  for (const [offset, entry] of entries.entries()) put(0, first + offset, leafHash(entry));
  await client.query(
    'insert into log_entries (index, entry) select $1 + n - 1, entry from unnest($2::bytea[]) with ordinality as e (entry, n)',
    [first, entries.map((entry) => Buffer.from(entry))],
  );
  const places = [...nodes.keys()].map((key) => key.split(' '));
  await client.query(
    'insert into log_nodes (level, index, hash) select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])',
    [places.map(([level]) => level), places.map(([, index]) => index), [...nodes.values()]],
  );
  return first;
}

/** The complete subtrees at the right edge of a tree of this size: what new leaves are joined with. */
async function leftSiblings(client: Client, size: number): Promise<Map<string, Buffer>> {
  const edge: NodeAt[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2))
    if (rest % 2 === 1) edge.push({ level, index: rest - 1 });
  return nodesAt(client, edge);
}

/** Hashes by `level index`. Throws nothing: what is not there is not in the map. */
export async function nodesAt(client: Client, places: readonly NodeAt[]): Promise<Map<string, Buffer>> {
  const { rows } = await client.query<{ level: number; index: string; hash: Buffer }>(
    'select n.level, n.index, n.hash from log_nodes n join unnest($1::smallint[], $2::bigint[]) as w (level, index) using (level, index)',
    [places.map(({ level }) => level), places.map(({ index }) => index)],
  );
  return new Map(rows.map(({ level, index, hash }) => [`${level} ${index}`, hash]));
}

export async function entriesFrom(client: Client, start: number, count: number): Promise<Buffer[]> {
  const { rows } = await client.query<{ entry: Buffer }>(
    'select entry from log_entries where index >= $1 and index < $1 + $2 order by index',
    [start, count],
  );
  return rows.map(({ entry }) => entry);
}

/** Where these leaves are in the log, by their hash in hex; the first place of each. */
export async function leafIndexes(client: Client, leaves: readonly Buffer[]): Promise<Map<string, number>> {
  const { rows } = await client.query<{ hash: Buffer; index: string }>(
    'select hash, min(index) as index from log_nodes where level = 0 and hash = any($1) group by hash',
    [leaves],
  );
  return new Map(rows.map(({ hash, index }) => [hash.toString('hex'), Number(index)]));
}

export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

export async function newestCheckpoint(client: Client): Promise<StoredCheckpoint | null> {
  const { rows } = await client.query<{ size: string; root: Buffer; note: string }>(
    'select size, root, note from log_checkpoints order by size desc limit 1',
  );
  return rows[0] ? { ...rows[0], size: Number(rows[0].size) } : null;
}

export async function insertCheckpoint(client: Client, checkpoint: StoredCheckpoint): Promise<void> {
  await client.query(
    'insert into log_checkpoints (size, root, note) values ($1, $2, $3) on conflict (size) do nothing',
    [checkpoint.size, checkpoint.root, checkpoint.note],
  );
}
