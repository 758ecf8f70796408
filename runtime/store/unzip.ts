/** All files of a zip that was fetched whole, in memory, under limits. Only plain files come out. */
import { posix } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { UnpackedFile, UnpackLimits } from './unpack.ts';
import { sourceOf, type ZipEntry, zipEntries, zipReader } from './zip.ts';

/** Bytes of a central directory; a hundred thousand entries need some 15 MB. */
const DIRECTORY_BYTES = 64 * 1024 * 1024;
const FOLDER_TYPE = 0o040000;
const FILE_TYPE = 0o100000;
const TYPE_MASK = 0o170000;

export interface Unzipping {
  /** For sentences. */
  readonly label: string;
  readonly limits: UnpackLimits;
  /** What to do about an archive that is refused. */
  readonly next: string;
}

/**
 * Throws ARCHIVE_HOSTILE for links and devices, paths that leave, paths that collide (by letter case or composed letters,
 * or a file where a folder is), passwords, entries that share bytes, and broken limits.
 */
export async function unzip(bytes: Buffer, unzipping: Unzipping): Promise<UnpackedFile[]> {
  const { limits, label } = unzipping;
  const zip = {
    archiveBytes: limits.maxBytes,
    entries: limits.maxEntries,
    directoryBytes: DIRECTORY_BYTES,
    entryBytes: limits.maxFileBytes,
    totalBytes: limits.maxBytes,
  };
  const source = sourceOf(bytes);
  const reader = zipReader(source, zip);
  const files: UnpackedFile[] = [];
  const taken = placesIn(unzipping);
  try {
    for (const entry of await zipEntries(source, zip)) {
      const path = pathOf(entry, unzipping);
      taken(path);
      if (entry.name.endsWith('/')) continue;
      files.push({ path, bytes: await reader.bytes(entry), executable: (entry.mode & 0o111) !== 0 });
    }
  } catch (error) {
    if (!(error instanceof LockkeeperError) || error.expected.startsWith(`${label}: `)) throw error;
    throw refusal(unzipping, error.expected, error.found, error);
  }
  return files;
}

export function refusal(
  { label, next }: Pick<Unzipping, 'label' | 'next'>,
  expected: string,
  found: string,
  cause?: unknown,
): LockkeeperError {
  return new LockkeeperError('ARCHIVE_HOSTILE', { expected: `${label}: ${expected}`, found, next, cause });
}

/**
 * Takes paths one by one; a folder's ends in a slash. Remembers what stands where, as a machine sees it that tells neither
 * letter case nor composed letters apart. The taker throws ARCHIVE_HOSTILE.
 */
export function placesIn(unzipping: Unzipping): (path: string) => void {
  const files = new Map<string, string>();
  const folders = new Map<string, string>();
  return (path) => {
    if (!isPlain(path.endsWith('/') ? path.slice(0, -1) : path))
      throw refusal(unzipping, 'plain paths inside the package', quote(path));
    const parts = path.normalize('NFC').toLowerCase().split('/');
    const isFolder = parts.at(-1) === '';
    if (isFolder) parts.pop();
    const key = parts.join('/');
    const above = parts.slice(0, isFolder ? undefined : -1).map((_, at) => parts.slice(0, at + 1).join('/'));
    const inTheWay = above.map((one) => files.get(one)).find((one) => one !== undefined);
    const twin = inTheWay ?? (isFolder ? undefined : (files.get(key) ?? folders.get(key)));
    if (twin !== undefined) throw refusal(unzipping, 'each path once', `${quote(path)} and ${quote(twin)}`);
    if (!isFolder) files.set(key, path);
    for (const one of above) folders.set(one, path);
  };
}

/** Folders end in a slash. Other than regular files and folders nothing is taken. */
function pathOf({ name, mode }: ZipEntry, unzipping: Unzipping): string {
  const type = mode & TYPE_MASK;
  if (type === 0 || type === (name.endsWith('/') ? FOLDER_TYPE : FILE_TYPE)) return name;
  throw refusal(unzipping, 'only files and folders', `${quote(name)} with mode ${mode.toString(8)}`);
}

/** Is it a path below the package, written in the one way that it can be? */
function isPlain(path: string): boolean {
  const parts = path.split('/');
  return (
    path !== '' &&
    !/[\0\\\ufffd]/.test(path) &&
    posix.normalize(path) === path &&
    !parts.includes('..') &&
    !parts.includes('.') &&
    !path.startsWith('/') &&
    path.length <= 1024 &&
    parts.every((part) => Buffer.byteLength(part) <= 255)
  );
}
