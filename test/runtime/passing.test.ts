import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { TransientMap } from '../../runtime/transient-map.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (how: object) => void;
setFlagsFromString('--no-expose-gc');

const old = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space')?.space_used_size ?? 0;

/** Bytes by which what lives long seemed to grow at the most, while ever fewer than 33 things were held. */
function growthOf(set: (key: number, value: object) => void, take: (key: number) => void): number {
  set(-1, {});
  gc({ type: 'major', flavor: 'last-resort' });
  gc({ type: 'major' });
  const before = old();
  let most = 0;
  for (let key = 0; key < 40_000; key++) {
    set(key, { payload: new Array(60).fill(key) });
    if (key >= 32) take(key - 32);
    if (key % 500 === 0) most = Math.max(most, old() - before);
  }
  return most;
}

describe('what comes and goes', () => {
  it('is found by its key, in the order in which it came, and taken once', () => {
    const passing = new TransientMap<string, number>();
    for (const [value, key] of ['a', 'b', 'c'].entries()) passing.set(key, value);
    expect([passing.get('b'), passing.take('b'), passing.take('b'), passing.get('b')]).toEqual([
      1,
      1,
      undefined,
      undefined,
    ]);
    expect([passing.size, passing.has('a'), passing.has('b'), passing.all()]).toEqual([
      2,
      true,
      false,
      [0, 2],
    ]);
    expect([passing.takeAll(), passing.size, passing.all()]).toEqual([[0, 2], 0, []]);
  });

  it('loses nothing however much goes through', () => {
    const passing = new TransientMap<number, number>();
    for (let key = 0; key < 5000; key++) {
      passing.set(key, key);
      if (key >= 10) expect(passing.take(key - 10)).toBe(key - 10);
    }
    expect(passing.all()).toEqual([4990, 4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999]);
  });

  it('is not kept once it went, as a Map would', () => {
    const map = new Map<number, object>();
    const passing = new TransientMap<number, object>();
    const kept = growthOf(
      (key, value) => passing.set(key, value),
      (key) => passing.take(key),
    );
    const usual = growthOf(
      (key, value) => map.set(key, value),
      (key) => map.delete(key),
    );
    expect(kept).toBeLessThan(usual / 4);
  });
});
