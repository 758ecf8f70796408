/** npm tarballs under limits. Only plain files come out; anything that could reach elsewhere refuses the whole archive. */
import { posix } from 'node:path';
import { createGunzip } from 'node:zlib';
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

/** What the parser would unpack by itself, past every limit: gzip and zstd. */
const PACKED = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])];
const HEAD_BYTES = 4;

/**
 * All files of a gzipped npm tarball, in memory, its first path component removed as npm does. It is inflated piece by
 * piece, so that what breaks a limit ends there. Throws ARCHIVE_HOSTILE for links, devices, paths that leave the folder,
 * paths that collide (also by letter case), and broken limits.
 */
export async function readTarball(
  tgz: Uint8Array,
  label: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<UnpackedFile[]> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  try {
    gunzip.end(tgz);
    return await filesOf(gunzip, label, limits);
  } finally {
    gunzip.destroy();
  }
}

function filesOf(
  tar: AsyncIterable<Buffer> | Iterable<Buffer>,
  label: string,
  limits: UnpackLimits,
): Promise<UnpackedFile[]> {
  return new Promise<UnpackedFile[]>((resolve, reject) => {
    const files = new Files(label, limits, reject);
    const parser = new (tarball().Parser)({
      ...{ strict: true, brotli: false, zstd: false },
      onReadEntry: (entry) => files.attempt(() => files.take(entry)),
    });
    parser.on('end', () => resolve(files.sorted()));
    parser.on('error', (cause: Error) => files.refuse(cause));
    const feed = async (): Promise<void> => {
      for await (const piece of pieces(tar, label, limits)) {
        parser.write(piece);
        if (files.refused) return;
      }
      parser.end();
    };
    feed().catch((cause: unknown) => files.refuse(cause));
  });
}

/** Never more than the limits could need, and never what the parser would unpack once more. */
async function* pieces(
  tar: AsyncIterable<Buffer> | Iterable<Buffer>,
  label: string,
  limits: UnpackLimits,
): AsyncGenerator<Buffer> {
  const most = limits.maxBytes + limits.maxEntries * 1024;
  let head: Buffer = Buffer.alloc(0);
  let total = 0;
  for await (const chunk of tar) {
    total += chunk.length;
    if (total > most)
      throw hostile(label, `a gzip of at most ${limits.maxBytes} bytes unpacked`, 'more than that');
    if (head.length >= HEAD_BYTES) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (PACKED.some((magic) => head.subarray(0, magic.length).equals(magic)))
      throw hostile(label, 'a whole tar archive', 'one that is packed again');
    if (head.length >= HEAD_BYTES) yield head;
  }
}

/** The same of a tar that is not packed, as this scanner makes of folders. */
export async function readTar(tar: Buffer, label: string): Promise<UnpackedFile[]> {
  return filesOf([tar], label, UNPACK_LIMITS);
}

function hostile(label: string, expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('ARCHIVE_HOSTILE', {
    expected: `${label}: ${expected}`,
    found,
    next: 'Do not use this package; report it to its registry',
    cause,
  });
}

/** The files of one archive, as its entries come. */
class Files {
  refused = false;
  readonly #label: string;
  readonly #limits: UnpackLimits;
  readonly #reject: (error: unknown) => void;
  readonly #files: UnpackedFile[] = [];
  /** By path in small letters: machines that tell cases apart and ones that do not unpack the same. */
  readonly #seen = new Map<string, string>();
  readonly #byPath = new Map<string, Buffer>();
  #entries = 0;
  #total = 0;

  constructor(label: string, limits: UnpackLimits, reject: (error: unknown) => void) {
    this.#label = label;
    this.#limits = limits;
    this.#reject = reject;
  }

  refuse(cause: unknown): void {
    this.refused = true;
    this.#reject(
      cause instanceof LockkeeperError
        ? cause
        : hostile(this.#label, 'a whole tar archive', quote((cause as Error).message), cause),
    );
  }

  attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.refuse(error);
    }
  }

  sorted(): UnpackedFile[] {
    return this.#files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  take(entry: ReadEntry): void {
    const { maxEntries, maxFileBytes, maxBytes } = this.#limits;
    if (++this.#entries > maxEntries) throw hostile(this.#label, `at most ${maxEntries} entries`, 'more');
    if (entry.type === 'Directory' || entry.type === 'GNUDumpDir') {
      entry.resume();
      return;
    }
    if (entry.type !== 'File' && entry.type !== 'OldFile' && entry.type !== 'ContiguousFile') {
      throw hostile(this.#label, 'only files and folders', `${entry.type} ${quote(entry.path)}`);
    }
    this.#total += entry.size;
    if (entry.size > maxFileBytes || this.#total > maxBytes) {
      throw hostile(
        this.#label,
        `files of at most ${maxFileBytes} bytes, ${maxBytes} together`,
        `${quote(entry.path)} with ${entry.size} bytes`,
      );
    }
    const path = safePath(entry.path, this.#label);
    const key = path.toLowerCase();
    const twin = this.#seen.get(key);
    if (twin !== undefined && twin !== path)
      throw hostile(this.#label, 'each path once', `${quote(path)} and ${quote(twin)}`);
    this.#seen.set(key, path);
    const chunks: Buffer[] = [];
    entry.on('data', (chunk) => chunks.push(Buffer.from(chunk)));
    entry.on('end', () => this.#whole(path, Buffer.concat(chunks), ((entry.mode ?? 0) & 0o111) !== 0));
  }

  /** Some packages name a file twice; the same bytes twice are one file. */
  #whole(path: string, bytes: Buffer, executable: boolean): void {
    const before = this.#byPath.get(path);
    this.#byPath.set(path, bytes);
    if (before === undefined) this.#files.push({ path, bytes, executable });
    else if (!before.equals(bytes))
      this.refuse(hostile(this.#label, 'each path once', `${quote(path)} twice, with other bytes`));
  }
}

/** The path without its first component. Absolute, parent, empty, backslash, NUL and over-long paths are refused. */
function safePath(path: string, label: string): string {
  const refused = (why: string): LockkeeperError =>
    hostile(label, 'paths inside the package', `${quote(path)} (${why})`);
  if (/[\0\\]/.test(path)) throw refused('NUL or backslash');
  if (path.includes('\ufffd')) throw refused('not text');
  if (path.startsWith('/')) throw refused('absolute');
  const parts = path.split('/');
  if (parts.includes('..')) throw refused('leaves the folder');
  const rest = posix.normalize(parts.slice(1).join('/'));
  if (rest === '.' || rest === '' || rest.startsWith('/')) throw refused('names no file');
  if (rest.length > 1024 || rest.split('/').some((part) => Buffer.byteLength(part) > 255))
    throw refused('too long');
  return rest;
}
