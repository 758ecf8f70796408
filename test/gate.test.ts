/** Every control of the gate at every face; npm run gate takes each of them out as well. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rows } from './gate/all.ts';
import { takeOut } from './gate/command.ts';
import { FACES } from './gate/faces.ts';
import { mutations } from './gate/mutations.ts';
import { judge, nameOf } from './gate/row.ts';

const root = join(import.meta.dirname, '..');

describe('the gate', () => {
  it('has rows with names of their own, and each is missed by some row when it is taken out', () => {
    const names = rows.map(nameOf);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !mutations.some((each) => each.rows.includes(name)))).toEqual([]);
    expect(mutations.flatMap((each) => each.rows).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('has controls that stand where they are taken out', () => {
    const edits = mutations.flatMap((each) => each.edits);
    const lost = edits.filter(({ file, from }) => !readFileSync(join(root, file), 'utf8').includes(from));
    expect(lost).toEqual([]);
  });

  it.each(rows.map((row) => [nameOf(row), row] as const))('%s', async (_name, row) => {
    const verdicts = await Promise.all(FACES.map((face) => judge(row, face)));
    expect(verdicts.filter(({ verdict }) => verdict === 'BROKEN')).toEqual([]);
    expect(verdicts.filter(({ verdict }) => verdict === 'held').length).toBeGreaterThanOrEqual(2);
  });

  it('is found out without its policy, its lock or its journal', async () => {
    const steps = ['4 lock fresh', '7 policy', '11 journal first'];
    const chosen = mutations.filter(({ rows: [first = ''] }) => steps.some((step) => first.startsWith(step)));
    const noticed = await takeOut(chosen, () => undefined);
    expect(noticed.length).toBe(3);
    expect(noticed.flatMap(({ unnoticed, stale }) => [...unnoticed, ...stale])).toEqual([]);
  });
});
