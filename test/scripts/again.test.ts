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
  readonly tellingTo: (results: string) => { words: string[]; env: Record<string, string> };
  readonly resultOf: (code: number, results: string) => Result;
  readonly mayTryAgain: (result: Result) => boolean;
}
const ROOT = join(import.meta.dirname, '../..');
const { mayTryAgain, resultOf, tellingTo } = (await import(join(ROOT, 'scripts/again.mjs'))) as Again;
const FAILS = `import { expect, it } from 'vitest';\nit('fails', () => expect(1).toBe(2));\n`;
const PASSES = `import { it } from 'vitest';\nit('passes', async () => { LOOSE await new Promise(setImmediate); });\n`;
const LOOSE = PASSES.replace('LOOSE', "void Promise.reject(new Error('loose'));");
const ENDS = PASSES.replace('LOOSE', '');
const NO_END = `export function teardown() { throw new Error('it does not end'); }\n`;

it.each([
  ['a test that fails', { 'a.test.mjs': FAILS }, { failed: 1, loose: 0 }, true],
  [
    'an error of no test beside it',
    { 'a.test.mjs': FAILS, 'b.test.mjs': LOOSE },
    { failed: 1, loose: 1 },
    false,
  ],
  [
    'an end that fails beside it',
    { 'a.test.mjs': FAILS, 'setup.mjs': NO_END },
    { failed: 1, loose: 1 },
    false,
  ],
  [
    'an end that fails, and no test',
    { 'a.test.mjs': ENDS, 'setup.mjs': NO_END },
    { failed: 0, loose: 1 },
    false,
  ],
])('%s', (_, files, came, again) => {
  mkdirSync(join(ROOT, 'coverage'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, 'coverage/again-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const globalSetup = [join(ROOT, 'test/setup/ended.ts'), ...('setup.mjs' in files ? ['./setup.mjs'] : [])];
  const test = { include: ['*.test.mjs'], globalSetup };
  writeFileSync(join(dir, 'vitest.config.mjs'), `export default { test: ${JSON.stringify(test)} };\n`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const results = join(dir, 'results');
  const { words, env } = tellingTo(results);
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--root', dir, ...words], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...env },
    stdio: 'ignore',
  });
  const result = resultOf(status ?? 1, results);
  expect(result).toMatchObject({ code: 1, ...came });
  expect(mayTryAgain(result)).toBe(again);
});

it('a run without a report, and one with many failures', () => {
  expect(resultOf(0, '/nowhere/results')).toMatchObject({ code: 1, failed: 1 });
  expect(mayTryAgain({ failed: 9, loose: 0, files: ['a', 'b', 'c', 'd'] })).toBe(false);
});
