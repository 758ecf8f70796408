/** One layer, read from front to end in bounded memory: unpacked, hashed, its entries handed over one by one. */
import { createHash } from 'node:crypto';
import { Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Header } from 'tar';
import { LockkeeperError, quote } from '../../../schemas/errors.ts';
import { tar } from '../../lazy.ts';
import { type Also, META, metaOf, NOTHING } from './extended.ts';
import { type Packing, refused } from './parts.ts';

/** What all layers of an image together may unpack to. Counted down while they are read. */
export interface Budget {
  bytes: number;
  entries: number;
  /** Of any one file. */
  readonly fileBytes: number;
}

export const IMAGE_LIMITS: Readonly<Budget> = {
  bytes: 8 * 1024 ** 3,
  entries: 500_000,
  fileBytes: 1024 ** 3,
};

type EntryKind = 'file' | 'folder' | 'link' | 'hard link' | 'device';

export interface LayerEntry {
  readonly kind: EntryKind;
  /** As it stands there. */
  readonly path: string;
  /** Of links alone. */
  readonly target: string;
  readonly mode: number;
  readonly size: number;
  /** Whether it carries capabilities of its own. */
  readonly capable: boolean;
}

export interface LayerReader {
  /** Told of each entry in order; returns where a file's bytes go, null for nowhere. */
  entry(entry: LayerEntry): ((bytes: Buffer) => void) | null;
  /** After the last byte of the entry. */
  done(): void;
}

const BLOCK = 512;
const PIECE = 64 * 1024;
/** Names that do not fit into a header stand in entries of their own. */
const MAX_META = 1024 * 1024;
const KINDS: Readonly<Record<string, EntryKind>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'folder',
  GNUDumpDir: 'folder',
  SymbolicLink: 'link',
  Link: 'hard link',
  CharacterDevice: 'device',
  BlockDevice: 'device',
  FIFO: 'device',
};

interface Layer {
  readonly bytes: Buffer;
  readonly packing: Packing;
  /** What it unpacks to, as the image's config says. */
  readonly diffId: string;
  /** For sentences. */
  readonly label: string;
}

/** Throws ARCHIVE_HOSTILE for what is no sound tar or beyond the budget, ARTIFACT_MISMATCH for another content than the config's. */
export async function readLayer(layer: Layer, budget: Budget, reader: LayerReader): Promise<void> {
  const { label, diffId } = layer;
  const hash = createHash('sha256');
  const source = sourceOf(unpacked(layer, budget, (chunk) => hash.update(chunk)));
  try {
    await readEntries(source, { label, budget, reader });
    for (let rest = await source.some(PIECE); rest !== null; ) rest = await source.some(PIECE);
  } catch (error) {
    if (error instanceof LockkeeperError) throw error;
    throw refused(`${label} as a whole tar archive`, quote((error as Error).message, 200), error);
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found === diffId) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${label} to unpack to ${diffId}, as the config of the image says`,
    found,
    next: 'Do not use this image: its config and its layers do not belong together',
  });
}

async function* unpacked(
  { bytes, packing, label }: Layer,
  budget: Budget,
  seen: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of streamOf(bytes, packing)) {
    budget.bytes -= chunk.length;
    if (budget.bytes < 0) throw refused(`${label} within what an image may unpack to`, 'more');
    seen(chunk);
    yield chunk;
  }
}

function streamOf(bytes: Buffer, packing: Packing): AsyncIterable<Buffer> {
  const pieces = Readable.from(piecesOf(bytes), { objectMode: false });
  if (packing === 'none') return pieces;
  const unpack: Transform = packing === 'gzip' ? createGunzip() : createZstdDecompress();
  return pieces.pipe(unpack);
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
}

interface Source {
  /** Exactly so many bytes; null where the stream ended before the first of them. */
  take(count: number): Promise<Buffer | null>;
  /** At least one and at most so many; null at the end. */
  some(most: number): Promise<Buffer | null>;
}

function sourceOf(chunks: AsyncGenerator<Buffer>): Source {
  let held: Buffer = Buffer.alloc(0);
  const some: Source['some'] = async (most) => {
    if (held.length === 0) {
      const next = await chunks.next();
      if (next.done === true) return null;
      held = next.value;
    }
    const piece = held.subarray(0, most);
    held = held.subarray(piece.length);
    return piece;
  };
  return {
    some,
    take: async (count) => {
      const pieces: Buffer[] = [];
      let have = 0;
      while (have < count) {
        const piece = await some(count - have);
        if (piece === null && have === 0) return null;
        if (piece === null) throw new Error('it ends within an entry');
        pieces.push(piece);
        have += piece.length;
      }
      return pieces.length === 1 ? (pieces[0] ?? null) : Buffer.concat(pieces);
    },
  };
}

interface Reading {
  readonly label: string;
  readonly budget: Budget;
  readonly reader: LayerReader;
}

/** Up to the two empty blocks, or to the end: some archivers leave them out. */
async function readEntries(source: Source, reading: Reading): Promise<void> {
  let also = NOTHING;
  for (;;) {
    const block = await source.take(BLOCK);
    if (block === null || block.every((byte) => byte === 0)) return;
    const header = new (tar().Header)(block, 0);
    if (!header.cksumValid) throw new Error('a header with another checksum');
    const type = String(header.type);
    if (META.has(type)) {
      also = { ...also, ...metaOf(type, await meta(source, header.size ?? 0)) };
      continue;
    }
    await readEntry(source, entryOf(header, also, reading), reading);
    also = NOTHING;
  }
}

async function readEntry(
  source: Source,
  entry: LayerEntry,
  { label, budget, reader }: Reading,
): Promise<void> {
  if (--budget.entries < 0) throw refused(`${label} with as many files as an image may have`, 'more');
  if (entry.size > budget.fileBytes)
    throw refused(
      `files of at most ${budget.fileBytes} bytes`,
      `${quote(entry.path, 200)} with ${entry.size}`,
    );
  const write = reader.entry(entry);
  for (let left = entry.size; left > 0; ) {
    const piece = await source.some(left);
    if (piece === null) throw new Error('it ends within an entry');
    left -= piece.length;
    write?.(piece);
  }
  await source.take(paddingOf(entry.size));
  reader.done();
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

async function meta(source: Source, size: number): Promise<Buffer> {
  if (size > MAX_META) throw new Error(`a name of ${size} bytes`);
  const body = (await source.take(size)) ?? Buffer.alloc(0);
  await source.take(paddingOf(size));
  return body;
}

function entryOf(header: Header, also: Also, { label }: Reading): LayerEntry {
  const type = String(header.type);
  const path = also.path ?? header.path ?? '';
  const kind = path.endsWith('/') && KINDS[type] === 'file' ? 'folder' : KINDS[type];
  if (kind === undefined)
    throw refused(`${label} with files, folders and links alone`, `${type} ${quote(path, 200)}`);
  const size = kind === 'file' ? (also.size ?? header.size ?? -1) : 0;
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('an entry without a size');
  if (kind !== 'file' && (header.size ?? 0) > 0 && type !== 'Directory' && type !== 'Link')
    throw new Error(`${type} with a content`);
  return {
    ...{ kind, path, size },
    target: also.target ?? header.linkpath ?? '',
    mode: header.mode ?? 0,
    capable: also.capable ?? false,
  };
}
