/** One after the other, whatever a holder left behind. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { alone } from '../../../runtime/store/alone.ts';
import { refusal } from '../../helpers/machine.ts';
import { tempDir } from '../../helpers/session.ts';

const MODULE = new URL('../../../runtime/store/alone.ts', import.meta.url).href;

const holding = (path: string, then: string): ChildProcess => {
  const code = `import { alone } from ${JSON.stringify(MODULE)};
    await alone(process.argv[1], async () => { console.log('held'); ${then} });`;
  return spawn(process.execPath, ['--input-type=module', '-e', code, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
};

it('is one at a time, within a process', async () => {
  const path = join(tempDir(), 'file');
  let [inside, most, done] = [0, 0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    inside--;
    done++;
  };
  await Promise.all(Array.from({ length: 24 }, () => alone(path, work)));
  expect([most, done]).toEqual([1, 24]);
});

it('is one at a time, among processes that come and go, and leaves nothing', async () => {
  const dir = tempDir();
  const path = join(dir, 'file');
  writeFileSync(path, '0');
  const code = `import { readFileSync, writeFileSync } from 'node:fs';
    import { alone } from ${JSON.stringify(MODULE)};
    const [path] = process.argv.slice(1);
    for (let n = 0; n < 50; n++)
      await alone(path, async () => writeFileSync(path, String(Number(readFileSync(path, 'utf8')) + 1)));`;
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', code, path], { stdio: 'inherit' }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  expect([codes, readFileSync(path, 'utf8')]).toEqual([[0, 0, 0, 0], '200']);
  expect(readdirSync(dir)).toEqual(['file']);
});

it('waits for a holder that is suspended, whatever the clock says, and not for one that was killed', async () => {
  const path = join(tempDir(), 'file');
  const child = holding(path, 'await new Promise((resolve) => process.stdin.once("end", resolve).resume());');
  await once(child.stdout as Readable, 'data');
  child.kill('SIGSTOP');
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(`${path}.lock`, long, long);
  expect(await refusal(alone(path, async () => 'done', 50))).toMatchObject({ code: 'SYSTEM' });
  child.kill('SIGKILL');
  expect(await alone(path, async () => 'done')).toBe('done');
});

it('keeps out who shares the folder from another container, and sees there whether a holder lives', async () => {
  const path = join(tempDir(), 'file');
  const code = `import { alone } from ${JSON.stringify(MODULE)};
    console.log(await alone(process.argv[1], async () => 'done', 50).catch(({ code }) => code));`;
  const inOther = ['--user', '--map-root-user', '--pid', '--fork', '--mount-proc', process.execPath];
  const there = (): string =>
    spawnSync('unshare', [...inOther, '--input-type=module', '-e', code, path], {
      encoding: 'utf8',
    }).stdout.trim();
  expect(await alone(path, async () => there())).toBe('SYSTEM');
  expect(there()).toBe('done');
});

it('takes no room on a disk that is full', () => {
  const path = join(tempDir(), 'file');
  const code = `import { alone } from ${JSON.stringify(MODULE)};
    console.log(await alone(process.argv[1], async () => 'done').catch(({ code }) => code));`;
  // No file of that process may have a byte in it, as on a disk that is full.
  const inShell = [
    '-c',
    'ulimit -f 0; exec "$0" --input-type=module -e "$1" "$2"',
    process.execPath,
    code,
    path,
  ];
  expect(spawnSync('sh', inShell, { encoding: 'utf8' }).stdout.trim()).toBe('done');
  expect(existsSync(`${path}.lock`)).toBe(false);
});

it('says what is in its way', async () => {
  const path = join(tempDir(), 'file');
  mkdirSync(`${path}.lock`);
  expect(await refusal(alone(path, async () => 'done'))).toMatchObject({ code: 'SYSTEM' });
});
