/** What is told on one line while something lasts. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fitTo, table, ticking } from '../../cli/output.ts';
import { WIDTH } from '../../scanner/text.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  fitTo(Number.POSITIVE_INFINITY);
});

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

it('tells a table that is wider than the terminal row by row, in lines that a terminal does not break', () => {
  const rows = [
    ['2026-12-01', 'call', 'npm.acme/weather@1.0.0'],
    ['2026-12-02', 'request.refused', '-'],
  ];
  const told = (): string => table(['WHEN', 'WHAT', 'SERVER'], rows);
  const wide = `WHEN        WHAT             SERVER
2026-12-01  call             npm.acme/weather@1.0.0
2026-12-02  request.refused  -`;
  expect([told(), WIDTH]).toEqual([wide, 110]);
  fitTo(51);
  expect([told(), WIDTH]).toEqual([wide, 60]);
  fitTo(50);
  expect(told()).toBe(`WHEN    2026-12-01
WHAT    call
SERVER  npm.acme/weather@1.0.0

WHEN    2026-12-02
WHAT    request.refused
SERVER  -`);
  fitTo(80);
  expect(WIDTH).toBe(80);
});

it('breaks a cell of such a row between its words alone, and leaves an empty one out', () => {
  fitTo(30);
  const digest = `sha256:${'0'.repeat(40)}`;
  const rows = [['refused', `The lock is another one: found ${digest} instead`, '']];
  expect(table(['WHAT', 'WHY', 'DATA'], rows)).toBe(`WHAT  refused
WHY   The lock is another one:
      found
      ${digest}
      instead`);
});
