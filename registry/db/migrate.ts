/** Numbered SQL files, applied once each, whoever starts first. */
import { readdirSync, readFileSync } from 'node:fs';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Pool, withTransaction } from './pool.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Any number will do, as long as all registries take the same. */
const LOCK = 7_411_001;

/** Applies what is missing, under an advisory lock. Throws DATABASE_NEWER when the database knows more than this code. */
export async function migrate(pool: Pool): Promise<number> {
  const files = new Map(
    readdirSync(FOLDER)
      .filter((name) => /^\d{4}_.*\.sql$/.test(name))
      .sort()
      .map((name) => [Number(name.slice(0, 4)), name]),
  );
  return withTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      'create table if not exists migrations (number integer primary key, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ number: number }>('select number from migrations order by number');
    const have = new Set(rows.map(({ number }) => number));
    const strange = rows.find(({ number }) => !files.has(number));
    if (strange) {
      throw new LockkeeperError('DATABASE_NEWER', {
        expected: `a database of version ${Math.max(...files.keys())} or older`,
        found: `version ${Math.max(...have)}`,
        next: 'Run the newer Lockkeeper that made it',
      });
    }
    const missing = [...files].filter(([number]) => !have.has(number));
    for (const [number, name] of missing) {
      await client.query('insert into migrations (number) values ($1)', [number]);
      await client.query(readFileSync(new URL(name, FOLDER), 'utf8'));
    }
    return missing.length;
  });
}
