/** The table of isolation, row by row; npm run isolation prints the same. */
import { beforeAll, describe, expect, it } from 'vitest';
import { proofs } from './isolation/all.ts';
import { type Judged, judgeAll } from './isolation/command.ts';
import { judge, type Proof } from './isolation/proof.ts';

describe('the table of isolation', () => {
  let judged: Judged;
  beforeAll(async () => {
    judged = await judgeAll(proofs, () => undefined);
  });

  it('has rows enough, each with a name of its own, in the drivers that are installed for tests', () => {
    expect(proofs.length).toBeGreaterThanOrEqual(100);
    expect(new Set(proofs.map(({ id }) => id)).size).toBe(proofs.length);
    const drivers = new Set(judged.verdicts.map(({ driver }) => driver));
    expect([...drivers]).toEqual(expect.arrayContaining(['bubblewrap', 'podman']));
    for (const { driver, why } of judged.absent) expect(why, driver).not.toBe('');
  });

  it.each(proofs.map(({ id }) => id))('%s', (id) => {
    const rows = judged.verdicts.filter(({ proof }) => proof === id);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ verdict }) => verdict === 'BROKEN')).toEqual([]);
  });

  it('explains no more than it must: all that this machine has is held', () => {
    if (process.getuid?.() !== 0) return;
    const open = judged.verdicts.filter(
      ({ verdict, why, driver }) =>
        ['bubblewrap', 'podman', 'docker'].includes(driver) &&
        verdict === 'explained' &&
        !why.startsWith('this kernel has no'),
    );
    expect(open.map(({ driver, proof }) => `${driver}: ${proof}`)).toEqual(['bubblewrap: run from /tmp']);
  });
});

describe('a proof', () => {
  const proof: Proof = { id: 'x', tries: 'x', run: async () => held, explained: { podman: 'because' } };
  const held = { broke: false, seen: 'EPERM' };
  const broke = { broke: true, seen: 'done' };

  it('is held only if the attempt fails inside and gets through outside', () => {
    const of = (driver: string, found: object, control: object): string =>
      judge(proof, driver, { found: { ...held, ...found }, control: { ...broke, ...control } }).verdict;
    expect(of('bubblewrap', held, broke)).toBe('held');
    expect(of('bubblewrap', broke, broke)).toBe('BROKEN');
    expect(of('podman', broke, broke)).toBe('explained');
    expect(of('podman', { failed: true }, broke)).toBe('BROKEN');
    expect(of('bubblewrap', held, { broke: false, absent: true })).toBe('explained');
    if (process.getuid?.() === 0) expect(of('bubblewrap', held, held)).toBe('BROKEN');
  });
});
