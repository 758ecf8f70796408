/** The database as the registry sees it: a pool, clients and transactions. */
import pg from 'pg';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export type Client = pg.ClientBase | pg.Pool;
export type Pool = pg.Pool;

/** How to reach a server: a URL, or a socket folder and database. */
export type Connection =
  | { readonly connectionString: string }
  | { readonly host: string; readonly user: string; readonly database: string };

export function openPool(connection: Connection, max = 10): Pool {
  const pool = new pg.Pool({
    ...connection,
    max,
    connectionTimeoutMillis: 10_000,
    statement_timeout: 60_000,
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Runs `work` in one transaction: all of it, or nothing. */
export async function withTransaction<T>(
  pool: Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((cause: Error) => {
    throw new LockkeeperError('DATABASE_UNAVAILABLE', {
      expected: 'a connection to PostgreSQL',
      found: quote(cause.message),
      next: 'Check that it runs: lk doctor',
      cause,
    });
  });
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

/** PostgreSQL's code for a duplicate key. */
export function isDuplicate(error: unknown): boolean {
  return (error as { code?: string }).code === '23505';
}
