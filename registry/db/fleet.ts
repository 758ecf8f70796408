/** What runs where, as runtimes last said it. What was not heard of for a day is gone. */
import { type FleetItem, type FleetReport, SILENT_S } from '../../schemas/fleet.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import type { Client } from './pool.ts';

/** Replaces what this person said of this runtime before. */
export async function putInstances(client: Client, by: string, report: FleetReport): Promise<void> {
  const { runtime, host, instances, more = 0 } = report;
  await client.query('delete from fleet where reported_by = $1 and runtime = $2', [by, runtime]);
  if (instances.length === 0) return;
  const column = <T>(of: (instance: FleetReport['instances'][number]) => T): T[] => instances.map(of);
  await client.query(
    `insert into fleet (reported_by, runtime, host, unlisted, id, server, version, closure_digest, state, since, lock, lock_version, project, person, driver)
     select $1, $2, $3, $4, * from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::text[], $12::int[], $13::text[], $14::text[], $15::text[])`,
    [
      by,
      runtime,
      host,
      more,
      column(({ id }) => id),
      column(({ server }) => server),
      column(({ version }) => version),
      column(({ closureDigest }) => closureDigest),
      column(({ state }) => state),
      column(({ since }) => since),
      column(({ lock }) => lock),
      column(({ lockVersion }) => lockVersion),
      column(({ project }) => project),
      column(({ user }) => user),
      column(({ driver }) => driver),
    ],
  );
}

/** Instances that this person reported of other runtimes than this one; nobody else adds any until the transaction ends. */
export async function countOthers(client: Client, by: string, runtime: string): Promise<number> {
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 13))', [by]);
  const { rows } = await client.query<{ count: string }>(
    'select count(*) from fleet where reported_by = $1 and runtime <> $2',
    [by, runtime],
  );
  return Number(rows[0]?.count ?? 0);
}

interface Row {
  readonly id: string;
  readonly runtime: string;
  readonly host: string;
  readonly server: string;
  readonly version: string;
  readonly closure_digest: string;
  readonly state: FleetItem['state'];
  readonly since: Date;
  readonly lock: string;
  readonly lock_version: number;
  readonly project: string;
  readonly person: string;
  readonly driver: string;
  readonly reported_by: string;
  readonly seen_at: Date;
  readonly release: ReleaseState | null;
}

const COLUMNS =
  'id, runtime, host, server, version, closure_digest, since, lock, lock_version, project, person, driver, reported_by, seen_at'
    .split(', ')
    .map((name) => `f.${name}`)
    .join(', ');

/** By server, version and host. */
export async function listInstances(
  client: Client,
  { server, state, limit }: { server: string | null; state: string | null; limit: number },
): Promise<FleetItem[]> {
  const { rows } = await client.query<Row>(
    `select * from (
       select ${COLUMNS}, case when seen_at < now() - make_interval(secs => $4) then 'unknown' else f.state end as state,
         (select r.state from releases r where r.name = f.server and r.version = f.version
            and r.closure_digest = f.closure_digest and r.state <> 'rejected') as release
       from fleet f where seen_at > now() - interval '1 day' and ($1::text is null or server = $1)
     ) shown where ($2::text is null or state = $2)
     order by server, version, host, runtime, id limit $3`,
    [server, state, limit, SILENT_S],
  );
  return rows.map((row) => ({
    id: row.id,
    server: row.server,
    version: row.version,
    closureDigest: row.closure_digest,
    state: row.state,
    since: row.since.toISOString(),
    lock: row.lock,
    lockVersion: row.lock_version,
    project: row.project,
    user: row.person,
    driver: row.driver,
    runtime: row.runtime,
    host: row.host,
    reportedBy: row.reported_by,
    lastSeen: row.seen_at.toISOString(),
    release: row.release,
  }));
}

/** How many instances runtimes said that they keep beside those they listed. */
export async function countUnlisted(client: Client): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select coalesce(sum(most), 0) as count from (
       select max(unlisted) as most from fleet where seen_at > now() - interval '1 day' group by reported_by, runtime
     ) each`,
  );
  return Number(rows[0]?.count ?? 0);
}

export async function forgetInstances(client: Client): Promise<void> {
  await client.query(`delete from fleet where seen_at <= now() - interval '1 day'`);
}
