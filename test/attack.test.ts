/** The attack matrix, row by row; npm run attack prints the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rows } from './attack/all.ts';
import { judge } from './attack/row.ts';
import { openWorld, type World } from './attack/world.ts';
import { servers } from './helpers/registry.ts';

describe('the attack matrix', () => {
  let world: World;
  let close: () => Promise<void>;

  beforeAll(async () => {
    const [database] = servers();
    if (!database) throw new Error('no PostgreSQL');
    ({ world, close } = await openWorld(database));
  });
  afterAll(() => close());

  it('has rows enough, each with a name of its own', () => {
    expect(rows.length).toBeGreaterThanOrEqual(60);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  });

  it.each(rows.map((row) => [row.id, row] as const))('%s', async (_id, row) => {
    expect(await judge(row, world)).toMatchObject({ held: true });
  });
});
