/** Checkpoints in a place of their own, where a log that was cut back or rewritten contradicts what lies there. */
import type { Logger } from 'pino';
import type { BucketSetting } from '../../runtime/store/bucket-setting.ts';
import { assertGrew } from '../../runtime/trust/checkpoint.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  type Checkpoint,
  type Note,
  type NoteKey,
  parseNote,
  readCheckpoint,
  readNoteKey,
  signersOf,
} from '../../schemas/note.ts';
import type { Pool } from '../db/pool.ts';
import { insertEvent } from '../db/records.ts';
import { consistencyProof } from '../log.ts';
import { SELF } from '../root.ts';
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

/** The log that a note is of. */
interface OfLog {
  /** That the log of `to` entries continues the one of `from`. */
  readonly proof: (from: number, to: number) => Promise<Buffer[]>;
  /** Log keys of today's root. */
  readonly keys: readonly NoteKey[];
}

/** Puts a note where others can see it. */
export type Publish = (note: string, log: OfLog) => Promise<void>;

/** How often it looks again when somebody else wrote meanwhile. */
const MAX_ROUNDS = 8;
/** Left by whoever was killed: so many at a time are made good. */
const MAX_UNFINISHED = 100;

/**
 * Writes `checkpoints/<size>`, once, and `checkpoint`, only forward. What was published is never contradicted: throws
 * LOG_FORK for a log that does not continue it, LOG_ROLLBACK for a smaller one, PUBLISHED_FOREIGN for what the log did not
 * sign, and leaves the place as it is.
 */
export function publisherOf(setting: PublishSetting): Publish {
  const shelf = shelfOf(setting);
  return async (note, log) => {
    const now = readCheckpoint(parseNote(note).text);
    const kept = `checkpoints/${now.size}`;
    for (let left = MAX_ROUNDS; left > 0; left--) {
      const [same, newest] = [await shelf.read(kept), await shelf.read('checkpoint')];
      if (newest) await assertContinues('checkpoint', newest.note, { now, log });
      if (same) await assertContinues(kept, same.note, { now, log });
      // The one that is kept for good first: `checkpoint` never names a size that is not there.
      if (same === null && !(await shelf.lay(kept, note, null))) continue;
      if (newest?.note !== note && !(await shelf.lay('checkpoint', note, newest))) continue;
      const notes = new Map([...(await leftBehind(shelf, { now, log })), [kept, same?.note ?? note]]);
      return shelf.finish(notes.set('checkpoint', note), now.size);
    }
    throw new LockkeeperError('PUBLISHED_REFUSED', {
      expected: `the checkpoint of ${now.size} entries to be written within ${MAX_ROUNDS} tries`,
      found: 'somebody else who wrote there each time',
      next: 'Give each registry a place of its own to publish in',
    });
  };
}

interface Against {
  readonly now: Checkpoint;
  readonly log: OfLog;
}

/** The log of now continues what lies there; only what the log signed itself can accuse it. */
async function assertContinues(name: string, note: string, { now, log }: Against): Promise<void> {
  const foreign = (found: string): LockkeeperError =>
    new LockkeeperError('PUBLISHED_FOREIGN', {
      expected: `a checkpoint of the log ${now.origin} at ${name}`,
      found,
      next: 'Give each registry a place of its own, find out who may write there, and restore it from a copy',
    });
  const { parsed, earlier } = readOr(note, foreign);
  if (earlier.origin !== now.origin) throw foreign(`one of the log ${quote(earlier.origin)}`);
  if (name !== 'checkpoint' && name !== `checkpoints/${earlier.size}`)
    throw foreign(`one of ${earlier.size} entries`);
  const grown = earlier.size > 0 && earlier.size < now.size;
  const proof = grown ? await log.proof(earlier.size, now.size) : null;
  try {
    assertGrew(earlier, now, proof);
  } catch (error) {
    if (signersOf(parsed, log.keys.map(readNoteKey))?.has(now.origin)) throw error;
    throw foreign('one that it does not continue, under no key of today’s root');
  }
}

function readOr(
  note: string,
  foreign: (found: string) => LockkeeperError,
): { parsed: Note; earlier: Checkpoint } {
  try {
    const parsed = parseNote(note);
    return { parsed, earlier: readCheckpoint(parsed.text) };
  } catch {
    throw foreign('something else');
  }
}

/** What was laid by somebody who was killed before it was finished, as far as the log continues it. */
async function leftBehind(shelf: Shelf, { now, log }: Against): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for (const name of (await shelf.unfinished()).slice(0, MAX_UNFINISHED)) {
    try {
      const shown = await shelf.read(name);
      if (shown === null) continue;
      await assertContinues(name, shown.note, { now, log });
      found.push([name, shown.note]);
    } catch (error) {
      if (!(error instanceof LockkeeperError)) throw error;
    }
  }
  return found;
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
  readonly keys: () => Promise<readonly NoteKey[]>;
}

/**
 * Publishes in the background, one after the other; many calls while one is at work are one. A failure holds nothing up:
 * it is told once, and tried again at the next call. What works again is told too.
 */
export function publishing({ pool, log, publish, newest, keys }: PublishingParts): () => void {
  if (publish === null) return () => undefined;
  const proof: OfLog['proof'] = (from, to) => consistencyProof(pool, from, to);
  const once = async (): Promise<void> => {
    const of = { proof, keys: await keys() };
    await publish(await newest(), of).catch(async (error: unknown) => {
      // Another replica may have published a larger one meanwhile: then this one has it too.
      if (asLockkeeperError(error).code !== 'LOG_ROLLBACK') throw error;
      await publish(await newest(), of);
    });
  };
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
