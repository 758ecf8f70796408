/** What the schedule last saw of where approved releases come from. */
import type { Client } from './pool.ts';

export type What = 'versions' | 'name';
type State = 'same' | 'moved' | 'gone';

export interface Look {
  readonly state: State | null;
  readonly found: string | null;
  readonly kept: string | null;
  readonly problem: string | null;
}

/** Null before the first time. */
export async function lookAt(client: Client, releaseId: string, what: What): Promise<Look | null> {
  const { rows } = await client.query<Look>(
    'select state, found, kept, problem from upstream_looks where release_id = $1 and what = $2',
    [releaseId, what],
  );
  return rows[0] ?? null;
}

/** Instants stay while state, what was found and problem do: a name that is moved once more is another matter. */
export async function putLook(
  client: Client,
  releaseId: string,
  { what, state, found, kept, problem }: Look & { readonly what: What },
): Promise<void> {
  await client.query(
    `insert into upstream_looks as l (release_id, what, state, found, since, kept, problem, problem_since)
     values ($1, $2, $3, $4, case when $3::text is not null then now() end, $5, $6, case when $6::text is not null then now() end)
     on conflict (release_id, what) do update set state = excluded.state, found = excluded.found, kept = excluded.kept,
       problem = excluded.problem, asked_at = now(),
       since = case when l.state = excluded.state and (l.state = 'same' or l.found = excluded.found) then l.since else excluded.since end,
       problem_since = case when l.problem is not null and excluded.problem is not null then l.problem_since else excluded.problem_since end`,
    [releaseId, what, state, found, kept, problem],
  );
}

export interface OpenLook {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly problem: string;
  readonly since: Date;
}

/** Of approved releases: what could not be asked. */
export async function openLooks(client: Client): Promise<OpenLook[]> {
  const { rows } = await client.query<OpenLook>(
    `select r.id, r.name, r.version, l.problem, l.problem_since as since
     from upstream_looks l join releases r on r.id = l.release_id
     where r.state = 'approved' and l.problem is not null
     order by r.name, r.id, l.what`,
  );
  return rows;
}

/** Those that nobody asks any more: of a server, versions are asked for its newest release alone. */
export async function dropLooks(client: Client, newest: readonly string[]): Promise<void> {
  await client.query(`delete from upstream_looks where what = 'versions' and not (release_id = any($1))`, [
    newest,
  ]);
}
