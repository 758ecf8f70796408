/** One after the other, whatever a holder left behind. */
import { spawnSync } from 'node:child_process';
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { alone } from '../../../runtime/store/alone.ts';
import { tempDir } from '../../helpers/session.ts';

const MODULE = new URL('../../../runtime/store/alone.ts', import.meta.url).href;

/** Of a process that ended. */
const GONE = `${spawnSync(process.execPath, ['--version']).pid}`;

it('is one at a time, also where many find that the holder before them is gone', async () => {
  const path = join(tempDir(), 'file');
  let [inside, most, done] = [0, 0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    inside--;
    done++;
    writeFileSync(`${path}.held`, GONE);
  };
  writeFileSync(`${path}.held`, GONE);
  await Promise.all(Array.from({ length: 24 }, () => alone(path, work)));
  expect([most, done]).toEqual([1, 24]);
});

it('is not ended by whoever took too long for it', async () => {
  const path = join(tempDir(), 'file');
  const [entered, next] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const other = await alone(path, async () => {
    const long = new Date(Date.now() - 60_000);
    utimesSync(`${path}.held`, long, long);
    const whole = alone(path, () => {
      entered.resolve();
      return next.promise;
    });
    await entered.promise;
    return { whole };
  });
  expect(existsSync(`${path}.held`)).toBe(true);
  next.resolve();
  await other.whole;
  expect(existsSync(`${path}.held`)).toBe(false);
});

it('keeps nobody waiting where it could not be written down', () => {
  const path = join(tempDir(), 'file');
  const code = `import { alone } from ${JSON.stringify(MODULE)};
    const why = await alone(process.argv[1], async () => 'done').catch(({ code }) => code);
    console.log(why);`;
  // No file of that process may have a byte in it, as on a disk that is full.
  const inShell = [
    '-c',
    'ulimit -f 0; exec "$0" --input-type=module -e "$1" "$2"',
    process.execPath,
    code,
    path,
  ];
  expect(spawnSync('sh', inShell, { encoding: 'utf8' }).stdout.trim()).toBe('EFBIG');
  expect(existsSync(`${path}.held`)).toBe(false);
});
