/** Numbered SQL files, applied once each, whoever starts first. */
import { readdirSync, readFileSync } from 'node:fs';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Pool, withTransaction } from './pool.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Any number will do, as long as all registries take the same. */
const LOCK = 7_411_001;

/**
 * Applies what is missing, under an advisory lock. Throws DATABASE_NEWER when the database knows more than this code, and
 * INTERNAL where two files have one number: only one of them would be applied, and which one a sort would decide.
 */
export async function migrate(pool: Pool, folder: URL = FOLDER): Promise<number> {
  const files = numbered(readdirSync(folder));
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
      await client.query(readFileSync(new URL(name, folder), 'utf8'));
    }
    return missing.length;
  });
}

/** In order of their numbers. */
function numbered(names: readonly string[]): Map<number, string> {
  const files = new Map<number, string>();
  for (const name of names.filter((one) => one.endsWith('.sql')).sort()) {
    const [, digits] = /^(\d{4})_.+\.sql$/.exec(name) ?? [];
    const other = files.get(Number(digits));
    if (digits === undefined || other !== undefined) {
      throw new LockkeeperError('INTERNAL', {
        expected: 'migrations called NNNN_NAME.sql, each with a number of its own',
        found: other === undefined ? name : `${other} and ${name}`,
        next: 'Give the newer one the next number that is free',
      });
    }
    files.set(Number(digits), name);
  }
  return files;
}
