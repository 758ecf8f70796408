import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controls, OUT_OF_REACH, tryControl } from './incidents/controls.ts';
import { openReplays, type Replays } from './incidents/replay.ts';
import { incidents } from './incidents/rows.ts';

let replays: Replays;
beforeAll(async () => {
  replays = await openReplays();
});
afterAll(() => replays.close());

describe('a known incident that comes again as an update', () => {
  it.concurrent.each(incidents)('$id $what', async (incident) => {
    expect(await replays.replay(incident)).toMatchObject({ silent: [], lockable: false });
  });
});

describe('a known incident that no scan of a package sees', () => {
  it.each(controls)('$id $what', async (control) => {
    expect((await tryControl(control)).wrong).toBeNull();
  });

  it('is in the table once, and every row of it is stopped or says why it is out of reach', () => {
    const ids = [...incidents, ...controls].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const known = new Set([...ids, ...Object.keys(OUT_OF_REACH)]);
    expect(Array.from({ length: 28 }, (_, at) => `${at + 1}`).filter((row) => !known.has(row))).toEqual([]);
  });
});
