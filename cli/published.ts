/** Checkpoints that lie in a file or a published folder: what the registry said before. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LockkeeperError, quote } from '../schemas/errors.ts';

/** A note is at most 64 KiB. */
const MAX_BYTES = 64 * 1024;
/** The newest of a folder; each is asked a proof for. */
const MAX_NOTES = 100;

export interface Published {
  readonly path: string;
  readonly note: string;
}

/** The note of a file, or those of a folder: `checkpoint` and the newest of `checkpoints`. Throws USAGE for neither. */
export async function readPublished(path: string): Promise<Published[]> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [await readNote(path)];
  const sizes = await readdir(join(path, 'checkpoints')).catch((): string[] => []);
  const newest = sizes
    .filter((name) => /^[1-9][0-9]{0,15}$/.test(name))
    .sort((a, b) => Number(b) - Number(a))
    .slice(0, MAX_NOTES)
    .map((name) => join(path, 'checkpoints', name));
  const head = join(path, 'checkpoint');
  const there = (await stat(head).catch(() => null))?.isFile() ? [head] : [];
  const paths = [...there, ...newest];
  if (paths.length > 0) return Promise.all(paths.map(readNote));
  throw new LockkeeperError('USAGE', {
    expected: '--against a checkpoint, or a folder that a registry publishes in',
    found: quote(path, 200),
    next: 'Name what LOCKKEEPER_PUBLISH of the registry writes, or a copy of it',
  });
}

async function readNote(path: string): Promise<Published> {
  const { size } = await stat(path);
  if (size <= MAX_BYTES) return { path, note: await readFile(path, 'utf8') };
  throw new LockkeeperError('DOCUMENT_INVALID', {
    expected: `${quote(basename(path))} to be a note of at most ${MAX_BYTES} bytes`,
    found: `${size} bytes`,
    next: 'Name another file',
  });
}
