import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadCliConfig } from '../../cli/config.ts';
import { readContentControls } from '../../cli/content-config.ts';
import { metrics } from '../../runtime/telemetry/metrics.ts';
import { contentRules, DEFAULT_CONTENT } from '../../schemas/content.ts';
import { tempDir } from '../helpers/session.ts';

const page = (name: string): string => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
const written = (text: string): string => {
  const path = join(tempDir(), 'content.json');
  writeFileSync(path, text);
  return path;
};
const read = (path: string) =>
  readContentControls(loadCliConfig({ LOCKKEEPER_CONTENT: path }, false).content);

describe('the file of content controls', () => {
  it('is as docs/content.md shows it, and a server has its own rules before those of all', async () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(page('content.md')) ?? [];
    const controls = await read(written(json));
    expect(contentRules(controls, 'io.github.acme/weather')).toEqual({
      ...DEFAULT_CONTENT,
      secrets: 'hide',
      instructions: 'block',
      maxResultBytes: 65_536,
    });
    expect(contentRules(controls, 'io.github.acme/other')).toMatchObject({ instructions: 'flag' });
  });

  it.each([
    '{"secret":"hide"}',
    '{"secrets":"yes"}',
    '{"servers":{"a/b":{"x":1}}}',
    '{',
    '[]',
    '{"secrets":"off","secrets":"off"}',
  ])('refuses to start with %s', async (text) => {
    await expect(read(written(text))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('has to be there when it is named, and need not be otherwise', async () => {
    await expect(read('/nowhere/content.json')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await readContentControls({ path: '/nowhere/content.json', wanted: false })).toEqual({});
  });
});

describe('docs/telemetry.md', () => {
  it('names every metric, and no other', () => {
    const told = [...page('telemetry.md').matchAll(/^\| `(lockkeeper_\w+)`/gm)].map(([, name]) => name);
    const known = [
      ...metrics()
        .text()
        .matchAll(/^# TYPE (\w+)/gm),
    ].map(([, name]) => name);
    expect(told.toSorted()).toEqual(known.toSorted());
  });
});
