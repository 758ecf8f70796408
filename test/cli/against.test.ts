/** What a lock changes against one from before: server by server, as reviewers read it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { surfaceWith } from '../../bench/quality/judged.ts';
import { differenceLines, differences } from '../../cli/against.ts';
import type { LockEntry, LockFile } from '../../schemas/lock.ts';
import type { Surface } from '../../schemas/surface.ts';

const dir = join(import.meta.dirname, '../fixtures/examples/valid/lock');
const example = JSON.parse(readFileSync(join(dir, 'plain.json'), 'utf8')) as LockFile;
const [entry] = Object.values(example.lock.servers) as [LockEntry];
const newer: LockEntry = {
  ...entry,
  version: '99.0.0',
  surface: { ...entry.surface, digest: `sha256:${'9'.repeat(64)}` },
  permissions: { ...entry.permissions, egress: ['collect.example:443'] },
};
const tool = (description: string): Surface => surfaceWith([{ name: 't', description }]);
const texts = async ({ version }: LockEntry): Promise<Surface> =>
  tool(version === '99.0.0' ? 'Reads and mails.' : 'Reads.');
const same = (word: string): string => word;
const paint = { bold: same, dim: same, red: same, green: same, yellow: same };
const shown = async (before: object, after: object): Promise<string> => {
  const [old, now] = [before, after].map((one) => new Map(Object.entries(one)));
  return differenceLines(await differences(old ?? new Map(), now ?? new Map(), texts), 'main', paint).join(
    '\n',
  );
};

it('says that nothing differs where nothing does', async () => {
  expect(await shown({ a: entry }, { a: entry })).toBe('\nNothing differs from main.');
});

it('shows fields of the surface, what it may touch, and what it would be as an API', async () => {
  const said = await shown({ a: entry }, { a: newer });
  expect(said).toContain(`a (${entry.server})`);
  expect(said).toContain(
    `${entry.version} -> 99.0.0: 1 change of the surface, 1 of what it may touch, up to class risk; as an API: patch`,
  );
  expect(said).toContain('text      reworded  tool t: description\n  - Reads.\n  + Reads and mails.');
  expect(said).toContain('collect.example:443');
});

it('shows a wider reach of the same release as well', async () => {
  const { permissions } = newer;
  expect(await shown({ a: entry }, { a: { ...entry, permissions } })).toContain(
    '0 changes of the surface, 1 of what it may touch',
  );
});

it('shows packages that are other bytes under the same name and version', async () => {
  const sha256 = `sha256:${'7'.repeat(64)}`;
  const [first, ...others] = entry.closure.artifacts;
  const closure = { digest: `sha256:${'8'.repeat(64)}`, artifacts: [{ ...first, sha256 }, ...others] };
  const said = await shown({ a: entry }, { a: { ...entry, closure } });
  expect(said).toContain('1 package added, 1 removed; 1 of them as OTHER BYTES under the same version');
  expect(said).toMatch(/^! .*: other bytes under the same name and version$/m);
  expect(said).toContain(`(${sha256})`);
  expect(said).toContain(`(${first?.sha256})`);
});

it('names servers that came and went', async () => {
  const said = await shown({ a: entry }, { b: newer });
  expect(said).toContain(`a (${entry.server}): no longer locked, was ${entry.version}`);
  expect(said).toContain(
    `b (${entry.server}): new, 99.0.0; all of it is to be read: lk diff ${entry.server}@99.0.0`,
  );
});

it('shows the gravest up to two screens, and the command for the rest', async () => {
  const tools = Array.from({ length: 60 }, (_, i) => ({ name: `t${i}`, description: `Reads ${i}.` }));
  const many = tools.map((one) => ({ ...one, description: `${one.description} And more.` }));
  const all = await differences(new Map([['a', entry]]), new Map([['a', newer]]), async ({ version }) =>
    surfaceWith(version === '99.0.0' ? many : tools),
  );
  const lines = differenceLines(all, 'main', paint).join('\n').split('\n');
  expect(lines.length).toBeLessThan(90);
  expect(lines[4]).toContain('permissions/egress');
  expect(lines.at(-1)).toMatch(/^And \d+ more lines: lk diff \S+@99\.0\.0 --from \S+$/);
});

it('is no silence where texts are nowhere', async () => {
  const nowhere = (): Promise<Surface> => Promise.reject(new Error('nowhere'));
  await expect(differences(new Map([['a', entry]]), new Map([['a', newer]]), nowhere)).rejects.toThrow(
    'nowhere',
  );
});
