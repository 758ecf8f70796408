/** Looks at releases in use, by the queue: what becomes of one that fails. */
import type { Job } from 'graphile-worker';
import { asLockkeeperError } from '../schemas/errors.ts';
import { insertEvent } from './db/records.ts';
import { findRelease } from './db/releases.ts';
import type { RunDeps } from './deps.ts';
import { SELF } from './root.ts';

/** Throws what the look throws: the queue tries again, and after the last time there is an event. */
export async function toldOnFailure(
  id: string,
  { attempts, max_attempts: most }: Pick<Job, 'attempts' | 'max_attempts'>,
  { deps, look }: { readonly deps: RunDeps; readonly look: () => Promise<unknown> },
): Promise<void> {
  try {
    await look();
  } catch (thrown) {
    const { code, message, found } = asLockkeeperError(thrown);
    if (code === 'RUN_TAKEN_OVER') throw thrown;
    deps.log.warn({ release: id, code, found, again: attempts < most }, 'not looked at again');
    const row = attempts < most ? null : await findRelease(deps.pool, id);
    if (row) {
      const subject = `${row.name}@${row.version}`;
      const detail = { attempts, code, message: message.slice(0, 2000) };
      await deps.result((client) =>
        insertEvent(client, { person: SELF, action: 'release.look-failed', subject, detail }),
      );
    }
    throw thrown;
  }
}
