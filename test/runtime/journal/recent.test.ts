import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../../runtime/journal/journal.ts';
import { readFrom, START, type Step } from '../../../runtime/journal/read.ts';
import { Recent } from '../../../runtime/journal/recent.ts';
import { bodyOf, memorySink, pumpOf } from '../../helpers/journals.ts';
import { tempDir } from '../../helpers/session.ts';

const SMALL = { bytes: 4000, ageMs: Number.POSITIVE_INFINITY };

describe('what a journal remembers of its newest records', () => {
  it('is what stands on the disk, at the same places, across segments', async () => {
    const journal = await openJournal(tempDir(), SMALL);
    await journal.append(bodyOf(0));
    const places: Step[] = [];
    for await (const step of readFrom(journal.dir, START)) places.push(step);
    const from = places[0]?.place ?? START;
    for (let n = 1; n <= 20; n++)
      await journal.append(bodyOf(n, { user: 'zoë 🌊', message: undefined as never }));
    await Promise.all(Array.from({ length: 20 }, (_, n) => journal.append(bodyOf(n))));
    const read: Step[] = [];
    for await (const step of readFrom(journal.dir, from)) read.push(step);
    expect(read).toHaveLength(40);
    expect(journal.recent(from)).toEqual(read);
    expect(journal.recent(read.at(-1)?.place ?? START)).toEqual([]);
    await journal.close();
  });

  it('is not given to who stands elsewhere: in another chain, too far behind, or ahead', async () => {
    const journal = await openJournal(tempDir());
    for (let n = 1; n <= 3; n++) await journal.append(bodyOf(n));
    const [one] = journal.recent(START) ?? [];
    expect(one?.record.seq).toBe(1);
    const place = one?.place ?? START;
    expect(journal.recent({ ...place, digest: `sha256:${'0'.repeat(64)}` })).toBeNull();
    expect(journal.recent({ ...place, seq: 9 })).toBeNull();
    await journal.close();
    const again = await openJournal(join(journal.dir, '..'));
    expect(again.recent(place)).toBeNull();
    await again.append(bodyOf(4));
    expect(again.recent(place)).toBeNull();
    expect(await pumpOf(again, memorySink(), { recent: (at) => again.recent(at) }).round()).toBe(true);
    await again.close();
  });

  it('is bounded', () => {
    const recent = new Recent(2000);
    const bytesOf = (seq: number, text = ''): Buffer => {
      const prev = seq === 1 ? null : `d${seq - 1}`;
      return Buffer.from(`${JSON.stringify({ seq, prev, body: { text }, digest: `d${seq}` })}\n`);
    };
    const add = (seq: number, text = ''): void =>
      recent.add({ segment: '000001.ndjson', offset: 0, bytes: bytesOf(seq, text), first: seq, last: seq });
    const toldFrom = (seq: number) => recent.after({ ...START, seq, digest: seq === 0 ? null : `d${seq}` });
    for (let seq = 1; seq <= 500; seq++) add(seq);
    const first = Array.from({ length: 500 }, (_, seq) => seq).find((seq) => toldFrom(seq) !== null) ?? 0;
    expect(first).toBeGreaterThan(450);
    expect(toldFrom(first)?.map(({ record }) => record.seq)).toEqual(
      Array.from({ length: 500 - first }, (_, at) => first + at + 1),
    );
    add(501, 'x'.repeat(5000));
    expect(toldFrom(500)).toBeNull();
  });

  it('gives a sink the same lines as the disk would', async () => {
    const journal = await openJournal(tempDir(), SMALL);
    const sink = memorySink();
    const pump = pumpOf(journal, sink, { recent: (place) => journal.recent(place), dir: journal.dir });
    for (let n = 1; n <= 60; n++) {
      await journal.append(bodyOf(n));
      if (n % 7 === 0) await pump.round();
    }
    await pump.round();
    const lines = sink.taken.map((record) => JSON.stringify(record));
    const disk: string[] = [];
    for await (const { record } of readFrom(journal.dir, START)) disk.push(JSON.stringify(record));
    expect(lines).toEqual(disk);
    expect(readFileSync(join(journal.dir, 'sinks/memory.json'), 'utf8')).toContain('"seq":60');
    await journal.close();
  });
});
