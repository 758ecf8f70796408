/** A second run of what failed hides nothing else that went wrong. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

interface Result {
  readonly failed: number;
  readonly loose: number;
  readonly files: readonly string[];
}
interface Again {
  readonly reportersTo: (results: string) => string[];
  readonly resultOf: (code: number, results: string) => Result;
  readonly mayTryAgain: (result: Result) => boolean;
}
const ROOT = join(import.meta.dirname, '../..');
const { mayTryAgain, reportersTo, resultOf } = (await import(join(ROOT, 'scripts/again.mjs'))) as Again;
const FAILS = `import { expect, it } from 'vitest';\nit('fails', () => expect(1).toBe(2));\n`;
const LOOSE = `import { it } from 'vitest';\nit('passes', async () => { void Promise.reject(new Error('loose')); await new Promise(setImmediate); });\n`;

it.each([
  ['a test that fails', { 'a.test.mjs': FAILS }, 0, true],
  ['an error of no test beside it', { 'a.test.mjs': FAILS, 'b.test.mjs': LOOSE }, 1, false],
])('%s', (_, files, loose, again) => {
  mkdirSync(join(ROOT, 'coverage'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, 'coverage/again-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'vitest.config.mjs'), `export default { test: { include: ['*.test.mjs'] } };\n`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const results = join(dir, 'results');
  const words = ['run', '--root', dir, ...reportersTo(results)];
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, ...words], {
    cwd: dir,
    env: { PATH: process.env.PATH },
    stdio: 'ignore',
  });
  const result = resultOf(status ?? 1, results);
  expect(result).toMatchObject({ code: 1, failed: 1, loose });
  expect(mayTryAgain(result)).toBe(again);
});

it('a run without a report, and one with many failures', () => {
  expect(resultOf(0, '/nowhere/results')).toMatchObject({ code: 1, failed: 1 });
  expect(mayTryAgain({ failed: 9, loose: 0, files: ['a', 'b', 'c', 'd'] })).toBe(false);
});
