/** Runtimes killed at random moments; npm run kills does it a thousand times. */
import { describe, expect, it } from 'vitest';
import { killMany, runKills } from './kills/command.ts';

describe('a runtime that is killed at a random moment', () => {
  it('has called nothing without a durable record, leaves no process, and a chain that verifies', {
    timeout: 240_000,
  }, async () => {
    const kills = await killMany({ count: 30, seed: Date.now() % 2 ** 32 });
    expect(kills.faults, `seed ${kills.seed}`).toEqual([]);
    expect(kills).toMatchObject({
      conclusion: 'held',
      kills: 30,
      withoutRecord: 0,
      orphans: 0,
      verified: 30,
    });
    expect(kills.amid).toBeGreaterThan(5);
    expect(kills.reached).toBeGreaterThanOrEqual(kills.answered);
  });

  it('is found out when it forwards before the record is on the disk', { timeout: 120_000 }, async () => {
    const kills = await killMany({ count: 6, seed: 1, hasty: true });
    expect(kills.conclusion).toBe('BROKEN');
    expect(kills.withoutRecord).toBeGreaterThan(0);
  });

  it.each([['0'], ['x'], ['1', '2'], ['--seed', 'x']])('is not asked for with %s %s', async (...words) => {
    const said: string[] = [];
    const streams = { out: () => undefined, say: (line: string) => void said.push(line) };
    expect(await runKills(words, streams)).toBe(2);
    expect(said.join()).toContain('npm run kills');
  });
});
