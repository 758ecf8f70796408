/** One person's machine, in this process: what `lk keys` sees of it. */
import { type Context, parseWords, type Result } from '../../cli/command.ts';
import { keys } from '../../cli/commands/keys.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { tempDir } from './session.ts';

export function machine(environment: Record<string, string> = {}): Context {
  const dir = tempDir();
  const config = loadCliConfig({ ...environment, LOCKKEEPER_HOME: dir, USER: 'alice' }, false);
  return {
    config,
    home: openHome(dir),
    cwd: dir,
    paint: makePaint(false),
    say: () => undefined,
    progress: () => undefined,
    now: () => new Date(),
    json: false,
    api: () => Promise.reject(new Error('no registry here')),
  };
}

export async function lkKeys(context: Context, ...argv: string[]): Promise<Result & { data: JsonObject }> {
  const { words, values } = parseWords('keys', keys, argv);
  return (await keys.run(context, words, values)) as Result & { data: JsonObject };
}

/** The promise's refusal; fails when there is none. */
export async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error as { code: string; message: string },
  );
  if (thrown === null) throw new Error('it was not refused');
  return thrown;
}
