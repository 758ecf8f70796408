/** Where lk cannot say what it has to say: the disk of its output is full, or whoever read its log is gone. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { tempDir } from '../helpers/session.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const env = { ...process.env, LOCKKEEPER_HOME: tempDir(), NO_COLOR: '1' };
const full = (): number => openSync('/dev/full', 'w');

it('says in a sentence that its output cannot be written, and never that all is well', () => {
  const stdio = ['ignore', full(), 'pipe'] as const;
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'ps', '--json'], { env, stdio: [...stdio] });
  expect(status).toBe(1);
  expect(stderr.toString()).toMatch(/^lk: This machine does not permit it: .*ENOSPC.* \[SYSTEM\]\n$/);
});

it('keeps its verdict where nobody can be told', () => {
  const stdio = ['ignore', 'pipe', full()] as const;
  expect(spawnSync(process.execPath, [MAIN, 'nope'], { env, stdio: [...stdio] }).status).toBe(2);
});

it('goes on where whoever read its log is gone', async () => {
  const child = spawn(process.execPath, [MAIN, 'run', 'nope'], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  (child.stderr as Readable).destroy();
  expect((await once(child, 'exit'))[0]).toBe(2);
});

it('goes on as a registry whose log cannot be written, and holds little of what it would have said', () => {
  const logger = join(import.meta.dirname, '../../registry/logger.ts');
  const code = `import { openLogger } from ${JSON.stringify(logger)};
    const log = openLogger('info');
    for (let n = 0; n < 3000; n++) log.info({ text: 'x'.repeat(10_000) }, 'said');
    globalThis.gc();
    console.log(process.memoryUsage().heapUsed < 16 * 1024 * 1024);`;
  const words = ['--expose-gc', '--input-type=module', '-e', code];
  const { stdout } = spawnSync(process.execPath, words, { env, stdio: ['ignore', 'pipe', full()] });
  expect(stdout.toString()).toBe('true\n');
});
