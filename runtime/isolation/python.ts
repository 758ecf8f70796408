/** A server on Python, as a sandbox starts it: the machine's own interpreter, the closure's packages and nothing else. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LaunchPlan } from '../ports.ts';
import { type MachinePython, pythonFor } from '../python/machine.ts';

export const START = fileURLToPath(new URL('../python/start.py', import.meta.url));
export const START_INSIDE = '/lockkeeper/start.py';
/** Isolated from variables and the current folder; no `site`, so that no .pth file is run; nothing is compiled to disk. */
const FLAGS = ['-I', '-S', '-B', '-u'];

/** The plan with a command that can be executed, and the Python that it names; null for a server that needs none. */
export async function onPython(
  plan: LaunchPlan,
): Promise<{ plan: LaunchPlan; python: MachinePython | null }> {
  if (plan.python === undefined) return { plan, python: null };
  const python = await pythonFor(plan.python);
  const [, ...rest] = plan.command;
  return { plan: { ...plan, command: [python.path, ...FLAGS, START_INSIDE, ...rest] }, python };
}

/** What bubblewrap is told besides: our launcher, and empty folders over what the machine itself has installed. */
export function pythonWords({ foreign }: MachinePython, start: string): string[] {
  const hidden = foreign.filter((folder) => folder.startsWith('/usr/') && existsSync(folder));
  return [
    ...hidden.flatMap((folder) => ['--tmpfs', folder, '--remount-ro', folder]),
    ...['--ro-bind', start, START_INSIDE],
  ];
}

/** Of the Python, for the journal. */
export function pythonFacts(python: MachinePython | null): Readonly<Record<string, string>> {
  return python === null ? {} : { python: `${python.version} ${python.digest}` };
}
