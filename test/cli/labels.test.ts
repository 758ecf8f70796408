import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseWords } from '../../cli/command.ts';
import { publish } from '../../cli/commands/publish.ts';
import { submissionOf } from '../../cli/submission.ts';
import type { Submission } from '../../schemas/release.ts';
import { refusal } from '../helpers/machine.ts';
import { tempDir } from '../helpers/session.ts';

const submitted = (source: string, text: string, ...more: string[]): Promise<Submission> => {
  const path = join(tempDir(), 'labels.json');
  writeFileSync(path, text);
  const { values } = parseWords('publish', publish, [source, '--labels', path, ...more]);
  return submissionOf(source, values);
};
const NPM = 'npm:weather@1.2.3';

describe('lk publish --labels', () => {
  it('puts what tools read and send among the permissions, of a package and of a remote server', async () => {
    const labels = { fetch: ['reads-untrusted', 'sends-out'], note: [] };
    const text = JSON.stringify(labels);
    expect((await submitted(NPM, text)).permissions.labels).toEqual(labels);
    const remote = await submitted('https://mcp.acme.example/mcp', text, '--release', '1.0.0');
    expect(remote.permissions.labels).toEqual(labels);
  });

  it.each([
    ['an unknown label', '{"fetch": ["reads-everything"]}', 'DOCUMENT_INVALID'],
    ['one name twice', '{"fetch": [], "fetch": ["sends-out"]}', 'JSON_INVALID'],
    ['a list', '[]', 'DOCUMENT_INVALID'],
    ['no JSON', 'fetch: sends-out', 'JSON_INVALID'],
  ])('refuses %s before anything is sent', async (_, text, code) => {
    expect(await refusal(submitted(NPM, text))).toMatchObject({ code });
  });

  it('refuses a file that is not there', async () => {
    const { values } = parseWords('publish', publish, [NPM, '--labels', join(tempDir(), 'none')]);
    expect(await refusal(submissionOf(NPM, values))).toMatchObject({ code: 'USAGE' });
  });
});
