/** lk gateway token, as a person runs it, and a gateway's identity that takes what it made. */
import { expect, it } from 'vitest';
import { BARE } from '../helpers/bare.ts';
import { lkHere } from '../helpers/here.ts';
import { accepted, bearer, refused, testIdentity } from '../helpers/identity.ts';
import { tempDir } from '../helpers/session.ts';

it('makes tokens that a gateway takes until they are removed', async () => {
  const home = tempDir();
  const lk = async (...words: string[]): Promise<Record<string, unknown>> => {
    const env = { ...BARE, LOCKKEEPER_HOME: home };
    const { stdout } = await lkHere(['gateway', 'token', ...words, '--json'], env);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const made = await lk('add', '--user', 'ci:build', '--teams', 'ci', '--servers', 'docs', '--days', '1');
  const file = String(made.file);
  const identity = await testIdentity({ tokens: { file } });
  const token = bearer(String(made.token));
  expect(await accepted(identity, token)).toMatchObject({
    caller: { user: 'ci:build', teams: ['ci'] },
    servers: ['docs'],
  });
  const { tokens } = (await lk('list')) as { tokens: { id: string }[] };
  expect(tokens).toMatchObject([{ id: made.id, user: 'ci:build', servers: ['docs'] }]);
  expect(JSON.stringify(tokens)).not.toMatch(/sha256|lkg_/);
  for (const words of [
    ['add', '--user', 'ci:build'],
    ['add', '--user', 'ci:build', '--servers', 'docs', '--all-servers'],
    ['add', '--user', 'а', '--all-servers'],
    ['add', '--user', 'ci', '--all-servers', '--days', '1000'],
    ['add', '--user', 'ci', '--servers', 'NOT AN ALIAS'],
    ['remove'],
  ])
    expect(await lk(...words), words.join(' ')).toMatchObject({ error: { code: 'USAGE' } });
  expect(((await lk('list')) as { tokens: object[] }).tokens).toHaveLength(1);
  expect(await lk('remove', 'f'.repeat(16))).toMatchObject({ error: { code: 'NOT_FOUND' } });
  await lk('remove', String(made.id));
  identity.later(1);
  expect((await refused(identity, token)).error.code).toBe('TOKEN_INVALID');
});
