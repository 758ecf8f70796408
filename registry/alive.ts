/**
 * Workers that are alive hold a lock of the database each, on a connection of their process: it falls with the process,
 * however that ends. Jobs of workers without one are given back, so that a job that died with its worker is tried again at
 * once; the queue by itself would wait for hours.
 */
import type { PoolClient } from 'pg';
import type { Logger } from 'pino';
import type { Pool } from './db/pool.ts';

/** Any number will do, as long as all registries take the same. */
const CLASS = 7_411_018;
const LOCK_OF = (id: string): string => `hashtext(${id}) & 2147483647`;
/** A job that was taken in the last moment may be of a worker whose lock is about to be taken. */
export const GRACE_MS = 15_000;

export interface Alive {
  /** The workers of this process, as the queue knows them by one name. */
  add(id: string): void;
  stop(): Promise<void>;
}

export interface AliveOptions {
  readonly log: Logger;
  readonly graceMs?: number;
}

/**
 * Looks twice within each `graceMs`, until it is stopped. Who is missing is gone only when a later look,
 * at least a quarter of that after, misses it too: who lost a connection alone has a new one by then.
 */
export function keepAlive(pool: Pool, { log, graceMs = GRACE_MS }: AliveOptions): Alive {
  const workers = new Set<string>();
  const held = new Set<string>();
  let missing: ReadonlyMap<string, number> = new Map();
  let client: PoolClient | null = null;
  let timer: NodeJS.Timeout | undefined;
  let soon: NodeJS.Timeout | undefined;
  let stopped = false;
  const lost = (): void => {
    client?.release(true);
    client = null;
    held.clear();
  };
  const look = async (): Promise<void> => {
    if (client === null) {
      const mine = await pool.connect();
      client = mine;
      mine.once('error', () => {
        if (client !== mine) return;
        lost();
        if (!stopped) running = running.then(quietly);
      });
    }
    for (const id of workers) {
      if (held.has(id)) continue;
      await client.query(`select pg_advisory_lock_shared($1, ${LOCK_OF('$2')})`, [CLASS, id]);
      held.add(id);
    }
    const unseen = await unvouched(client, graceMs);
    const now = performance.now();
    missing = new Map(unseen.map((worker) => [worker, missing.get(worker) ?? now]));
    const dead = unseen.filter((worker) => now - (missing.get(worker) ?? now) >= graceMs / 4);
    if (dead.length > 0) await client.query('select graphile_worker.force_unlock_workers($1)', [dead]);
    if (dead.length > 0) log.warn({ workers: dead }, 'jobs of workers that are gone are tried again');
  };
  const quietly = (): Promise<void> =>
    look().catch((error: unknown) => {
      log.warn({ err: error }, 'workers were not looked after');
      lost();
      if (stopped) return;
      clearTimeout(soon);
      soon = setTimeout(() => {
        running = running.then(quietly);
      }, graceMs / 16);
    });
  let running = Promise.resolve();
  const beat = (): void => {
    running = running.then(quietly).then(() => {
      if (!stopped) timer = setTimeout(beat, graceMs / 2);
    });
  };
  beat();
  return {
    add: (id) => {
      workers.add(id);
      running = running.then(quietly);
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(soon);
      await running;
      lost();
    },
  };
}

/** Workers that have jobs and nobody vouches for. */
async function unvouched(client: PoolClient, graceMs: number): Promise<string[]> {
  const { rows } = await client.query<{ worker: string }>(
    `select distinct j.locked_by as worker from graphile_worker.jobs j
     where j.locked_at < now() - $1 * interval '1 millisecond' and not exists (
       select 1 from pg_locks l join pg_database d on d.oid = l.database
       where l.locktype = 'advisory' and l.granted and l.objsubid = 2 and d.datname = current_database()
         and l.classid = $2::bigint::oid and l.objid = (${LOCK_OF('j.locked_by')})::bigint::oid)`,
    [graceMs, CLASS],
  );
  return rows.map(({ worker }) => worker);
}
