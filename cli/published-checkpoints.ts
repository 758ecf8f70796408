/** Checkpoints that lie in a file, a folder, a bucket or at an address: what the registry said before. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readBounded, whyUnanswered } from '../runtime/fetched.ts';
import { openBucket } from '../runtime/store/bucket.ts';
import { assertAddress, bucketAt } from '../runtime/store/bucket-setting.ts';
import { MAX_NOTE, readNoteFile } from '../runtime/store/note-file.ts';
import { LockkeeperError, quote, refusing } from '../schemas/errors.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';

/** The newest of a place; each is asked a proof for. */
const MAX_NOTES = 100;
/** Milliseconds for one request to an address. */
const REQUEST_MS = 10_000;

export interface Published {
  readonly path: string;
  readonly note: string;
}

export interface PublishedPlace {
  /** One name for the place, from wherever it is read; null for one file alone. */
  readonly place: string | null;
  readonly notes: readonly Published[];
}

interface Place {
  readonly place: string;
  pathOf(name: string): string;
  /** Names in `checkpoints/`; null where nobody can list them. */
  kept(): Promise<string[] | null>;
  read(name: string): Promise<string | null>;
}

export interface Where {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The note of a file, or those of a place that a registry publishes in: `checkpoint` and the newest of `checkpoints`.
 * Throws USAGE for neither, PUBLISHED_SHRANK where one that is named is not kept any more, PUBLISHED_FOREIGN for what is no
 * note or one of another size, PUBLISHED_UNREACHABLE, PUBLISHED_REFUSED or CONFIG_INVALID.
 */
export async function readPublished(named: string, where: Where): Promise<PublishedPlace> {
  if (named.startsWith('s3://')) return readPlace(bucketPlace(named, where));
  if (/^https?:\/\//.test(named)) return readPlace(addressPlace(named));
  const path = resolve(where.cwd, named);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return readPlace(folderPlace(path));
  const real = await realpath(path);
  const note = await readNoteFile(dirname(real), basename(real));
  return { place: null, notes: note === null ? [] : [{ path, note }] };
}

async function readPlace(place: Place): Promise<PublishedPlace> {
  // Names first: what is laid meanwhile is then newer than them, and never missing among them.
  const names = await place.kept();
  const head = await place.read('checkpoint');
  const named = head === null ? [] : [sizeOf(head)];
  const all = names && named.some((size) => !names.includes(size)) ? await place.kept() : names;
  // It was laid before `checkpoint` was: a second list has it, or leaves out what is there.
  const hidden = all && named.find((size) => !all.includes(size));
  if (hidden) throw shrank(`checkpoints/${hidden} in the list of ${quote(place.place, 200)}`, 'none');
  const sizes = (all ?? []).filter((name) => /^[1-9][0-9]{0,15}$/.test(name));
  if (head === null && sizes.length === 0) throw nothing(place.place);
  const wanted = [...new Set([...named, ...sizes])].sort((a, b) => Number(b) - Number(a)).slice(0, MAX_NOTES);
  const read = await Promise.all(
    wanted.map(async (size) => ({ size, note: await place.read(`checkpoints/${size}`) })),
  );
  const first = head === null ? [] : [{ path: place.pathOf('checkpoint'), note: head }];
  return {
    place: place.place,
    notes: [...first, ...read.flatMap((one) => kept(place, one, names !== null))],
  };
}

const sizeOf = (note: string): string => String(readCheckpoint(parseNote(note).text).size);

/** What is listed, or named by `checkpoint`, is there, and of the size that its name says. */
function kept(
  { place, pathOf }: Place,
  { size, note }: { size: string; note: string | null },
  listed: boolean,
): Published[] {
  const path = pathOf(`checkpoints/${size}`);
  if (note === null && !listed) return [];
  if (note === null)
    throw shrank(`checkpoints/${size}, which is named there, in ${quote(place, 200)}`, 'none there');
  if (sizeOf(note) === size) return [{ path, note }];
  throw new LockkeeperError('PUBLISHED_FOREIGN', {
    expected: `a checkpoint of ${size} entries at ${quote(path, 200)}`,
    found: `one of ${sizeOf(note)}`,
    next: 'Find out who may write there, restore it from a copy, and tell your security team',
  });
}

/** Less is there than there was: whoever can write there takes away what a log that is cut back would contradict. */
export const shrank = refusing(
  'PUBLISHED_SHRANK',
  'Find out who may write there, restore it from a copy, and tell your security team',
);

function nothing(place: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: '--against a checkpoint, or a folder, bucket or address that a registry publishes in',
    found: quote(place, 200),
    next: 'Name what LOCKKEEPER_PUBLISH of the registry writes, or a copy of it',
  });
}

function folderPlace(path: string): Place {
  return {
    place: path,
    pathOf: (name) => join(path, name),
    kept: () =>
      readdir(join(path, 'checkpoints')).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw unread(join(path, 'checkpoints'), error);
      }),
    read: (name) => readNoteFile(path, name),
  };
}

function unread(path: string, error: NodeJS.ErrnoException): LockkeeperError {
  return new LockkeeperError('PUBLISHED_REFUSED', {
    expected: `a folder of checkpoints at ${quote(path, 200)}`,
    found: error.code ?? 'none',
    next: 'Check who may read it',
    cause: error,
  });
}

function bucketPlace(named: string, { environment }: Where): Place {
  const setting = bucketAt(named, environment);
  const bucket = openBucket(setting);
  const place = setting.place.replace(/\/$/, '');
  return {
    place,
    pathOf: (name) => `${place}/${name}`,
    kept: () => bucket.list('checkpoints/'),
    read: async (name) => (await bucket.read(name))?.text ?? null,
  };
}

/** Whatever serves files: nothing there can be listed. */
function addressPlace(named: string): Place {
  const place = assertAddress(named, '--against').href.replace(/\/+$/, '');
  const told = (found: string, code: 'PUBLISHED_REFUSED' | 'PUBLISHED_UNREACHABLE'): LockkeeperError =>
    new LockkeeperError(code, {
      expected: `${quote(place, 200)} to give checkpoints`,
      found,
      next: 'Check the address in another way, such as with curl',
    });
  return {
    place,
    pathOf: (name) => `${place}/${name}`,
    kept: async () => null,
    read: async (name) => {
      const signal = AbortSignal.timeout(REQUEST_MS);
      try {
        const response = await fetch(`${place}/${name}`, { signal, redirect: 'error' });
        const bytes = await readBounded(response.body, MAX_NOTE);
        if (response.status === 404) return null;
        if (response.status === 200 && bytes !== null) return bytes.toString('utf8');
        throw told(
          bytes === null ? `more than ${MAX_NOTE} bytes` : `status ${response.status}`,
          'PUBLISHED_REFUSED',
        );
      } catch (cause) {
        if (cause instanceof LockkeeperError) throw cause;
        throw told(quote(whyUnanswered(cause), 200), 'PUBLISHED_UNREACHABLE');
      }
    },
  };
}
