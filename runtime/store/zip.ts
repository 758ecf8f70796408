/**
 * Reading a zip of many small files by its central directory, within limits and without unpacking anything to the disk.
 * What one entry promises falsely spoils that entry; what the archive
 * promises falsely refuses it whole.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { quote, refusing } from '../../schemas/errors.ts';

export interface ZipLimits {
  readonly archiveBytes: number;
  readonly entries: number;
  readonly directoryBytes: number;
  readonly entryBytes: number;
  /** Of all entries together, unpacked. */
  readonly totalBytes: number;
}

export const ZIP_LIMITS: ZipLimits = {
  archiveBytes: 2 ** 30,
  entries: 1_000_000,
  directoryBytes: 256 * 2 ** 20,
  entryBytes: 4 * 2 ** 20,
  totalBytes: 8 * 2 ** 30,
};

/** Bytes that can be read from anywhere: a file, or memory. */
export interface Source {
  readonly size: number;
  read(position: number, length: number): Promise<Buffer>;
}

export interface ZipEntry {
  readonly name: string;
  /** File type and permissions as Unix has them; 0 where the maker did not say. */
  readonly mode: number;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;

/** Every entry that the central directory names, in the order of their bytes. Throws ARCHIVE_HOSTILE. */
export async function zipEntries(source: Source, limits: ZipLimits = ZIP_LIMITS): Promise<ZipEntry[]> {
  if (source.size > limits.archiveBytes)
    throw hostile(`a zip of at most ${limits.archiveBytes} bytes`, `${source.size}`);
  const { count, start, length } = await directoryOf(source);
  if (count > limits.entries) throw hostile(`at most ${limits.entries} entries`, `${count}`);
  if (length > limits.directoryBytes || start + length > source.size)
    throw hostile('a central directory inside the zip and its limit', `${length} bytes at ${start}`);
  const directory = await source.read(start, length);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.readUInt32LE(at) !== CENTRAL)
      throw hostile(`${count} entries in the central directory`, `only ${i}`);
    const [nameBytes, extra, comment] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field));
    const next = at + 46 + (nameBytes ?? 0) + (extra ?? 0) + (comment ?? 0);
    if (next > length) throw hostile('entries that end inside the central directory', 'one that does not');
    const entry = entryAt(directory, at, nameBytes ?? 0);
    const extraAt = at + 46 + (nameBytes ?? 0);
    assertOneName(directory.subarray(extraAt, extraAt + (extra ?? 0)), entry.name);
    entries.push(entry);
    at = next;
  }
  // Readers that go by its length rather than its count would see more.
  if (at !== length)
    throw hostile(`a central directory of ${count} entries and no more`, `${length - at} bytes more`);
  assertSober(entries, start, limits);
  return entries.sort((a, b) => a.offset - b.offset);
}

const UNICODE_PATH = 0x7075;

/** Some readers take the name in an extra field before the entry's own. Throws ARCHIVE_HOSTILE for another one. */
export function assertOneName(extra: Buffer, name: string): void {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === UNICODE_PATH) {
      // Behind a version of one byte and a checksum of four.
      const other = extra.toString('utf8', at + 9, end);
      if (other !== name) throw hostile(`one name for ${quote(name)}`, `${quote(other)} besides`);
    }
    at = end;
  }
}

function entryAt(directory: Buffer, at: number, nameBytes: number): ZipEntry {
  return {
    flags: directory.readUInt16LE(at + 8),
    method: directory.readUInt16LE(at + 10),
    crc: directory.readUInt32LE(at + 16),
    packed: directory.readUInt32LE(at + 20),
    size: directory.readUInt32LE(at + 24),
    offset: directory.readUInt32LE(at + 42),
    mode: directory.readUInt32LE(at + 38) >>> 16,
    name: directory.toString('utf8', at + 46, at + 46 + nameBytes),
  };
}

/** Entries that share bytes unpack to more than an archive of this size honestly holds. */
function assertSober(entries: readonly ZipEntry[], end: number, { totalBytes }: ZipLimits): void {
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > totalBytes) throw hostile(`at most ${totalBytes} bytes unpacked`, `${total}`);
  const packed = entries.reduce((sum, entry) => sum + entry.packed, 0);
  if (packed > end) throw hostile('entries that do not share their bytes', `${packed} bytes in ${end}`);
}

/** Where the central directory is. Archives of more than 65,535 entries say so in a record of 64-bit numbers. */
async function directoryOf(source: Source): Promise<{ count: number; start: number; length: number }> {
  const tailAt = Math.max(0, source.size - END_BYTES - MAX_COMMENT);
  const tail = await source.read(tailAt, source.size - tailAt);
  let at = tail.length - END_BYTES;
  while (
    at >= 0 &&
    !(tail.readUInt32LE(at) === END && tail.readUInt16LE(at + 20) === tail.length - at - END_BYTES)
  )
    at--;
  if (at < 0) throw hostile('a zip with its central directory', 'none');
  const plain = {
    count: tail.readUInt16LE(at + 10),
    length: tail.readUInt32LE(at + 12),
    start: tail.readUInt32LE(at + 16),
  };
  if (plain.count !== 0xffff && plain.start !== 0xffffffff && plain.length !== 0xffffffff) return plain;
  const locatorAt = tailAt + at - 20;
  if (locatorAt < 0) return plain;
  const locator = await source.read(locatorAt, 20);
  if (locator.readUInt32LE(0) !== LOCATOR_64) return plain;
  const recordAt = Number(locator.readBigUInt64LE(8));
  if (recordAt + 56 > source.size)
    throw hostile('a record of 64-bit numbers inside the zip', `one at ${recordAt}`);
  const record = await source.read(recordAt, 56);
  if (record.readUInt32LE(0) !== END_64) throw hostile('a record of 64-bit numbers', 'something else');
  const [count, length, start] = [32, 40, 48].map((field) => Number(record.readBigUInt64LE(field)));
  return { count: count ?? 0, length: length ?? 0, start: start ?? 0 };
}

const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const WINDOW = 4 * 2 ** 20;

export interface ZipReader {
  /** The bytes of one entry; entries are read in the order of `zipEntries`. Throws ARCHIVE_HOSTILE for this entry alone. */
  bytes(entry: ZipEntry): Promise<Buffer>;
}

/** `ahead`: bytes that are read at once; few, where entries are asked for here and there. */
export function zipReader(source: Source, limits: ZipLimits = ZIP_LIMITS, ahead = WINDOW): ZipReader {
  let window: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) };
  const read = async (position: number, length: number): Promise<Buffer> => {
    if (position + length > source.size) throw hostile('an entry inside the zip', 'one that ends behind it');
    if (position < window.at || position + length > window.at + window.bytes.length) {
      const wanted = Math.min(Math.max(length, ahead), source.size - position);
      window = { at: position, bytes: await source.read(position, wanted) };
    }
    return window.bytes.subarray(position - window.at, position - window.at + length);
  };
  return {
    bytes: async (entry) => {
      const { name, method, flags, packed, size, offset, crc } = entry;
      if (size > limits.entryBytes) throw hostile(`entries of at most ${limits.entryBytes} bytes`, `${size}`);
      if ((method !== STORED && method !== DEFLATED) || (flags & ENCRYPTED) !== 0)
        throw hostile('an entry that is stored or deflated, without a password', `method ${method}`);
      const head = await read(offset, 30);
      if (head.readUInt32LE(0) !== LOCAL) throw hostile('an entry where the central directory says', 'none');
      const nameBytes = head.readUInt16LE(26);
      const own = (await read(offset + 30, nameBytes)).toString('utf8');
      if (own !== name) throw hostile(`${quote(name)}, as the central directory says`, quote(own));
      const start = offset + 30 + nameBytes + head.readUInt16LE(28);
      const data = await read(start, packed);
      const bytes = method === STORED ? Buffer.from(data) : inflated(data, size);
      if (bytes.length !== size || crc32(bytes) !== crc)
        throw hostile(`${size} bytes with the promised checksum`, `${bytes.length} bytes`);
      return bytes;
    },
  };
}

function inflated(data: Buffer, size: number): Buffer {
  try {
    return inflateRawSync(data, { maxOutputLength: size + 1 });
  } catch (cause) {
    throw hostile(`an entry that unpacks to ${size} bytes`, (cause as Error).message, cause);
  }
}

const hostile = refusing('ARCHIVE_HOSTILE', 'Do not use this archive; fetch it again from its source');

/** An archive that is in memory. */
export function sourceOf(bytes: Buffer): Source {
  return {
    size: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
  };
}
