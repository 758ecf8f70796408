/** A bundle's bytes: a zip that can be read in one way only, and the signature that may follow it. */
import { UNPACK_LIMITS, type UnpackedFile, type UnpackLimits } from '../../runtime/store/unpack.ts';
import { refusal, unzip } from '../../runtime/store/unzip.ts';
import { assertOneName, sourceOf, type ZipEntry, zipEntries } from '../../runtime/store/zip.ts';
import { type LockkeeperError, quote } from '../../schemas/errors.ts';

/** Of a bundle as it is transferred. */
export const MAX_BUNDLE_BYTES = 256 * 1024 * 1024;
const SIGNATURE = Buffer.from('MCPB_SIG_V1');
const SIGNATURE_END = Buffer.from('MCPB_SIG_END');
const MAX_SIGNATURE_BYTES = 64 * 1024;
const END = 0x06054b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
/** Sizes and checksum of an entry stand behind its bytes. */
const DESCRIBED = 8;
const DESCRIPTOR_BYTES: readonly number[] = [12, 16];
const WHOLE_32 = 0xffffffff;

export interface ReadBundle {
  readonly files: readonly UnpackedFile[];
  /** Bytes of the signature block; 0 without one. */
  readonly signature: number;
}

/** Throws ARCHIVE_HOSTILE for all that `unzip` refuses, and for bytes that only some readers would see. */
export async function readBundle(
  bytes: Buffer,
  label: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<ReadBundle> {
  const at = { label, limits, next: 'Do not use this bundle; report it to whoever made it' };
  if (bytes.length > MAX_BUNDLE_BYTES)
    throw refusal(at, `at most ${MAX_BUNDLE_BYTES} bytes`, `${bytes.length}`);
  const refuse: Refuse = (expected, found) => refusal(at, expected, found);
  const signature = signatureIn(bytes, refuse);
  const zip = withoutComment(bytes.subarray(0, bytes.length - signature), signature);
  const start = directoryIn(zip, refuse);
  assertOneReading(zip, await entriesOf(zip, at), { start, refuse });
  return { files: await unzip(zip, at), signature };
}

type Refuse = (expected: string, found: string) => LockkeeperError;

async function entriesOf(zip: Buffer, at: Parameters<typeof refusal>[0]): Promise<ZipEntry[]> {
  return zipEntries(sourceOf(zip)).catch((error: LockkeeperError) => {
    throw refusal(at, error.expected, error.found, error);
  });
}

/** `MCPB_SIG_V1`, a length, as many bytes, `MCPB_SIG_END`: the very end of the file, or none at all. */
function signatureIn(bytes: Buffer, refuse: Refuse): number {
  if (!bytes.subarray(-SIGNATURE_END.length).equals(SIGNATURE_END)) {
    const tail = bytes.subarray(-MAX_SIGNATURE_BYTES);
    if (tail.includes(SIGNATURE_END)) throw refuse('nothing behind its signature', 'more bytes');
    return 0;
  }
  const most = Math.max(0, bytes.length - MAX_SIGNATURE_BYTES);
  const start = bytes.lastIndexOf(SIGNATURE);
  const head = start + SIGNATURE.length;
  const wanted = bytes.length - SIGNATURE_END.length - head - 4;
  if (start < most || wanted < 0 || bytes.readUInt32LE(head) !== wanted)
    throw refuse('a signature block as long as it says', 'another length');
  return bytes.length - start;
}

/** Newer signers count the block as the zip's own comment, older ones do not. */
function withoutComment(zip: Buffer, signature: number): Buffer {
  const at = zip.length - END_BYTES;
  const counted = at >= 0 && zip.readUInt32LE(at) === END && zip.readUInt16LE(at + 20) === signature;
  if (signature === 0 || !counted) return zip;
  const plain = Buffer.from(zip);
  plain.writeUInt16LE(0, at + 20);
  return plain;
}

/** Where the directory begins: it and its end are the last bytes. */
function directoryIn(zip: Buffer, refuse: Refuse): number {
  const end = zip.length - END_BYTES;
  if (end < 0 || zip.readUInt32LE(end) !== END)
    throw refuse('a zip without a comment, its central directory at its end', 'other bytes');
  const [count, length] = [zip.readUInt16LE(end + 10), zip.readUInt32LE(end + 12)];
  const start = zip.readUInt32LE(end + 16);
  if (count === 0xffff || length === WHOLE_32 || start === WHOLE_32)
    throw refuse('a zip of 32-bit numbers', 'zip64, which bundles of this size do not need');
  if (zip.readUInt16LE(end + 8) === count && start + length === end) return start;
  throw refuse('the central directory right before the end of the zip', 'something between');
}

/**
 * Entries one after the other from the first byte to the directory: no byte is left over, and what stands before each entry
 * is what the directory says, so that a reader from the front finds what a reader from the back finds.
 */
function assertOneReading(
  zip: Buffer,
  entries: readonly ZipEntry[],
  { start, refuse }: { start: number; refuse: Refuse },
): void {
  let at = 0;
  for (const [index, entry] of entries.entries()) {
    if (entry.offset !== at)
      throw refuse('entries without bytes between them', `a gap before ${quote(entry.name)}`);
    at = endOf(zip, entry, { next: entries[index + 1]?.offset ?? start, refuse });
  }
  if (at !== start) throw refuse('the directory right behind the last entry', `${start - at} bytes between`);
}

/** Where the next one has to be; `next` is where it says that it is. */
function endOf(zip: Buffer, entry: ZipEntry, { next, refuse }: { next: number; refuse: Refuse }): number {
  const { offset, name, flags, method, packed, size, crc } = entry;
  const own = quote(name);
  if (offset + LOCAL_BYTES > zip.length) throw refuse(`${own} inside the zip`, 'an end before it');
  if (packed === WHOLE_32 || size === WHOLE_32) throw refuse('a zip of 32-bit numbers', `zip64 for ${own}`);
  if ((flags & 1) !== 0) throw refuse('entries without a password', own);
  const described = (flags & DESCRIBED) !== 0;
  const said = [zip.readUInt32LE(offset + 14), zip.readUInt32LE(offset + 18), zip.readUInt32LE(offset + 22)];
  const same = [crc, packed, size].every((value, at) => said[at] === value || (described && said[at] === 0));
  if (zip.readUInt16LE(offset + 6) !== flags || zip.readUInt16LE(offset + 8) !== method || !same)
    throw refuse(`the header of ${own} as the directory has it`, 'another one');
  const extra = offset + LOCAL_BYTES + zip.readUInt16LE(offset + 26);
  const content = extra + zip.readUInt16LE(offset + 28);
  assertOneName(zip.subarray(extra, content), name);
  const end = content + packed;
  if (end === next) return end;
  if (described && DESCRIPTOR_BYTES.includes(next - end)) return next;
  throw refuse('entries without bytes between them', `${next - end} behind ${own}`);
}
