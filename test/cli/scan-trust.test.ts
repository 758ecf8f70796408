import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { trustGiven } from '../../cli/scan/trust.ts';
import { sha256 } from '../../schemas/json.ts';
import { tempDir } from '../helpers/session.ts';

it('trust files are given by name, each once, and have to be there', async () => {
  const cwd = tempDir();
  writeFileSync(join(cwd, 'a=b.json'), '{}');
  const given = (...words: string[]): ReturnType<typeof trustGiven> =>
    trustGiven({ cwd } as Context, { 'trust-root': words });
  expect(await given('npm=a=b.json')).toMatchObject({ pinned: { npm: sha256('{}') } });
  expect((await given()).files.size).toBe(0);
  const refused = expect.objectContaining({ code: 'USAGE' });
  for (const words of [
    ['npm=gone'],
    ['other=a=b.json'],
    ['npm'],
    ['npm=a=b.json', 'npm=a=b.json'],
    ['npm=.'],
  ])
    await expect(given(...words), words.join()).rejects.toEqual(refused);
});
