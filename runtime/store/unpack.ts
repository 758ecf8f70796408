/** npm tarballs under limits. Only plain files come out; anything that could reach elsewhere refuses the whole archive. */
import { posix } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { tar as tarball } from '../lazy.ts';

export interface UnpackLimits {
  readonly maxEntries: number;
  /** Bytes of all files together, unpacked. */
  readonly maxBytes: number;
  readonly maxFileBytes: number;
}

export const UNPACK_LIMITS: UnpackLimits = {
  maxEntries: 100_000,
  maxBytes: 1024 ** 3,
  maxFileBytes: 256 * 1024 ** 2,
};

export interface UnpackedFile {
  /** Path below the package folder, with forward slashes and no dot parts. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly executable: boolean;
}

const inflate = promisify(gunzip);

/**
 * All files of a gzipped npm tarball, in memory, its first path component removed as npm does. Throws ARCHIVE_HOSTILE
 * for links, devices, paths that leave the folder, paths that collide (also by letter case), and broken limits.
 */
export async function readTarball(
  tgz: Uint8Array,
  label: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<UnpackedFile[]> {
  const tar = await inflate(tgz, { maxOutputLength: limits.maxBytes + limits.maxEntries * 1024 }).catch(
    (cause: NodeJS.ErrnoException) => {
      const found = cause.code === 'ERR_BUFFER_TOO_LARGE' ? 'more than that' : quote(cause.message);
      throw hostile(label, `a gzip of at most ${limits.maxBytes} bytes unpacked`, found, cause);
    },
  );
  return parse(tar, label, limits);
}

/** The same of a tar that is not packed, as this scanner makes of folders. */
export async function readTar(
  tar: Buffer,
  label: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<UnpackedFile[]> {
  return parse(tar, label, limits);
}

function hostile(label: string, expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('ARCHIVE_HOSTILE', {
    expected: `${label}: ${expected}`,
    found,
    next: 'Do not use this package; report it to its registry',
    cause,
  });
}

async function parse(tar: Buffer, label: string, limits: UnpackLimits): Promise<UnpackedFile[]> {
  const files: UnpackedFile[] = [];
  /** By path in small letters: machines that tell cases apart and ones that do not unpack the same. */
  const seen = new Map<string, string>();
  const byPath = new Map<string, Buffer>();
  let entries = 0;
  let total = 0;
  const take = (entry: ReadEntry): void => {
    if (++entries > limits.maxEntries) throw hostile(label, `at most ${limits.maxEntries} entries`, 'more');
    if (entry.type === 'Directory' || entry.type === 'GNUDumpDir') {
      entry.resume();
      return;
    }
    if (entry.type !== 'File' && entry.type !== 'OldFile' && entry.type !== 'ContiguousFile') {
      throw hostile(label, 'only files and folders', `${entry.type} ${quote(entry.path)}`);
    }
    total += entry.size;
    if (entry.size > limits.maxFileBytes || total > limits.maxBytes) {
      throw hostile(
        label,
        `files of at most ${limits.maxFileBytes} bytes, ${limits.maxBytes} together`,
        `${quote(entry.path)} with ${entry.size} bytes`,
      );
    }
    const path = safePath(entry.path, label);
    const key = path.toLowerCase();
    const twin = seen.get(key);
    if (twin !== undefined && twin !== path)
      throw hostile(label, 'each path once', `${quote(path)} and ${quote(twin)}`);
    seen.set(key, path);
    const chunks: Buffer[] = [];
    entry.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    entry.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const before = byPath.get(path);
      byPath.set(path, bytes);
      // Some packages name a file twice; the same bytes twice are one file.
      if (before === undefined) files.push({ path, bytes, executable: ((entry.mode ?? 0) & 0o111) !== 0 });
      else if (!before.equals(bytes))
        refuse(hostile(label, 'each path once', `${quote(path)} twice, with other bytes`));
    });
  };
  let refuse: (error: unknown) => void = () => undefined;
  await new Promise<void>((resolve, reject) => {
    refuse = reject;
    const parser = new (tarball().Parser)({
      strict: true,
      onReadEntry: (entry) => attempt(() => take(entry), reject),
    });
    parser.on('end', () => resolve());
    parser.on('error', (cause: Error) =>
      reject(
        cause instanceof LockkeeperError
          ? cause
          : hostile(label, 'a whole tar archive', quote(cause.message), cause),
      ),
    );
    attempt(() => parser.end(tar), reject);
  });
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function attempt(run: () => void, reject: (error: unknown) => void): void {
  try {
    run();
  } catch (error) {
    reject(error);
  }
}

/** The path without its first component. Absolute, parent, empty, backslash, NUL and over-long paths are refused. */
function safePath(path: string, label: string): string {
  const refused = (why: string): LockkeeperError =>
    hostile(label, 'paths inside the package', `${quote(path)} (${why})`);
  if (/[\0\\]/.test(path)) throw refused('NUL or backslash');
  if (path.startsWith('/')) throw refused('absolute');
  const parts = path.split('/');
  if (parts.includes('..')) throw refused('leaves the folder');
  const rest = posix.normalize(parts.slice(1).join('/'));
  if (rest === '.' || rest === '' || rest.startsWith('/')) throw refused('names no file');
  if (rest.length > 1024 || rest.split('/').some((part) => Buffer.byteLength(part) > 255))
    throw refused('too long');
  return rest;
}
