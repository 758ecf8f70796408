/** How much there is of what: the few figures that whoever runs a registry watches. */
import type { Pool } from './pool.ts';

export interface DatabaseFigures {
  readonly jobs: readonly {
    readonly task: string;
    readonly state: 'waiting' | 'running' | 'failed';
    readonly count: number;
    /** Seconds for which the oldest of them is due. */
    readonly due: number;
  }[];
  readonly releases: readonly { readonly state: string; readonly count: number }[];
  readonly people: number;
}

/** Counts are of indexes and of a queue that is short; nothing here reads a table that grows with calls. */
export async function databaseFigures(pool: Pool): Promise<DatabaseFigures> {
  const jobs = await pool.query<DatabaseFigures['jobs'][number]>(
    `select task_identifier as task,
       case when locked_at is not null then 'running' when attempts >= max_attempts then 'failed' else 'waiting' end as state,
       count(*)::int as count,
       greatest(0, extract(epoch from now() - min(run_at)))::float8 as due
     from graphile_worker.jobs group by 1, 2 order by 1, 2`,
  );
  const releases = await pool.query<DatabaseFigures['releases'][number]>(
    'select state, count(*)::int as count from releases group by state order by state',
  );
  const people = await pool.query<{ count: number }>(
    'select count(*)::int as count from people where left_at is null',
  );
  return { jobs: jobs.rows, releases: releases.rows, people: people.rows[0]?.count ?? 0 };
}
