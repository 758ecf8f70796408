/** What is told on one line while something lasts. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ticking } from '../../cli/output.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells a step, how long it lasts once that is long, and nothing after the end', () => {
  const said: string[] = [];
  const { tell, end } = ticking((line) => said.push(line));
  tell('scanning');
  vi.advanceTimersByTime(6000);
  tell('locking');
  vi.advanceTimersByTime(4000);
  end();
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual(['scanning', 'scanning, 5 s', 'scanning, 6 s', 'locking', '']);
});
