/** Taking a server out of what a project asks for. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { aliasIn, remove } from '../../cli/commands/remove.ts';

const servers = {
  docs: { server: 'npm.acme/server-docs', range: '*' },
  old: { server: 'npm.acme/server-notes', range: '^1.0.0' },
  fresh: { server: 'npm.acme/server-notes', range: '^2.0.0' },
};

it.each([
  ['docs', 'docs'],
  ['npm.acme/server-docs', 'docs'],
  ['old', 'old'],
])('%s is %s', (word, alias) => expect(aliasIn({ servers }, word)).toBe(alias));

it.each([
  ['npm.acme/server-notes', 'which is old and fresh'],
  ['nothing', 'expected one of docs, old, fresh; found "nothing"'],
  ['toString', 'found "toString"'],
])('%s is refused', (word, words) => expect(() => aliasIn({ servers }, word)).toThrow(words));

it('leaves what else the project asks for, and all of it where the name is none', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lk-test-'));
  const path = join(dir, 'lockkeeper.json');
  const intent = {
    lockkeeper: 'intent/v1',
    project: 'acme/app',
    registry: 'https://lockkeeper.example',
    environment: 'development',
    trust: { rootKeys: [`sha256:${'a'.repeat(64)}`], threshold: 1 },
    servers,
  };
  writeFileSync(path, JSON.stringify(intent));
  const before = readFileSync(path, 'utf8');
  const context = { cwd: dir } as Context;
  await expect(remove.run(context, ['nothing'], {})).rejects.toThrow('one of docs, old, fresh');
  expect(readFileSync(path, 'utf8')).toBe(before);
  await remove.run(context, ['docs'], {});
  const { docs: _, ...rest } = servers;
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ ...intent, servers: rest });
  rmSync(dir, { recursive: true });
});
