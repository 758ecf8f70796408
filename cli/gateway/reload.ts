/** A lock that changes on the disk is taken over while the gateway runs, once it verifies; until then the old one stands. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Project } from '../project.ts';

const LOOK_MS = 2000;
/** What could not be done is tried again after so long: who was not reached may be by then. */
const AGAIN_MS = 30_000;
/** Exit codes of what is so at one time and not at another: broken, and could not verify. */
const PASSING: readonly number[] = [1, 4];

export interface ReloadOptions {
  readonly project: Project;
  /** Takes it over; what it throws leaves the old one in place. */
  readonly reload: () => Promise<string>;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
  readonly lookMs?: number;
  readonly againMs?: number;
}

/** Looks until `stop` aborts. Each state of the files is tried until it is taken over, or refused. */
export async function watchLock(options: ReloadOptions): Promise<void> {
  const { project, say, stop, lookMs = LOOK_MS, againMs = AGAIN_MS } = options;
  let seen = await stateOf(project);
  let due = Number.POSITIVE_INFINITY;
  let said = '';
  while (!stop.aborted) {
    await sleep(lookMs, undefined, { signal: stop }).catch(() => undefined);
    const now = await stateOf(project);
    if (stop.aborted || (now === seen && performance.now() < due)) continue;
    seen = now;
    const { line, passing } = await tried(options);
    due = passing ? performance.now() + againMs : Number.POSITIVE_INFINITY;
    if (!passing || line !== said) say(line);
    said = line;
  }
}

/** What came of it. `passing`: it may come otherwise the next time. */
async function tried({ reload }: ReloadOptions): Promise<{ line: string; passing: boolean }> {
  try {
    return { line: await reload(), passing: false };
  } catch (thrown) {
    const { message, exit } = asLockkeeperError(thrown);
    const line = `the changed lock is not taken over, the one before stands: ${message}`;
    return { line, passing: PASSING.includes(exit) };
  }
}

async function stateOf({ lockPath, intentPath }: Project): Promise<string> {
  const states = await Promise.all(
    [lockPath, intentPath].map((path) =>
      stat(path).then(
        ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
        () => 'none',
      ),
    ),
  );
  return states.join(' ');
}
