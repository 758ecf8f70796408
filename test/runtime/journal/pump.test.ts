import { appendFileSync, existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SinkState } from '../../../runtime/journal/cursor.ts';
import { readCursor, statesOf } from '../../../runtime/journal/cursor.ts';
import { openJournal } from '../../../runtime/journal/journal.ts';
import { registrySink } from '../../../runtime/journal/ship.ts';
import { Undelivered } from '../../../runtime/journal/sinks/port.ts';
import { bodyOf, memorySink, pumpOf } from '../../helpers/journals.ts';
import { tempDir } from '../../helpers/session.ts';

const SMALL = { bytes: 4000, ageMs: Number.POSITIVE_INFINITY };
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
const down = (): never => {
  throw new Undelivered('memory', 'nobody there');
};

describe('a sink', () => {
  it('gets every record in order, across segments, and none twice after a restart', async () => {
    const journal = await openJournal(tempDir(), SMALL);
    const sink = memorySink();
    for (const n of upTo(50)) await journal.append(bodyOf(n));
    expect(await pumpOf(journal, sink).round()).toBe(true);
    for (const n of upTo(5)) await journal.append(bodyOf(n));
    expect(await pumpOf(journal, sink).round()).toBe(true);
    expect(sink.taken.map(({ seq }) => seq)).toEqual(upTo(55));
    expect(readdirSync(journal.dir).filter((name) => name.endsWith('.ndjson')).length).toBeGreaterThan(3);
    await journal.close();
  });

  it('that is down lags, says so once, and has all of it when it is back', async () => {
    const journal = await openJournal(tempDir());
    const sink = memorySink();
    const said: SinkState[] = [];
    const pump = pumpOf(journal, sink, { onChange: (state) => said.push(state) });
    await journal.append(bodyOf(1));
    sink.faults.push(down, down);
    expect([await pump.round(), await pump.round()]).toEqual([false, false]);
    expect(sink.taken).toEqual([]);
    expect(pump.state()).toMatchObject({ state: 'down', behind: 1, taken: 0 });
    expect(await statesOf(journal.dir, journal.id)).toMatchObject([
      { sink: 'memory', state: 'down', behind: 1 },
    ]);
    expect(await pump.round()).toBe(true);
    expect(said.map(({ state }) => state)).toEqual(['down', 'up']);
    expect(said[0]?.why).toContain('nobody there');
    expect(pump.state()).toMatchObject({ state: 'up', behind: 0, taken: 1 });
    expect(sink.taken.map(({ seq }) => seq)).toEqual([1]);
    await journal.close();
  });

  it('is believed for what it was sent, and for no more', async () => {
    const journal = await openJournal(tempDir());
    await journal.append(bodyOf(1));
    expect(
      await pumpOf(
        journal,
        registrySink(async () => 1e9),
      ).round(),
    ).toBe(true);
    await journal.append(bodyOf(2));
    const sent: number[] = [];
    const honest = registrySink(async (records) => {
      sent.push(...records.map(({ seq }) => seq));
      return records.at(-1)?.seq ?? 0;
    });
    await pumpOf(journal, honest).round();
    expect(sent).toEqual([2]);
    await journal.close();
  });

  it('that takes a part gets the rest; one that takes nothing is down', async () => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(6)) await journal.append(bodyOf(n));
    const sink = memorySink();
    sink.faults.push((records) => {
      sink.taken.push(...records.slice(0, 2));
      return { upTo: 2 };
    });
    expect(await pumpOf(journal, sink).round()).toBe(true);
    expect(sink.taken.map(({ seq }) => seq)).toEqual(upTo(6));
    await journal.append(bodyOf(7));
    sink.faults.push(() => ({ upTo: 0 }));
    expect(await pumpOf(journal, sink).round()).toBe(false);
    expect((await readCursor(journal.dir, 'memory'))?.place.seq).toBe(6);
    await journal.close();
  });

  it('that finds a delivery too large gets smaller ones at once', async () => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(40)) await journal.append(bodyOf(n));
    const sizes: number[] = [];
    const sink = memorySink();
    const deliver = sink.deliver.bind(sink);
    const small = {
      ...sink,
      deliver: async (records: Parameters<typeof deliver>[0]) => {
        sizes.push(records.length);
        if (records.length > 12) throw new Undelivered('memory', '413', { tooLarge: true });
        return deliver(records);
      },
    };
    expect(await pumpOf(journal, small).round()).toBe(true);
    expect(sink.taken.map(({ seq }) => seq)).toEqual(upTo(40));
    expect(sizes.slice(0, 3)).toEqual([40, 20, 10]);
    await journal.close();
  });

  it('that says what it does not keep has that recorded, and is not asked again', async () => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(3)) await journal.append(bodyOf(n));
    const sink = memorySink();
    const refused: object[] = [];
    const pump = pumpOf(journal, sink, { onRefused: async (detail) => void refused.push(detail) });
    sink.faults.push(() => ({ upTo: 3, refused: { count: 2, why: 'too old' } }));
    expect([await pump.round(), await pump.round()]).toEqual([true, true]);
    expect(refused).toEqual([{ from: 1, upTo: 3, count: 2, why: 'too old' }]);
    expect(pump.state()).toMatchObject({ lost: 2, taken: 3 });
    await journal.close();
  });

  /** A sink that does not take some records, by their numbers. */
  const choosy = (unfit: (seq: number) => boolean, hints = { unfit: true }) => {
    const sink = memorySink();
    const deliver: typeof sink.deliver = async (records) => {
      if (records.some(({ seq }) => unfit(seq))) throw new Undelivered('memory', 'an answer 400', hints);
      return sink.deliver(records);
    };
    return { ...sink, deliver };
  };
  const rounds = async (pump: { round(): Promise<boolean> }, count: number): Promise<boolean[]> => {
    const said: boolean[] = [];
    for (const _ of upTo(count)) said.push(await pump.round());
    return said;
  };

  it('that refuses a few records again and again goes on without them, and that is recorded', async () => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(40)) await journal.append(bodyOf(n));
    const bad = [7, 8, 30];
    const sink = choosy((seq) => bad.includes(seq));
    const refused: object[] = [];
    const pump = pumpOf(journal, sink, { onRefused: async (detail) => void refused.push(detail) });
    expect((await rounds(pump, 9)).filter((ok) => ok)).toEqual([true]);
    expect(sink.taken.map(({ seq }) => seq)).toEqual(upTo(40).filter((seq) => !bad.includes(seq)));
    const why = expect.stringContaining('400');
    expect(refused).toEqual([
      { from: 7, upTo: 8, count: 2, why },
      { from: 30, upTo: 30, count: 1, why },
    ]);
    expect(pump.state()).toMatchObject({ state: 'up', lost: 3, taken: 40, behind: 0 });
    await journal.close();
  });

  it.each<[string, (seq: number) => boolean, { unfit: boolean }]>([
    ['refuses all of them', () => true, { unfit: true }],
    ['refuses the last one, which nothing shows to be at fault', (seq) => seq === 40, { unfit: true }],
    ['is unwell at one of them', (seq) => seq === 7, { unfit: false }],
  ])('that %s is down, and nothing is set aside', async (_, unfit, hints) => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(40)) await journal.append(bodyOf(n));
    const refused: object[] = [];
    const pump = pumpOf(journal, choosy(unfit, hints), {
      onRefused: async (detail) => void refused.push(detail),
    });
    expect(await rounds(pump, 12)).toEqual(upTo(12).map(() => false));
    expect(refused).toEqual([]);
    expect(pump.state()).toMatchObject({ state: 'down', lost: 0 });
    await journal.close();
  });

  it('is never told of a record that is not durable yet', async () => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(3)) await journal.append(bodyOf(n));
    const sink = memorySink();
    await pumpOf(journal, sink, { head: () => 2 }).round();
    expect(sink.taken.map(({ seq }) => seq)).toEqual([1, 2]);
    await journal.close();
  });
});

describe('a cursor', () => {
  it.each<[string, (path: string) => void]>([
    ['missing', (path) => rmSync(path)],
    ['empty', (path) => truncateSync(path)],
    ['torn', (path) => truncateSync(path, 20)],
    ['foreign', (path) => writeFileSync(path, '{"seq":99}')],
  ])('that is %s means that records come again, never that one does not', async (_, harm) => {
    const journal = await openJournal(tempDir());
    for (const n of upTo(3)) await journal.append(bodyOf(n));
    const sink = memorySink();
    await pumpOf(journal, sink).round();
    const path = join(journal.dir, 'sinks/memory.json');
    expect(existsSync(path)).toBe(true);
    harm(path);
    await pumpOf(journal, sink).round();
    expect(sink.taken.map(({ seq }) => seq)).toEqual([1, 2, 3, 1, 2, 3]);
    await journal.close();
  });

  it('in a journal that was changed hands out nothing', async () => {
    const root = tempDir();
    const journal = await openJournal(root);
    for (const n of upTo(3)) await journal.append(bodyOf(n));
    const sink = memorySink();
    await pumpOf(journal, sink).round();
    truncateSync(join(journal.dir, '000001.ndjson'), 10);
    const pump = pumpOf(journal, sink, { head: () => 100 });
    expect(await pump.round()).toBe(false);
    appendFileSync(join(journal.dir, '000001.ndjson'), `\n${'x'.repeat(2000)}\n`);
    expect(await pump.round()).toBe(false);
    expect(pump.state().why).toContain('security team');
    expect(sink.taken).toHaveLength(3);
  });
});

describe('closing', () => {
  it('offers the rest, but waits for no sink without end', async () => {
    const journal = await openJournal(tempDir());
    await journal.append(bodyOf(1));
    const sink = memorySink();
    expect(await pumpOf(journal, sink).close()).toBe(true);
    expect(sink.taken).toHaveLength(1);
    await journal.append(bodyOf(2));
    const silent = { ...sink, name: 'silent', deliver: () => new Promise<never>(() => undefined) };
    const start = performance.now();
    expect(await pumpOf(journal, silent, { timing: { closeMs: 100 } }).close()).toBe(false);
    expect(performance.now() - start).toBeLessThan(5000);
    await journal.close();
  });
});
