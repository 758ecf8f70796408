/** A Node that is too old is told so, before it trips over what it does not know. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tooOld } from '../../cli/node.ts';
import { CODES } from '../../schemas/errors.ts';
import { Problem } from '../../schemas/problem.ts';
import { assertValid } from '../../schemas/validate.ts';

const root = join(import.meta.dirname, '../..');

it.each(['24.15.0', '24.21.0', '25.0.0'])('%s is new enough', (version) =>
  expect(tooOld(version)).toBe(null),
);
it.each(['20.20.2', '24.14.9', '8.0.0', ''])('%s is too old', (version) =>
  expect(tooOld(version)?.message).toMatch(
    /^This machine does not permit it: expected Node 24\.15 or newer; found Node /,
  ),
);

it('asks for what package.json asks for', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(`>=${/Node ([0-9.]+) or/.exec(tooOld('1.0.0')?.expected ?? '')?.[1]}`).toBe(engines.node);
});

/** On a Node that says it is old, of a machine that npm has no Node for. */
function oldNode(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } }); Object.defineProperty(process, 'arch', { value: 'vax' })";
  const first = `--import=data:text/javascript,${encodeURIComponent(old)}`;
  return spawnSync(process.execPath, [first, ...words], { encoding: 'utf8' });
}

it.each([
  ['lk itself', [join(root, 'cli/main.ts'), 'ps']],
  ['what starts it', [join(root, 'scripts/start.mjs'), 'cli/main.ts', 'ps']],
])('is said in the place of the verb by %s, and as JSON where that is asked for', (_, words) => {
  const { status, stdout, stderr } = oldNode(...words);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain('expected Node 24.15 or newer; found Node 20.1.0');
  const asked = oldNode(...words, '--json');
  expect([asked.status, asked.stderr]).toEqual([1, '']);
  const { error, ...more } = JSON.parse(asked.stdout);
  expect(more).toEqual({});
  const { title, status: http } = CODES.SYSTEM;
  expect(assertValid(Problem, error, 'the refusal')).toMatchObject({ code: 'SYSTEM', title, status: http });
  expect(`lk: ${error.detail} [SYSTEM]\n`).toBe(stderr);
});
