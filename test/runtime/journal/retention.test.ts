import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Journal, openJournal } from '../../../runtime/journal/journal.ts';
import { prunedOf, verifyJournal } from '../../../runtime/journal/read.ts';
import { prune, type RetentionOptions } from '../../../runtime/journal/retention.ts';
import { bodyOf, memorySink, pumpOf, recordsOf } from '../../helpers/journals.ts';
import { tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const SMALL = { bytes: 4000, ageMs: Number.POSITIVE_INFINITY };
const DAY_MS = 86_400_000;
const WRITER = join(import.meta.dirname, '../../helpers/journal-writer.ts');
const segmentsIn = (dir: string): string[] => readdirSync(dir).filter((name) => name.endsWith('.ndjson'));

async function filled(root = tempDir()): Promise<{ journal: Journal; root: string }> {
  const journal = await openJournal(root, SMALL);
  for (let n = 1; n <= 60; n++) await journal.append(bodyOf(n));
  return { journal, root };
}

/** As if the first segments had been written so many days ago. */
function aged(journal: Journal, count: number, days: number): void {
  for (const name of segmentsIn(journal.dir).slice(0, count)) {
    const then = new Date(Date.now() - days * DAY_MS);
    utimesSync(join(journal.dir, name), then, then);
  }
}

const options = (journal: Journal, rest: Partial<RetentionOptions> = {}): RetentionOptions => ({
  journal,
  retention: { maxDays: 30 },
  sinks: [],
  now: () => new Date(),
  say: () => undefined,
  ...rest,
});

describe('retention', () => {
  it('deletes what is too old, says so in the chain first, and the rest verifies', async () => {
    const { journal, root } = await filled();
    const before = await recordsOf(journal.dir);
    aged(journal, 2, 31);
    expect(await prune(options(journal))).toBe(2);
    const [first] = segmentsIn(journal.dir);
    expect(first).toBe('000003.ndjson');
    const after = await recordsOf(journal.dir);
    const pruned = after.flatMap((record) => prunedOf(record) ?? []);
    expect(pruned).toHaveLength(2);
    const begin = after[0]?.seq ?? 0;
    expect(begin).toBeGreaterThan(1);
    expect(pruned[1]).toMatchObject({ upTo: begin - 1, digest: before[begin - 2]?.digest });
    await expect(verifyJournal(root)).resolves.toMatchObject({ journals: 1, records: 62 - (begin - 1) });
    expect(await prune(options(journal))).toBe(0);
    await journal.close();
    const again = await openJournal(root, SMALL);
    expect(await again.append(bodyOf(1))).toBe(63);
    await again.close();
    await expect(verifyJournal(root)).resolves.toMatchObject({ journals: 1 });
  });

  it('deletes the oldest where the journal is too large, never the segment that is written to', async () => {
    const root = tempDir();
    const journal = await openJournal(root, { bytes: 300_000, ageMs: Number.POSITIVE_INFINITY });
    for (let n = 0; n < 25; n++) await journal.append(bodyOf(n, { message: 'x'.repeat(100_000) }));
    await prune(options(journal, { retention: { maxMegabytes: 1 } }));
    const bytes = segmentsIn(journal.dir).reduce(
      (sum, name) => sum + readFileSync(join(journal.dir, name)).length,
      0,
    );
    expect(bytes).toBeLessThanOrEqual(1024 * 1024);
    expect(bytes).toBeGreaterThan(500_000);
    await verifyJournal(root);
    await journal.close();
  });

  it('deletes nothing that a sink or the registry has not taken', async () => {
    const { journal } = await filled();
    const sink = memorySink('siem');
    aged(journal, 2, 31);
    const waits = options(journal, { sinks: ['siem', 'registry'] });
    expect(await prune(waits)).toBe(0);
    await pumpOf(journal, sink).round();
    expect(await prune(waits)).toBe(0);
    expect(segmentsIn(journal.dir)[0]).toBe('000001.ndjson');
    await pumpOf(journal, memorySink('registry')).round();
    expect(await prune(waits)).toBe(2);
    await journal.close();
  });

  it('deletes it with a record of what the sink missed where it is told to, but never before the registry', async () => {
    const { journal, root } = await filled();
    aged(journal, 2, 31);
    const said: string[] = [];
    const retention = { maxDays: 30, unshipped: 'delete' } as const;
    const may = options(journal, { sinks: ['siem'], retention, say: (line) => said.push(line) });
    expect(await prune({ ...may, sinks: ['siem', 'registry'] })).toBe(0);
    const sink = memorySink('siem');
    await pumpOf(journal, sink, { head: () => 3 }).round();
    expect(await prune(may)).toBe(2);
    const pruned = (await recordsOf(journal.dir)).flatMap((record) => prunedOf(record) ?? []);
    const missed = pruned.reduce((sum, { untaken }) => sum + (untaken?.siem ?? 0), 0);
    expect(missed).toBe((pruned[1]?.upTo ?? 0) - 3);
    expect(said.join()).toContain('siem');
    const pump = pumpOf(journal, sink);
    expect(await pump.round()).toBe(true);
    expect(pump.state().lost).toBe(missed);
    expect(sink.taken.map(({ seq }) => seq)).toEqual([
      1,
      2,
      3,
      ...(await recordsOf(journal.dir)).map(({ seq }) => seq),
    ]);
    await verifyJournal(root);
    await journal.close();
  });

  it('deletes nothing whose deletion cannot be recorded', async () => {
    const { journal } = await filled();
    aged(journal, 2, 31);
    await journal.close();
    await expect(prune(options(journal))).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    expect(segmentsIn(journal.dir)[0]).toBe('000001.ndjson');
  });

  it('keeps a segment that does not verify: it is evidence', async () => {
    const { journal } = await filled();
    aged(journal, 2, 31);
    const path = join(journal.dir, '000001.ndjson');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"user":"ada"', '"user":"eve"'));
    aged(journal, 2, 31);
    await expect(prune(options(journal))).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
    expect(segmentsIn(journal.dir)[0]).toBe('000001.ndjson');
    await journal.close();
  });
});

describe('a journal whose beginning or middle is gone', () => {
  it.each<[string, (names: string[]) => string[]]>([
    ['the first segment', (names) => names.slice(0, 1)],
    ['the second segment', (names) => names.slice(1, 2)],
    ['the first two', (names) => names.slice(0, 2)],
  ])('is refused where no record explains it: %s', async (_, gone) => {
    const { journal, root } = await filled();
    await journal.close();
    for (const name of gone(segmentsIn(journal.dir))) rmSync(join(journal.dir, name));
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });

  it('is refused where the record explains another deletion', async () => {
    const { journal, root } = await filled();
    aged(journal, 1, 31);
    await prune(options(journal));
    await journal.close();
    await verifyJournal(root);
    rmSync(join(journal.dir, '000002.ndjson'));
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });

  it('is refused where all that is left is an empty segment', async () => {
    const { journal, root } = await filled();
    await journal.close();
    const names = segmentsIn(journal.dir);
    for (const name of names) rmSync(join(journal.dir, name));
    appendFileSync(join(journal.dir, names.at(-1) ?? ''), '');
    await expect(openJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });
});

describe('a crash', () => {
  it('between the record and the deletion leaves a journal that verifies, and the deletion is done later', async () => {
    const { journal, root } = await filled();
    const kept = join(tempDir(), 'kept');
    copyFileSync(join(journal.dir, '000001.ndjson'), kept);
    aged(journal, 1, 31);
    await prune(options(journal));
    await journal.close();
    // The deletion never reached the disk.
    copyFileSync(kept, join(journal.dir, '000001.ndjson'));
    await verifyJournal(root);
    const again = await openJournal(root, SMALL);
    aged(again, 1, 31);
    expect(await prune(options(again))).toBe(1);
    await verifyJournal(root);
    await again.close();
  });

  it('by kill -9 while segments turn and end loses no durable record and no explanation', async () => {
    for (let round = 0; round < 3; round++) {
      const root = tempDir();
      const child = spawn(process.execPath, [WRITER, 'turn', root], { stdio: ['ignore', 'pipe', 'inherit'] });
      let told = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        told = Number(chunk.toString().trim().split('\n').at(-1)) || told;
      });
      await until(() => told >= 150 + round * 37);
      child.kill('SIGKILL');
      await once(child, 'close');
      const journal = await openJournal(root, SMALL);
      await journal.close();
      const records = await recordsOf(journal.dir);
      expect(records[0]?.seq).toBeGreaterThan(1);
      expect(records.at(-1)?.seq).toBeGreaterThanOrEqual(told);
      await verifyJournal(root);
    }
  });
});

describe('a segment', () => {
  it('ends with its age, also when nothing is written', async () => {
    const journal = await openJournal(tempDir(), { bytes: 1e9, ageMs: 50 });
    await journal.append(bodyOf(1));
    await sleep(80);
    journal.turn();
    expect(segmentsIn(journal.dir)).toEqual(['000001.ndjson', '000002.ndjson']);
    journal.turn();
    await sleep(80);
    journal.turn();
    expect(segmentsIn(journal.dir)).toHaveLength(2);
    await journal.append(bodyOf(2));
    await journal.close();
  });
});

describe('a record that is too large to be read back', () => {
  it('loses its texts and keeps who, what and how it ended', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    const large = 'x'.repeat(9 * 1024 * 1024);
    await journal.append(
      bodyOf(1, { target: large, arguments: { large }, code: 'TOOL_REFUSED', outcome: 'refused' }),
    );
    await journal.close();
    const [record] = await recordsOf(journal.dir);
    expect(record?.body).toMatchObject({ user: 'ada', code: 'TOOL_REFUSED', outcome: 'refused' });
    expect(JSON.stringify(record).length).toBeLessThan(5000);
    await verifyJournal(root);
  });

  it('is not one that a line without an end can fake: reading stops', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    await journal.append(bodyOf(1));
    await journal.close();
    appendFileSync(join(journal.dir, '000001.ndjson'), Buffer.alloc(20 * 1024 * 1024, 120));
    await expect(verifyJournal(root)).rejects.toMatchObject({ code: 'JOURNAL_CHAIN' });
  });
});
