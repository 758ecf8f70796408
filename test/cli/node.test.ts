/** A Node that is too old is told so, before it trips over what it does not know. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tooOld } from '../../cli/node.ts';

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

it('is said in the place of the verb', () => {
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })";
  const words = [`--import=data:text/javascript,${encodeURIComponent(old)}`, join(root, 'cli/main.ts'), 'ps'];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain('expected Node 24.15 or newer; found Node 20.1.0');
});
