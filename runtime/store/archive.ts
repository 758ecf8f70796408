/**
 * One file that holds many, in exactly one written form: a tar whose every header byte follows from path and size, whose
 * last member `digest` is SHA-256 over all bytes before it. So there are no links, no modes, no dates and no room for
 * anything beside; a changed byte anywhere is a refusal. Written and read from front to end, a piece at a time.
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Header } from 'tar';
import { LockkeeperError, quote, refusing } from '../../schemas/errors.ts';

const BLOCK = 512;
const CHUNK = 1 << 20;
const DIGEST = 'digest';
/** Short enough for one header; no dot parts, nothing absolute. */
const PATH = /^(?!.*(?:^|\/)\.)[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/;
const MAX_PATH = 100;

export interface ArchiveWriter {
  /** Adds a member. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /** Ends the archive and moves it to its place; before that there is nothing there. `check` sees it whole first. */
  close(check?: (path: string) => Promise<void>): Promise<{ readonly bytes: number }>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

export interface ArchiveMember {
  readonly path: string;
  readonly size: number;
  /** The whole member. Throws ARCHIVE_INVALID above `limit` bytes. */
  read(limit: number): Promise<Buffer>;
  /** The same a piece at a time. */
  pieces(): AsyncGenerator<Buffer>;
}

function headerOf(path: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const header = new Header({
    path,
    size,
    type: 'File',
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date(0),
  });
  header.encode(block, 0);
  return block;
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Begins an archive beside its place. */
export async function writeArchive(path: string): Promise<ArchiveWriter> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o644);
  const hash = createHash('sha256');
  let written = 0;
  const add = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.length === 0) return;
    hash.update(bytes);
    await file.writeFile(bytes);
    written += bytes.length;
  };
  const put = async (name: string, bytes: Uint8Array): Promise<void> => {
    if (!PATH.test(name) || name.length > MAX_PATH)
      throw invalid('paths of the archive’s own form', quote(name));
    await add(headerOf(name, bytes.length));
    await add(bytes);
    await add(Buffer.alloc(padding(bytes.length)));
  };
  const abort = async (): Promise<void> => {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
  };
  return {
    put,
    abort,
    close: async (check) => {
      try {
        await put(DIGEST, Buffer.from(`sha256:${hash.copy().digest('hex')}\n`));
        await add(Buffer.alloc(2 * BLOCK));
        await file.sync();
        await file.close();
        await check?.(temporary);
        await rename(temporary, path);
        return { bytes: written };
      } catch (error) {
        await abort();
        throw error;
      }
    },
  };
}

const invalid = refusing('ARCHIVE_INVALID', 'Do not use this file; have it made and carried over again');

interface Source {
  /** Exactly so many bytes. */
  take(count: number): Promise<Buffer>;
  /** Of all bytes taken so far. */
  digest(): string;
  atEnd(): Promise<boolean>;
}

function sourceOf(file: FileHandle): Source {
  const hash = createHash('sha256');
  return {
    take: async (count) => {
      const bytes = Buffer.alloc(count);
      let have = 0;
      while (have < count) {
        const { bytesRead } = await file.read(bytes, have, count - have, null);
        if (bytesRead === 0) throw invalid('an archive up to its end', 'one that was cut short');
        have += bytesRead;
      }
      hash.update(bytes);
      return bytes;
    },
    digest: () => `sha256:${hash.copy().digest('hex')}`,
    atEnd: async () => (await file.read(Buffer.alloc(1), 0, 1, null)).bytesRead === 0,
  };
}

/**
 * The members of an archive in their order. What a reader leaves of a member is passed over. Nothing may be believed of
 * the whole before the last one came: only then is the digest compared. Throws ARCHIVE_INVALID.
 */
export async function* readArchive(path: string): AsyncGenerator<ArchiveMember> {
  const file = await openRegular(path);
  try {
    const source = sourceOf(file);
    for (;;) {
      const before = source.digest();
      const { name, size } = nameOf(await source.take(BLOCK));
      if (name === DIGEST) return await end(source, size, before);
      const member = memberOf(source, name, size);
      yield member;
      for await (const _ of member.pieces());
    }
  } finally {
    await file.close();
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') throw cause;
      throw new LockkeeperError('NOT_FOUND', {
        expected: `a file ${quote(path, 200)}`,
        found: 'none',
        next: 'Correct the path',
        cause,
      });
    },
  );
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw invalid('a regular file, which can be read twice', 'something else');
}

/** Path and size, when the header is the one that these two make. */
function nameOf(block: Buffer): { name: string; size: number } {
  const header = headerIn(block);
  const name = header?.path ?? '';
  const size = header?.size ?? -1;
  const fits = PATH.test(name) && name.length <= MAX_PATH && Number.isSafeInteger(size) && size >= 0;
  if (fits && headerOf(name, size).equals(block)) return { name, size };
  throw invalid(
    'a member as this program writes it: a plain file with a path inside the archive',
    name === '' ? 'something that is none' : `${quote(name)} of the type ${quote(String(header?.type))}`,
  );
}

/** Null where a number in it is none. */
function headerIn(block: Buffer): Header | null {
  try {
    return new Header(block, 0);
  } catch {
    return null;
  }
}

function memberOf(source: Source, path: string, size: number): ArchiveMember {
  let left = size;
  let padded = false;
  async function* pieces(): AsyncGenerator<Buffer> {
    while (left > 0) {
      const piece = await source.take(Math.min(left, CHUNK));
      left -= piece.length;
      yield piece;
    }
    if (padded) return;
    padded = true;
    if ((await source.take(padding(size))).some((byte) => byte !== 0))
      throw invalid(`zeros after ${quote(path)}`, 'something else');
  }
  return {
    path,
    size,
    pieces,
    read: async (limit) => {
      if (size > limit) throw invalid(`${quote(path)} of at most ${limit} bytes`, `${size}`);
      const chunks: Buffer[] = [];
      for await (const piece of pieces()) chunks.push(piece);
      return Buffer.concat(chunks);
    },
  };
}

async function end(source: Source, size: number, digest: string): Promise<void> {
  const text = `${digest}\n`;
  if (size !== text.length) throw invalid(`a digest of ${text.length} bytes`, `${size}`);
  const said = (await source.take(size)).toString('utf8');
  if (said !== text) throw invalid(`bytes with ${quote(said.trim())}, as the archive says`, digest);
  const zeros = await source.take(padding(size) + 2 * BLOCK);
  if (zeros.some((byte) => byte !== 0) || !(await source.atEnd()))
    throw invalid('nothing after the end of the archive', 'something');
}
