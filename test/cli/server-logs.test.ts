/** What servers say on stderr, as it is kept and shown: bounded, without secrets, harmless to a terminal. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KEPT_BYTES, readServerLogs, ServerLogs } from '../../cli/server-logs.ts';
import { lkHere } from '../helpers/here.ts';

const KNOWN = { alias: 'docs', server: 'npm.acme/docs', version: '1.0.0', project: 'acme/app', user: 'ada' };

let home: string;
const troubles: string[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'lk-logs-'));
  troubles.length = 0;
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const keeping = (dir = home): ServerLogs =>
  new ServerLogs({ home: dir, key: Buffer.alloc(32, 7), say: (line) => troubles.push(line) });
const lk = async (...words: string[]): Promise<{ exit: number; stdout: string; stderr: string }> =>
  lkHere(['logs', ...words], { ...process.env, LOCKKEEPER_HOME: home, NO_COLOR: '1' });
const said = async (text: string | Buffer, who = KNOWN): Promise<void> => {
  const logs = keeping();
  logs.of(who)()(Buffer.from(text));
  await logs.close();
};

it('keeps each start by itself, the newest first, for its owner alone', async () => {
  const logs = keeping();
  const start = logs.of(KNOWN);
  const first = start();
  first(Buffer.from('one\n'));
  first(Buffer.from('two\n'));
  await new Promise((resolve) => setImmediate(resolve));
  await logs.close();
  await said('three\n', { ...KNOWN, user: 'bob' });
  const kept = await readServerLogs(home);
  expect(kept.map(({ user, text, said: bytes }) => [user, text, bytes])).toEqual([
    ['bob', 'three\n', 6],
    ['ada', 'one\ntwo\n', 8],
  ]);
  const [name = ''] = readdirSync(join(home, 'logs'));
  expect(statSync(join(home, 'logs', name)).mode & 0o777).toBe(0o600);
  expect((await lk('docs')).stdout).toMatch(/^docs 1\.0\.0 for bob, started .* UTC by process \d+\nthree\n$/);
  expect((await lk('docs', '--user', 'ada')).stdout).toMatch(/for ada.*\none\ntwo\n$/);
  expect((await lk('docs', '--starts', '2')).stdout).toMatch(/one\ntwo\n\n.*\nthree\n$/);
  const [head = '', row = ''] = (await lk()).stdout.split('\n');
  expect(head).toMatch(/^ALIAS .* USER .* SAID$/);
  expect(row).toMatch(/^docs .* bob .* 0\.0 KiB$/);
});

it('holds the end of a flood, from the beginning of a line, and says that it is the end', async () => {
  await said(Buffer.from(`${'x'.repeat(99)}\n`.repeat(50_000)));
  const [log] = await readServerLogs(home);
  expect(log?.said).toBe(5_000_000);
  expect(log?.text.length).toBeLessThanOrEqual(KEPT_BYTES);
  expect(log?.text).toMatch(/^x{99}\n/);
  expect((await lk('docs')).stdout).toContain('\nOf 4.8 MiB, the end:\nxxx');
});

it('hides secrets, and shows what would act on a terminal', async () => {
  await said(`token ghp_${'a1B2'.repeat(9)}\n\u001b[2Jgone\u202e\n`);
  const { stdout } = await lk('docs');
  expect(stdout).toContain('hmac-sha256:');
  expect(stdout).not.toContain('ghp_a1B2');
  expect(stdout).toContain('\\u{1b}[2Jgone\\u{202e}');
});

it('keeps a start that said nothing, and no more starts than 200', async () => {
  for (let count = 0; count < 3; count++) {
    const logs = keeping();
    const start = logs.of({ ...KNOWN, alias: `a${count}` });
    for (let each = 0; each < 70; each++) start();
    await logs.close();
  }
  expect(await readServerLogs(home)).toHaveLength(200);
  expect((await lk('a2')).stdout).toContain('It said nothing.');
});

it('says once what it cannot keep, and what was never started', async () => {
  const logs = keeping('/dev/null');
  logs.of(KNOWN)();
  await logs.close();
  expect(troubles).toEqual([expect.stringContaining('what servers say is not kept')]);
  expect((await lk()).stdout).toContain('No server was started here yet');
  expect(await lk('mail')).toMatchObject({ exit: 2, stderr: expect.stringContaining('found "mail"') });
  expect(await lk('docs', '--starts', '0')).toMatchObject({ exit: 2 });
});
