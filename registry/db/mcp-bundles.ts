/** Bundles that were handed in, and the room that uploads take. */
import type { Client } from './pool.ts';

/** What takes room until then: a bundle that no release names, or an upload. */
export interface Held {
  readonly person: string;
  readonly bytes: number;
  readonly until: Date;
  readonly upload: boolean;
}

/** A release that was rejected does not keep its bundle; what is in a closure stays, whatever became of the release. */
const UNNAMED = `not exists (select 1 from releases r where r.source like 'mcpb:%' and right(r.source, 71) = b.digest and r.state <> 'rejected')
  and not exists (select 1 from release_blobs k where k.digest = b.digest)`;

/** All of it, in the order in which it ends. Others who ask wait until this transaction is over. */
export async function heldRoom(client: Client, keepMs: number): Promise<Held[]> {
  await client.query('lock table bundle_uploads in share row exclusive mode');
  const { rows } = await client.query<{ person: string; bytes: string; until: Date; upload: boolean }>(
    `select person, size as bytes, touched_at + $1 * interval '1 millisecond' as until, false as upload from bundles b where ${UNNAMED}
     union all select person, bytes, expires_at, true from bundle_uploads where expires_at > now() order by until`,
    [keepMs],
  );
  return rows.map((row) => ({ ...row, bytes: Number(row.bytes) }));
}

export async function insertUpload(
  client: Client,
  upload: { id: string; person: string; bytes: number; ms: number },
): Promise<void> {
  const { id, person, bytes, ms } = upload;
  await client.query(
    `insert into bundle_uploads values ($1, $2, $3, now() + $4 * interval '1 millisecond')`,
    [id, person, bytes, ms],
  );
}

/** Uploads that are not over, by id, once those that ended without a word are forgotten. */
export async function openUploads(client: Client): Promise<Set<string>> {
  await client.query('delete from bundle_uploads where expires_at <= now()');
  const { rows } = await client.query<{ id: string }>('select id from bundle_uploads');
  return new Set(rows.map(({ id }) => id));
}

/** Of whoever handed it in first. */
export async function putBundle(
  client: Client,
  bundle: { digest: string; size: number; person: string },
): Promise<void> {
  await client.query(
    'insert into bundles (digest, size, person) values ($1, $2, $3) on conflict (digest) do update set touched_at = now()',
    [bundle.digest, bundle.size, bundle.person],
  );
}

/** A sweep that looks at it meanwhile leaves it, or is over first. */
export async function touchBundle(client: Client, digest: string): Promise<void> {
  await client.query('update bundles set touched_at = now() where digest = $1', [digest]);
}

/** Takes rows of those that nothing names and nobody touched for so long: the files go in the same transaction. */
export async function takeUnnamed(
  client: Client,
  keepMs: number,
): Promise<{ digest: string; size: number; person: string }[]> {
  const { rows } = await client.query<{ digest: string; size: string; person: string }>(
    `delete from bundles b where touched_at <= now() - $1 * interval '1 millisecond' and ${UNNAMED} returning digest, size, person`,
    [keepMs],
  );
  return rows.map((row) => ({ ...row, size: Number(row.size) }));
}
