/**
 * The rows of one table of an SQLite file, out of its pages: no statement is run, so that views, triggers and whatever else
 * a file brings along do nothing. Each page is read once; what does not fit is refused.
 */

/** Why a file is not read, in words that follow its name. */
export class Unreadable extends Error {}

const MAGIC = 'SQLite format 3\u0000';
const UTF8 = 1;
const [INTERIOR, LEAF] = [0x05, 0x0d];
/** Bytes of one row. */
const MAX_ROW = 32 * 1024 * 1024;
const MAX_COLUMNS = 16;

export type Value = null | number | string | Buffer;

interface File {
  readonly bytes: Buffer;
  readonly pageSize: number;
  /** Bytes of a page that hold content. */
  readonly usable: number;
  /** Pages that were read; none is read twice. */
  readonly seen: Set<number>;
}

/** In the order of their keys. Throws Unreadable, at the row from which on it cannot be read. */
export function* rowsOf(bytes: Buffer, table: string, definition: RegExp): Generator<Value[]> {
  const file = opened(bytes);
  const named = [...walk(file, 1)].filter(([, name]) => name === table);
  const [kind, , , root, text] = named[0] ?? [];
  const isPlain = kind === 'table' && typeof text === 'string' && definition.test(text.replace(/\s+/g, ' '));
  if (named.length !== 1 || !isPlain || typeof root !== 'number')
    throw new Unreadable(`has no table ${table} of the known form`);
  yield* walk(file, root);
}

function opened(bytes: Buffer): File {
  if (bytes.length < 512 || bytes.toString('latin1', 0, 16) !== MAGIC)
    throw new Unreadable('is no SQLite database');
  const told = bytes.readUInt16BE(16);
  const pageSize = told === 1 ? 65_536 : told;
  const usable = pageSize - bytes.readUInt8(20);
  const isPage = pageSize >= 512 && (pageSize & (pageSize - 1)) === 0 && usable >= 480;
  if (!isPage || bytes.readUInt32BE(56) !== UTF8)
    throw new Unreadable('is an SQLite database of another form');
  const isTold = bytes.readUInt32BE(24) === bytes.readUInt32BE(92);
  if (bytes.length % pageSize !== 0 || (isTold && bytes.readUInt32BE(28) * pageSize !== bytes.length))
    throw new Unreadable('is cut short, or longer than it says');
  return { bytes, pageSize, usable, seen: new Set() };
}

/** Throws Unreadable for a page that is not there or was read before. */
function pageOf({ bytes, pageSize, usable, seen }: File, number: number): Buffer {
  const start = (number - 1) * pageSize;
  if (!Number.isInteger(number) || number < 1 || start + pageSize > bytes.length || seen.has(number))
    throw new Unreadable('has pages that do not hang together');
  seen.add(number);
  return bytes.subarray(start, start + usable);
}

function* walk(file: File, root: number): Generator<Value[]> {
  const stack = [root];
  let last = -1n << 63n;
  for (let number = stack.pop(); number !== undefined; number = stack.pop()) {
    const page = pageOf(file, number);
    const at = number === 1 ? 100 : 0;
    const type = page.readUInt8(at);
    if (type !== LEAF && type !== INTERIOR) throw new Unreadable('has pages of another kind');
    const cells = cellsOf(page, at, type === LEAF ? 8 : 12);
    if (type === INTERIOR) {
      stack.push(page.readUInt32BE(at + 8));
      for (const cell of cells.reverse()) stack.push(within(page, cell, 4).readUInt32BE(0));
      continue;
    }
    for (const cell of cells) {
      const size = varint(page, cell);
      const key = varint(page, size.next);
      if (key.value <= last) throw new Unreadable('has rows that are out of order');
      last = key.value;
      yield record(payloadOf(file, page, { at: key.next, size: Number(size.value) }));
    }
  }
}

function cellsOf(page: Buffer, at: number, header: number): number[] {
  const count = page.readUInt16BE(at + 3);
  const list = within(page, at + header, 2 * count);
  return Array.from({ length: count }, (_, index) => list.readUInt16BE(2 * index));
}

/** What is in the page, and in the chain of pages behind it. */
function payloadOf(file: File, page: Buffer, { at, size }: { at: number; size: number }): Buffer {
  if (size > MAX_ROW) throw new Unreadable(`has a row of more than ${MAX_ROW} bytes`);
  const { usable } = file;
  if (size <= usable - 35) return within(page, at, size);
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const fitting = least + ((size - least) % (usable - 4));
  const local = fitting <= usable - 35 ? fitting : least;
  const parts = [within(page, at, local)];
  let next = within(page, at + local, 4).readUInt32BE(0);
  for (let left = size - local; left > 0; ) {
    const over = pageOf(file, next);
    next = over.readUInt32BE(0);
    const part = over.subarray(4, 4 + left);
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts);
}

/** The columns of a row. */
function record(payload: Buffer): Value[] {
  const head = varint(payload, 0);
  const end = Number(head.value);
  const values: Value[] = [];
  let at = end;
  for (let next = head.next; next < end; ) {
    const type = varint(payload, next);
    next = type.next;
    const size = sizeOf(Number(type.value));
    const bytes = within(payload, at, size);
    at += size;
    values.push(columnOf(Number(type.value), bytes));
    if (values.length > MAX_COLUMNS) throw new Unreadable('has rows of too many columns');
  }
  return values;
}

const SIZES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function sizeOf(type: number): number {
  const size = type >= 12 ? Math.floor((type - 12) / 2) : SIZES[type];
  if (size === undefined) throw new Unreadable('has values of another kind');
  return size;
}

/** Whole numbers, texts and bytes; fractions are of no use here. */
function columnOf(type: number, bytes: Buffer): Value {
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString('utf8');
  if (type === 8 || type === 9) return type - 8;
  if (type === 0 || type === 7) return null;
  return bytes.length === 8 ? Number(bytes.readBigInt64BE(0)) : bytes.readIntBE(0, bytes.length);
}

function varint(bytes: Buffer, at: number): { value: bigint; next: number } {
  let value = 0n;
  for (let index = 0; index < 9; index++) {
    const [byte] = within(bytes, at + index, 1);
    if (index === 8) value = (value << 8n) | BigInt(byte ?? 0);
    else value = (value << 7n) | BigInt((byte ?? 0) & 0x7f);
    if (index === 8 || (byte ?? 0) < 0x80) return { value: BigInt.asIntN(64, value), next: at + index + 1 };
  }
  throw new Unreadable('has numbers without an end');
}

function within(bytes: Buffer, at: number, size: number): Buffer {
  if (!(at >= 0 && size >= 0 && at + size <= bytes.length))
    throw new Unreadable('has content outside of its pages');
  return bytes.subarray(at, at + size);
}
