/** A lock that changes on the disk is taken over while the gateway runs, once it verifies; until then the old one stands. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Project } from '../project.ts';

const LOOK_MS = 2000;

export interface ReloadOptions {
  readonly project: Project;
  /** Takes it over; what it throws leaves the old one in place. */
  readonly reload: () => Promise<string>;
  readonly say: (line: string) => void;
  readonly stop: AbortSignal;
}

/** Looks until `stop` aborts. Each state of the files is tried once. */
export async function watchLock({ project, reload, say, stop }: ReloadOptions): Promise<void> {
  let seen = await stateOf(project);
  while (!stop.aborted) {
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
    const now = await stateOf(project);
    if (stop.aborted || now === seen) continue;
    seen = now;
    await reload().then(
      (line) => say(line),
      (thrown: unknown) =>
        say(
          `the changed lock is not taken over, the one before stands: ${asLockkeeperError(thrown).message}`,
        ),
    );
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
