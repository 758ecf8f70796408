import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { longQuiet } from '../../runtime/footprint.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const URL_OF = pathToFileURL(join(ROOT, 'runtime/footprint.ts')).href;

/** In a process of its own, as the flags are of the whole process. */
const STORY = `
import { getHeapSpaceStatistics } from 'node:v8';
import { settle, startLight } from '${URL_OF}';
const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
const fast = () => {
  const add = new Function('a', 'b', 'return a + b;');
  for (let i = 0; i < 3e6; i++) add(i, i);
  return (%GetOptimizationStatus(add) & (1 << 4)) !== 0;
};
const soon = async () => {
  const subtract = new Function('a', 'b', 'return a - b;');
  for (let i = 0; i < 200; i++) subtract(i, i);
  for (let i = 0; i < 150 && (%GetOptimizationStatus(subtract) & (1 << 5)) === 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    subtract(i, i);
  }
  return (%GetOptimizationStatus(subtract) & (1 << 5)) !== 0;
};
const fill = () => {
  const kept = [];
  for (let i = 0; i < 1e6; i++) kept[i % 100_000] = { i };
};
const until = async (holds) => {
  const end = Date.now() + 60_000;
  while (!holds() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  return holds();
};
startLight();
const lightYoung = (fill(), young());
const light = fast();
const unsettle = settle();
const work = setInterval(() => { for (const end = Date.now() + 50; Date.now() < end;); }, 1);
const busy = await until(fast);
clearInterval(work);
unsettle();
const early = await soon();
startLight();
const stop = settle();
fill();
const grown = young();
const given = await until(() => young() < grown);
const again = await until(fast);
stop();
console.log(JSON.stringify({ lightYoung, light, busy, early, again, grew: grown > lightYoung, given }));
`;

describe('what a runtime holds', () => {
  it('collects after a quiet start, and after work only where it was quiet for five minutes', () => {
    const due = longQuiet();
    expect(due(true)).toBe(true);
    expect(due(false)).toBe(false);
    expect(Array.from({ length: 30 }, () => due(true))).toEqual([...Array(29).fill(false), true]);
    expect(due(true)).toBe(true);
    expect(longQuiet()(false)).toBe(false);
  });

  it('starts without compiling for speed or growing its young space, then does both, after some hundred runs, and gives back when it is quiet', () => {
    const flags = ['--allow-natives-syntax', '--disable-warning=ExperimentalWarning', '--input-type=module'];
    const said = execFileSync(process.execPath, [...flags, '-e', STORY], { encoding: 'utf8' });
    const { lightYoung, ...rest } = JSON.parse(said);
    expect(lightYoung).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(rest).toEqual({ light: false, busy: true, early: true, again: true, grew: true, given: true });
  });
});
