import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReplays, type Replays } from './incidents/replay.ts';
import { incidents } from './incidents/rows.ts';

let replays: Replays;
beforeAll(async () => {
  replays = await openReplays();
}, 60_000);
afterAll(() => replays.close());

describe('a known incident that comes again as an update', () => {
  it.each(incidents)('$id $what', { timeout: 60_000 }, async (incident) => {
    expect(await replays.replay(incident)).toMatchObject({ silent: [], lockable: false });
  });
});
