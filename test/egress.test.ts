/** The table of egress, row by row; npm run isolation prints the same. */
import { beforeAll, describe, expect, it } from 'vitest';
import { egressRows } from './egress/all.ts';
import { type EgressJudged, judgeEgress } from './egress/command.ts';
import { judgeRow, type Row } from './egress/row.ts';

describe('the table of egress', () => {
  let judged: EgressJudged;
  beforeAll(async () => {
    judged = await judgeEgress(egressRows, () => undefined);
  });

  it('has rows enough, each with a name of its own, and lets out what is permitted', () => {
    expect(egressRows.length).toBeGreaterThanOrEqual(100);
    expect(new Set(egressRows.map(({ id }) => id)).size).toBe(egressRows.length);
    expect(judged.verdicts.map(({ row }) => row)).toEqual(egressRows.map(({ id }) => id));
    expect(judged.shut).toBe(null);
  });

  it.each(egressRows.map(({ id }) => id))('%s', (id) => {
    const root = process.getuid?.() === 0;
    const allowed = root ? ['held'] : ['held', 'explained'];
    const rows = judged.verdicts.filter(({ row, verdict }) => row === id && !allowed.includes(verdict));
    expect(rows).toEqual([]);
  });
});

describe('a row', () => {
  const found = { broke: false, seen: 'x', records: ['refused evil.example:443 because'] };
  const row: Row = { id: 'x', attack: 'x', refuses: 'x', recorded: /because$/, run: async () => found };
  const bare = { ...found, broke: true, records: [] };

  it('is held only if it gets through without us, does not with us, and a record says so', () => {
    const of = (...both: [Parameters<typeof judgeRow>[1], Parameters<typeof judgeRow>[2]]): string =>
      judgeRow(row, ...both).verdict;
    expect(of(found, bare)).toBe('held');
    expect(judgeRow(row, found, bare).code).toBe('EGRESS_REFUSED');
    expect(of(bare, bare)).toBe('BROKEN');
    expect(of(found, found)).toBe('BROKEN');
    expect(of({ ...found, records: [] }, bare)).toBe('BROKEN');
    expect(of(new Error('no'), bare)).toBe('BROKEN');
    expect(of(found, new Error('no'))).toBe('BROKEN');
  });
});
