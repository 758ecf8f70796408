/** A registry whose database is restored from a backup, with the processes that an operator has. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readLines } from '../runtime/wire/lines.ts';
import { here } from './helpers/here.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const dir = mkdtempSync(join(tmpdir(), 'lk-restore-'));
chmodSync(dir, 0o755);
const running = new Set<ChildProcess>();
afterAll(async () => {
  for (const child of running) await stop(child);
  rmSync(dir, { recursive: true, force: true });
});

type Told = Record<string, unknown>;
const envOf = (name: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  LOCKKEEPER_HOME: join(dir, name),
  ...more,
});

/** A process of ours, and the first line it says on stdout. */
async function start(
  words: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ child: ChildProcess; told: Told; exit: Promise<unknown> }> {
  const child = spawn(process.execPath, [MAIN, ...words, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const exit = once(child, 'exit').then(([code]) => code as unknown);
  const told = await new Promise<Told>((resolve, reject) =>
    readLines(child.stdout, 1e6, {
      line: (bytes) => resolve(JSON.parse(bytes.toString())),
      end: () => reject(new Error('it said nothing')),
      error: reject,
    }),
  );
  return { child, told, exit };
}

async function stop(child: ChildProcess): Promise<void> {
  running.delete(child);
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
}

async function lk(name: string, ...words: string[]): Promise<Told> {
  return (await here([...words, '--json'], { cwd: dir, env: envOf(name) })).data;
}

/** With owners and modes, as a backup of PostgreSQL's folder has to be. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

describe('a database restored from a backup', () => {
  const data = join(dir, 'data');
  const backup = join(dir, 'backup');
  const serve = ['serve', '--data', data, '--port', '0'];

  it('is refused when it is older than what a witness signed, and taken when it is not', async () => {
    const first = await start(serve, envOf('server'));
    await lk('admin', 'login', String(first.told.url), '--code', String(first.told.code));
    const { keys } = (await lk('admin', 'log', 'key')) as { keys: string[] };
    await stop(first.child);
    const state = ['--state', join(dir, 'witness-state'), '--listen', '127.0.0.1:0'];
    const logs = keys.flatMap((key) => ['--log', key]);
    const witness = await start(
      ['witness', ...logs, '--name', 'witness.test/one', ...state],
      envOf('witness'),
    );
    const witnessed = envOf('server', { LOCKKEEPER_WITNESSES: `${witness.told.key}@${witness.told.url}` });

    // Growth that the witness signs: each setting makes an entry, and the checkpoint is asked for.
    const grow = async (): Promise<void> => {
      const { child, told } = await start(serve, witnessed);
      await lk('admin', 'login', String(told.url), '--code', String(told.code));
      expect(await lk('admin', 'keys', 'rotate', 'scanner')).toHaveProperty('rootVersion');
      expect(await lk('admin', 'log', 'verify')).toMatchObject({ conclusion: 'ok' });
      await stop(child);
    };
    await grow();
    copy(join(data, 'postgres'), backup);
    await grow();
    copy(join(data, 'postgres'), `${backup}-newer`);

    rmSync(join(data, 'postgres'), { recursive: true });
    copy(backup, join(data, 'postgres'));
    const refused = await start(serve, witnessed);
    expect(refused.told.error).toMatchObject({ code: 'LOG_ROLLBACK' });
    expect(await refused.exit).toBe(3);

    rmSync(join(data, 'postgres'), { recursive: true });
    copy(`${backup}-newer`, join(data, 'postgres'));
    await grow();
  });
});
