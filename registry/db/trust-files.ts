/** What came of the repository of trust files: its verified metadata, what it has, and how the last time ended. */
import type { Client } from './pool.ts';

/** By the digest of the root that the reading began with. */
export async function heldMetadata(client: Client, seed: string): Promise<Map<string, Buffer>> {
  const { rows } = await client.query<{ file: string; bytes: Buffer }>(
    'select file, bytes from trust_metadata where seed = $1',
    [seed],
  );
  return new Map(rows.map(({ file, bytes }) => [file, bytes]));
}

/** Digest of the root that the last reading began with; null where nothing was read. */
export async function lastSeed(client: Client): Promise<string | null> {
  const { rows } = await client.query<{ seed: string | null }>('select seed from trust_repository');
  return rows[0]?.seed ?? null;
}

/** Beside the state of a reading that was taken. */
export async function putSeed(client: Client, seed: string): Promise<void> {
  await client.query('update trust_repository set seed = $1', [seed]);
}

export async function putMetadata(
  client: Client,
  seed: string,
  metadata: ReadonlyMap<string, Buffer>,
): Promise<void> {
  await client.query('delete from trust_metadata where seed = $1', [seed]);
  await client.query(
    'insert into trust_metadata (seed, file, bytes) select $1, f.file, f.bytes from unnest($2::text[], $3::bytea[]) as f (file, bytes)',
    [seed, [...metadata.keys()], [...metadata.values()]],
  );
}

export interface TrustFileRow {
  readonly name: string;
  readonly target: string;
  readonly digest: string;
  readonly since: Date;
}

export async function listTrustFiles(client: Client): Promise<TrustFileRow[]> {
  const { rows } = await client.query<TrustFileRow>(
    'select name, target, digest, since from trust_files order by name',
  );
  return rows;
}

/** What the repository has is these files and no others. Returns those that are another than before. */
export async function putTrustFiles(
  client: Client,
  files: readonly Omit<TrustFileRow, 'since'>[],
): Promise<{ name: string; before: string | null }[]> {
  const before = new Map((await listTrustFiles(client)).map(({ name, digest }) => [name, digest]));
  await client.query('delete from trust_files where not (name = any($1))', [files.map(({ name }) => name)]);
  const changed = files.filter(({ name, digest }) => before.get(name) !== digest);
  for (const { name, target, digest } of changed)
    await client.query(
      `insert into trust_files (name, target, digest) values ($1, $2, $3)
       on conflict (name) do update set target = excluded.target, digest = excluded.digest, since = now()`,
      [name, target, digest],
    );
  return changed.map(({ name }) => ({ name, before: before.get(name) ?? null }));
}

export interface RepositoryRow {
  readonly repository: string | null;
  readonly asked_at: Date;
  readonly read_at: Date | null;
  readonly code: string | null;
  readonly problem: string | null;
}

/** Null before the first time. */
export async function repositoryState(client: Client): Promise<RepositoryRow | null> {
  const { rows } = await client.query<RepositoryRow>(
    'select repository, asked_at, read_at, code, problem from trust_repository',
  );
  return rows[0] ?? null;
}

/** How this time ended; when it was last read stays where it brought nothing. */
export async function putRepositoryState(
  client: Client,
  repository: string | null,
  problem: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  const read = repository !== null && problem === null;
  await client.query(
    `insert into trust_repository (repository, read_at, code, problem) values ($1, case when $2 then now() end, $3, $4)
     on conflict (one) do update set repository = excluded.repository, asked_at = now(),
       read_at = coalesce(excluded.read_at, trust_repository.read_at), code = excluded.code, problem = excluded.problem`,
    [repository, read, problem?.code ?? null, problem?.message.slice(0, 2000) ?? null],
  );
}
