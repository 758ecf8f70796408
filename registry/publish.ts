/** Checkpoints in a place of their own, where a log that was cut back or rewritten contradicts what lies there. */
import type { Logger } from 'pino';
import type { BucketSetting } from '../runtime/store/bucket-setting.ts';
import { assertGrew } from '../runtime/trust/checkpoint.ts';
import { asLockkeeperError, LockkeeperError } from '../schemas/errors.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';
import type { Pool } from './db/pool.ts';
import { insertEvent } from './db/records.ts';
import { consistencyProof } from './log.ts';
import { SELF } from './root.ts';
import { bucketShelf } from './shelves/bucket.ts';
import { folderShelf } from './shelves/folder.ts';
import { gitShelf } from './shelves/git.ts';
import type { Shelf } from './shelves/shelf.ts';

export type PublishSetting =
  | {
      readonly folder: string;
      /** The folder is in a work tree of git, and what is written is committed. */
      readonly git: boolean;
    }
  | { readonly bucket: BucketSetting };

/** Puts a note where others can see it; is given the way to prove that it continues what lies there. */
export type Publish = (note: string, proof: (from: number, to: number) => Promise<Buffer[]>) => Promise<void>;

/** How often it looks again when somebody else wrote meanwhile. */
const MAX_ROUNDS = 8;

/**
 * Writes `checkpoints/<size>`, once, and `checkpoint`, only forward. What was published is never contradicted: throws
 * LOG_FORK for a log that does not continue it, LOG_ROLLBACK for a smaller one, and leaves the place as it is.
 */
export function publisherOf(setting: PublishSetting): Publish {
  const shelf = shelfOf(setting);
  return async (note, proof) => {
    const now = readCheckpoint(parseNote(note).text);
    const kept = `checkpoints/${now.size}`;
    for (let left = MAX_ROUNDS; left > 0; left--) {
      const [same, newest] = [await shelf.read(kept), await shelf.read('checkpoint')];
      for (const published of [newest, same]) {
        if (published === null) continue;
        const earlier = readCheckpoint(parseNote(published.note).text);
        const grown = earlier.size > 0 && earlier.size < now.size;
        assertGrew(earlier, now, grown ? await proof(earlier.size, now.size) : null);
      }
      // The one that is kept for good first: `checkpoint` never names a size that is not there.
      if (same === null && !(await shelf.lay(kept, note, null))) continue;
      if (newest?.note !== note && !(await shelf.lay('checkpoint', note, newest))) continue;
      return shelf.finish([kept, 'checkpoint'], now.size);
    }
    throw new LockkeeperError('PUBLISHED_REFUSED', {
      expected: `the checkpoint of ${now.size} entries to be written within ${MAX_ROUNDS} tries`,
      found: 'somebody else who wrote there each time',
      next: 'Give each registry a place of its own to publish in',
    });
  };
}

function shelfOf(setting: PublishSetting): Shelf {
  if ('bucket' in setting) return bucketShelf(setting.bucket);
  return setting.git ? gitShelf(setting.folder) : folderShelf(setting.folder);
}

export interface PublishingParts {
  readonly pool: Pool;
  readonly log: Logger;
  readonly publish: Publish | null;
  /** The note to publish, as it is given out at that moment. */
  readonly newest: () => Promise<string>;
}

/**
 * Publishes in the background, one after the other; many calls while one is at work are one. A failure holds nothing up:
 * it is told once, and tried again at the next call. What works again is told too.
 */
export function publishing({ pool, log, publish, newest }: PublishingParts): () => void {
  if (publish === null) return () => undefined;
  const proof = (from: number, to: number): Promise<Buffer[]> => consistencyProof(pool, from, to);
  const once = async (): Promise<void> =>
    publish(await newest(), proof).catch(async (error: unknown) => {
      // Another replica may have published a larger one meanwhile: then this one has it too.
      if (asLockkeeperError(error).code !== 'LOG_ROLLBACK') throw error;
      await publish(await newest(), proof);
    });
  let before = '';
  const told = async (error: unknown): Promise<void> => {
    const said = error === null ? '' : asLockkeeperError(error).message;
    if (error !== null) log.error({ err: error }, 'the checkpoint was not published');
    if (said === before) return;
    before = said;
    const action = said === '' ? 'log.published' : 'log.unpublished';
    await insertEvent(pool, { person: SELF, action, subject: 'log', detail: { said } });
  };
  let running = false;
  let again = false;
  const work = async (): Promise<void> => {
    running = true;
    do {
      again = false;
      await once()
        .then(() => told(null), told)
        .catch((error: unknown) => log.error({ err: error }, 'the event was not stored'));
    } while (again);
    running = false;
  };
  return () => {
    again = true;
    if (!running) void work();
  };
}
