/** Several servers of one command: scanned beside each other, told in the order in which they were named. */
import { expect, it } from 'vitest';
import { several, type Turn } from '../../cli/scan/several.ts';
import type { Target } from '../../cli/scan/targets.ts';
import type { ScanTarget } from '../../schemas/scan.ts';

const targets = ['a', 'b', 'c', 'd'].map((target) => ({ target }) as Target);

/** Scans that end when a test says so, each once it knows who stands beside it. */
function scans() {
  const begun: string[] = [];
  const ends = new Map<string, (how: 'scanned' | 'failed') => void>();
  const beside = new Map<string, string[]>();
  const lines: string[] = [];
  const scan = async ({ target: { target }, before, scanned, progress }: Turn): Promise<ScanTarget> => {
    begun.push(target);
    progress(`observing ${'x'.repeat(60)}`);
    const how = await new Promise<'scanned' | 'failed'>((resolve) => ends.set(target, resolve));
    beside.set(
      target,
      (await before()).map(({ server }) => server),
    );
    if (how === 'scanned') scanned({ server: target, tools: {} });
    return { target } as ScanTarget;
  };
  const all = several(targets, (line) => void lines.push(line), scan);
  const end = async (target: string, how: 'scanned' | 'failed' = 'scanned'): Promise<void> => {
    await expect.poll(() => ends.has(target)).toBe(true);
    ends.get(target)?.(how);
  };
  return { begun, beside, lines, end, all };
}

it('two are scanned at a time, and told in their order, whichever is done first', async () => {
  const { begun, lines, end, all } = scans();
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  await end('a');
  await expect.poll(() => begun).toEqual(['a', 'b', 'c', 'd']);
  await end('d');
  await end('c');
  expect((await all).map(({ target }) => target)).toEqual(['a', 'b', 'c', 'd']);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
  expect(lines.some((line) => line.includes('a: observing') && line.includes('b: observing'))).toBe(true);
  expect(lines.at(-1)).toBe('');
});

it('each knows those before it, as if they had been scanned one after the other; those that failed are none', async () => {
  const { beside, end, all } = scans();
  await end('b');
  await end('a', 'failed');
  await end('d');
  await end('c');
  await all;
  expect([...beside].sort()).toEqual([
    ['a', []],
    ['b', []],
    ['c', ['b']],
    ['d', ['b', 'c']],
  ]);
});
