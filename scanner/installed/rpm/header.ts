/** The header of an RPM package as a database keeps it: an index of tags, and the bytes that they point into. */

/** What is read of one. */
export interface RpmHeader {
  readonly name: string;
  readonly epoch: number;
  readonly version: string;
  readonly release: string;
  /** Empty for what has none, as keys have. */
  readonly arch: string;
  readonly licence: string;
  readonly sourceRpm: string;
  readonly requires: readonly string[];
  readonly provides: readonly string[];
}

const TAGS = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  licence: 1014,
  arch: 1022,
  sourceRpm: 1044,
  provides: 1047,
  requires: 1049,
} as const;

const [INT32, STRING, STRINGS] = [4, 6, 8];
const MAX_TAG_TYPE = 9;
const MAX_TAGS = 0xffff;
const ENTRY = 16;
const MAX_TEXT = 4096;
const MAX_LIST = 20_000;

interface Entry {
  readonly type: number;
  readonly at: number;
  readonly count: number;
}

/** Null for whatever is not wholly one: a tag twice, bytes that are missing or left over, a text without an end. */
export function readHeader(blob: Buffer): RpmHeader | null {
  const parts = partsOf(blob);
  if (parts === null) return null;
  const { index, data } = parts;
  const text = (tag: number): string | null => {
    const entry = index.get(tag);
    if (entry === undefined) return '';
    return entry.type === STRING && entry.count === 1 ? (textsAt(data, entry)?.[0] ?? null) : null;
  };
  const list = (tag: number): readonly string[] | null => {
    const entry = index.get(tag);
    if (entry === undefined) return [];
    return entry.type === STRINGS && entry.count <= MAX_LIST ? textsAt(data, entry) : null;
  };
  const [name, version, release] = [text(TAGS.name), text(TAGS.version), text(TAGS.release)];
  const [licence, arch, sourceRpm] = [licenceAt(index, data), text(TAGS.arch), text(TAGS.sourceRpm)];
  const [requires, provides, epoch] = [list(TAGS.requires), list(TAGS.provides), epochIn(index, data)];
  if (name === null || version === null || release === null || licence === null) return null;
  if (arch === null || sourceRpm === null || requires === null || provides === null || epoch === null)
    return null;
  return { name, epoch, version, release, arch, licence, sourceRpm, requires, provides };
}

function partsOf(blob: Buffer): { index: Map<number, Entry>; data: Buffer } | null {
  if (blob.length < 8) return null;
  const [tags, size] = [blob.readUInt32BE(0), blob.readUInt32BE(4)];
  const start = 8 + tags * ENTRY;
  if (tags === 0 || tags > MAX_TAGS || start + size !== blob.length) return null;
  const data = blob.subarray(start);
  const index = new Map<number, Entry>();
  for (let at = 8; at < start; at += ENTRY) {
    const [tag, type] = [blob.readUInt32BE(at), blob.readUInt32BE(at + 4)];
    const [offset, count] = [blob.readUInt32BE(at + 8), blob.readUInt32BE(at + 12)];
    if (type > MAX_TAG_TYPE || offset > size || count > size || index.has(tag)) return null;
    index.set(tag, { type, at: offset, count });
  }
  return { index, data };
}

/** So many texts, each with its end; null where one has none or is not UTF-8. */
function textsAt(data: Buffer, { at, count }: Entry): string[] | null {
  const texts: string[] = [];
  for (let from = at; texts.length < count; ) {
    const end = data.indexOf(0, from);
    if (end < 0 || end - from > MAX_TEXT) return null;
    const text = data.toString('utf8', from, end);
    if (text.includes('\ufffd')) return null;
    texts.push(text);
    from = end + 1;
  }
  return texts;
}

/** A licence may be told in several languages: the first one is read. */
function licenceAt(index: ReadonlyMap<number, Entry>, data: Buffer): string | null {
  const entry = index.get(TAGS.licence);
  if (entry === undefined) return '';
  return entry.type >= STRING && entry.count >= 1
    ? (textsAt(data, { ...entry, count: 1 })?.[0] ?? null)
    : null;
}

/** 0 where there is none. */
function epochIn(index: ReadonlyMap<number, Entry>, data: Buffer): number | null {
  const entry = index.get(TAGS.epoch);
  if (entry === undefined) return 0;
  if (entry.type !== INT32 || entry.count !== 1 || entry.at + 4 > data.length) return null;
  return data.readUInt32BE(entry.at);
}
