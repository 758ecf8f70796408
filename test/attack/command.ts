/** The matrix as a command: a PostgreSQL of its own, all rows one after the other, one table or one object. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../cli/output.ts';
import { startEmbedded } from '../../registry/embedded.ts';
import { asked, counting, type Streams } from '../helpers/show.ts';
import { makeTemplate, type TestServer } from '../setup/postgres.ts';
import { rows } from './all.ts';
import { judge, type Row, type Verdict } from './row.ts';
import { openWorld } from './world.ts';

/** Attacks between two words about how far it is. */
const SAID_EVERY = 20;

/** Returns the exit code: 0 if every row holds, 1 if one does not, 2 for words it does not know. */
export async function runMatrix(words: readonly string[], streams: Streams): Promise<number> {
  const show = { name: 'attack', of: 'the attacks', names: rows.map(({ id }) => id) };
  const want = asked(words, show, streams);
  if (typeof want === 'number') return want;
  const { json } = want;
  const { out, say } = streams;
  const chosen = rows.filter(({ id }) => want.isWanted(id));
  const began = performance.now();
  say(`${chosen.length} attacks, before a database and keys of their own`);
  const tell = counting(say, chosen.length, SAID_EVERY);
  const verdicts = await withDatabase((database) => judgeAll(chosen, database, tell));
  const seconds = Math.round((performance.now() - began) / 100) / 10;
  const failed = verdicts.filter(({ held }) => !held);
  out(
    json
      ? `${JSON.stringify({ conclusion: failed.length === 0 ? 'ok' : 'broken', rows: verdicts.length, held: verdicts.length - failed.length, seconds, matrix: verdicts })}\n`
      : `${tableOf(verdicts)}\n\n${closing(verdicts, seconds)}\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

async function judgeAll(
  chosen: readonly Row[],
  database: TestServer,
  tell: (line: string) => void,
): Promise<Verdict[]> {
  const { world, close } = await openWorld(database);
  try {
    const verdicts: Verdict[] = [];
    for (const row of chosen) {
      tell(row.id);
      verdicts.push(await judge(row, world));
    }
    return verdicts;
  } finally {
    await close();
  }
}

async function withDatabase<T>(run: (database: TestServer) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'lk-pg-'));
  await chmod(dir, 0o755);
  try {
    const embedded = await startEmbedded({ dir: join(dir, 'e'), progress: () => undefined, durable: false });
    try {
      const { host, user } = embedded.connection as { host: string; user: string };
      const database = { name: 'embedded PostgreSQL', host, user };
      await makeTemplate(database);
      return await run(database);
    } finally {
      await embedded.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function tableOf(verdicts: readonly Verdict[]): string {
  return table(
    ['ID', 'ATTACKER HAS', 'ATTACK', 'REFUSED BY', 'CODE', 'HELD'],
    verdicts.map(({ id, attacker, attack, refusedBy, code, held, found, note }) => [
      id,
      attacker,
      attack,
      refusedBy,
      code,
      held ? ['yes', note].filter((part) => part !== '').join('; ') : `NO: ${found}`,
    ]),
  );
}

function closing(verdicts: readonly Verdict[], seconds: number): string {
  const open = verdicts.filter(({ held }) => !held).map(({ id }) => id);
  const count = `${verdicts.length} ${verdicts.length === 1 ? 'attack' : 'attacks'}`;
  if (open.length === 0)
    return `All ${count} were refused by the code that names them, with nothing else done, and went through without the attack (${seconds} s).`;
  return `${open.length} of ${count} did not hold: ${open.join(', ')} (${seconds} s).`;
}
