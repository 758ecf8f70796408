/**
 * `lk` in the process of the test: its words, its settings, its exit code and all that it says, without the third of a
 * second of a processor that a process takes. Tests of the process itself start one.
 */
import { apart, type Said, type Speaks } from '../../cli/drill/company.ts';
import { lk } from '../../cli/lk.ts';
import type { JsonObject } from '../../schemas/common.ts';

/** They own the streams, signals or the exit code of their process. */
const OF_A_PROCESS = ['serve', 'run', 'gateway', 'dashboard', 'witness', 'drill', 'try'];

/** One that says an object, or nothing. */
export const here: Speaks = async (words, machine): Promise<Said> => {
  if (OF_A_PROCESS.includes(words[0] ?? '')) return apart(words, machine);
  const { exit, stdout, stderr } = await lkHere(words, machine.env, machine.cwd);
  return { exit, data: stdout.trim() === '' ? {} : (JSON.parse(stdout) as JsonObject), stderr };
};

export async function lkHere(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd = process.cwd(),
): Promise<{ exit: number; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  const hears = (name: keyof typeof said) => ({ write: (text: string) => void (said[name] += text) });
  const exit = await lk(words, env, { cwd, stdout: hears('stdout'), stderr: hears('stderr') });
  return { exit, ...said };
}
