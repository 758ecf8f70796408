/** The transparency log at 10^6 entries: appends and proofs, beside what PostgreSQL alone does for one insert. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appendEntries } from '../registry/db/log.ts';
import { migrate } from '../registry/db/migrate.ts';
import { openPool, type Pool, withTransaction } from '../registry/db/pool.ts';
import { startEmbedded } from '../registry/embedded.ts';
import { checkpoint, consistencyProof, inclusionProof } from '../registry/log.ts';
import { type Logged, logEntryBytes } from '../schemas/log.ts';
import type { BenchResult } from './main.ts';
import { quantile } from './measure.ts';

const ENTRIES = 1_000_000;
const BATCH = 2000;
const ROUNDS = 500;

export async function log(): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-bench-'));
  chmodSync(dir, 0o755);
  const database = await startEmbedded({ dir: join(dir, 'postgres'), progress: () => undefined });
  const pool = openPool(database.connection, 8);
  try {
    await migrate(pool);
    await pool.query('create table plain (index bigserial primary key, entry bytea not null)');
    const seconds = await fill(pool);
    return await measure(pool, seconds);
  } finally {
    await pool.end();
    await database.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function entry(index: number): Buffer {
  const digest: Logged['digest'] = `sha256:${createHash('sha256').update(`${index}`).digest('hex')}`;
  return logEntryBytes({ kind: 'approval', subject: `acme.tools/weather@1.0.${index}`, digest });
}

async function fill(pool: Pool): Promise<number> {
  const from = performance.now();
  for (let at = 0; at < ENTRIES; at += BATCH) {
    const entries = Array.from({ length: BATCH }, (_, index) => entry(at + index));
    await withTransaction(pool, (client) => appendEntries(client, entries));
    if (at % 100_000 === 0) process.stderr.write(`${at} of ${ENTRIES} entries\n`);
  }
  await pool.query('vacuum analyze log_nodes');
  await pool.query('vacuum analyze log_entries');
  return (performance.now() - from) / 1000;
}

type Case = (round: number) => Promise<unknown>;

async function measure(pool: Pool, fillSeconds: number): Promise<BenchResult> {
  const signer = { name: 'log.bench', privateKey: generateKeyPairSync('ed25519').privateKey };
  const random = (): number => Math.floor(Math.random() * ENTRIES);
  const cases: Record<string, Case> = {
    'plain insert, one transaction': () =>
      withTransaction(pool, (client) =>
        client.query('insert into plain (entry) values ($1)', [entry(random())]),
      ),
    'append, one transaction': (round) =>
      withTransaction(pool, (client) => appendEntries(client, [entry(ENTRIES + round)])),
    'append of 100, one transaction': (round) =>
      withTransaction(pool, (client) =>
        appendEntries(
          client,
          Array.from({ length: 100 }, (_, index) => entry(round * 100 + index)),
        ),
      ),
    'checkpoint, signed': () => checkpoint(pool, signer),
    'inclusion proof': () => inclusionProof(pool, random(), ENTRIES),
    'consistency proof': () => consistencyProof(pool, 1 + random(), ENTRIES),
  };
  const times = await interleaved(cases);
  const plain = quantile(times['plain insert, one transaction'] ?? [], 0.5);
  const rows = Object.entries(times).map(([name, list]) => {
    const [p50, p99] = [quantile(list, 0.5), quantile(list, 0.99)];
    const per = name.startsWith('append of 100') ? 100 : 1;
    return [name, p50.toFixed(3), p99.toFixed(3), ((per * 1000) / p50).toFixed(0), (p50 / plain).toFixed(2)];
  });
  const data = Object.fromEntries(
    Object.entries(times).map(([name, list]) => [
      name,
      { p50: quantile(list, 0.5), p99: quantile(list, 0.99) },
    ]),
  );
  return {
    head: ['at 1,000,000 entries', 'p50 ms', 'p99 ms', 'per second', 'of a plain insert'],
    rows,
    notes: [
      `${ROUNDS} interleaved rounds in one process, one connection at a time, every commit durable.`,
      `Filling it took ${fillSeconds.toFixed(0)} s in transactions of ${BATCH}: ${(ENTRIES / fillSeconds).toFixed(0)} entries/s.`,
      'An append is a lock, a question for the size, one for the left siblings and two inserts: round trips dominate.',
    ],
    data: { ...data, fillSeconds },
  };
}

/** Milliseconds of each case, one of each in turn. */
async function interleaved(cases: Readonly<Record<string, Case>>): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(cases)) {
      const at = performance.now();
      await run(round);
      times[name]?.push(performance.now() - at);
    }
  }
  return times;
}
