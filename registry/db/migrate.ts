/** Numbered SQL files, applied once each, whoever starts first. */
import { readdirSync, readFileSync } from 'node:fs';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Pool, withTransaction } from './pool.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Any number will do, as long as all registries take the same. */
const LOCK = 7_411_001;

/** Applies what is missing, under an advisory lock. Throws DATABASE_NEWER when the database knows more than this code. */
export async function migrate(pool: Pool): Promise<number> {
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .sort();
  return withTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      'create table if not exists migrations (number integer primary key, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ number: number }>(
      'select coalesce(max(number), 0) as number from migrations',
    );
    const have = rows[0]?.number ?? 0;
    const newest = files.length;
    if (have > newest) {
      throw new LockkeeperError('DATABASE_NEWER', {
        expected: `a database of version ${newest} or older`,
        found: `version ${have}`,
        next: 'Run the newer Lockkeeper that made it',
      });
    }
    for (let number = have + 1; number <= newest; number++) {
      await client.query('insert into migrations (number) values ($1)', [number]);
      await client.query(readFileSync(new URL(files[number - 1] ?? '', FOLDER), 'utf8'));
    }
    return newest - have;
  });
}
