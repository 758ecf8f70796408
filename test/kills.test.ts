/** Runtimes killed at random moments; npm run kills does it a thousand times. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from './helpers/session.ts';
import { killMany, runKills } from './kills/command.ts';
import { openKept } from './kills/kept.ts';
import { type Counted, Tally } from './kills/tally.ts';

describe('a runtime that is killed at a random moment', () => {
  it('has called nothing without a durable record, leaves no process, and a chain that verifies', async () => {
    const kills = await killMany({ count: 30, parallel: 2, seed: Date.now() % 2 ** 32 });
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

  it('is found out when it forwards before the record is on the disk', async () => {
    const kills = await killMany({ count: 6, seed: 1, hasty: true });
    expect(kills.conclusion).toBe('BROKEN');
    expect(kills.withoutRecord).toBeGreaterThan(0);
  });

  it.each([
    ['0'],
    ['x'],
    ['1', '2'],
    ['--seed', 'x'],
    ['--parallel', '0'],
    ['--parallel', '99'],
    ['--kpet', 'x'],
  ])('is not asked for with %s %s', async (...words) => {
    const said: string[] = [];
    const streams = { out: () => undefined, say: (line: string) => void said.push(line) };
    expect(await runKills(words, streams)).toBe(2);
    expect(said.join()).toContain('npm run kills');
  });
});

describe('a count of kills', () => {
  const one: Counted = {
    kill: 1,
    reached: 3,
    answered: 2,
    withoutRecord: 0,
    orphans: 0,
    refused: 0,
    gone: true,
    goneMs: 12,
    verified: true,
    faults: [],
  };
  const sumOf = (asked: number, ...all: readonly Counted[]): string => {
    const tally = new Tally();
    for (const each of all) tally.add(each);
    return tally.sum({ seed: 1, asked, seconds: 1 }).conclusion;
  };

  it('holds only if all that were asked for were killed, something was called and nothing was found', () => {
    expect(sumOf(1, one)).toBe('held');
    expect(sumOf(2, one)).toBe('unfinished');
    expect(sumOf(0)).toBe('BROKEN');
    expect(sumOf(1, { ...one, reached: 0 })).toBe('BROKEN');
    for (const wrong of [{ withoutRecord: 1 }, { orphans: 1 }, { verified: false }])
      for (const asked of [1, 2]) expect(sumOf(asked, { ...one, ...wrong })).toBe('BROKEN');
    const failed = new Tally();
    failed.add(one);
    failed.fail('it did not start');
    expect(failed.sum({ seed: 1, asked: 1, seconds: 1 })).toMatchObject({
      conclusion: 'BROKEN',
      faults: ['it did not start'],
    });
    const left = new Tally();
    left.add(one);
    left.left(1);
    expect(left.sum({ seed: 1, asked: 1, seconds: 1 }).conclusion).toBe('BROKEN');
  });

  it('goes on from the file that kept it, with the seed of that file, and kills nothing twice', async () => {
    const file = join(tempDir(), 'kept');
    const first = openKept(file, 7);
    for (const kill of [1, 2, 3]) first.add({ ...one, kill });
    appendFileSync(file, '{"kill":4,"reac');
    const again = openKept(file, 8);
    expect([again.seed, again.done.map(({ kill }) => kill)]).toEqual([7, [1, 2, 3]]);
    expect(readFileSync(file, 'utf8').endsWith('}\n')).toBe(true);
    const out: string[] = [];
    const streams = { out: (text: string) => void out.push(text), say: () => undefined };
    expect(await runKills(['--json', '--kept', file, '3'], streams)).toBe(0);
    expect(JSON.parse(out.join(''))).toMatchObject({ conclusion: 'held', seed: 7, kills: 3, reached: 9 });
    const ended = AbortSignal.abort();
    expect(await runKills(['--json', '--kept', file, '5'], streams, ended)).toBe(4);
    expect(JSON.parse(out[1] ?? '')).toMatchObject({ conclusion: 'unfinished', asked: 5, kills: 3 });
  });

  it.each(['x\n', '{"seed":1}\n{"kill":1}\n', '{"seed":1}\nhalf\n{}\n'])(
    'is not taken from a file that holds something else: %j',
    async (text) => {
      const file = join(tempDir(), 'kept');
      appendFileSync(file, text);
      expect(await runKills(['--kept', file, '1'], { out: () => undefined, say: () => undefined })).toBe(2);
      expect(readFileSync(file, 'utf8')).toBe(text);
    },
  );
});
