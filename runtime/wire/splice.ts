/**
 * Single values of a JSON text read and replaced where they stand, every other byte left as it came. The text has been
 * parsed strictly before: it is JSON, and no object names a member twice.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';

export interface Change {
  /** Names of members from the outermost object inwards. */
  readonly path: readonly string[];
  readonly value: Json;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const SPACE = 0x20;

/** The text of the value at a path; null where there is none. */
export function textAt(bytes: Buffer, path: readonly string[]): Buffer | null {
  const range = rangeOf(bytes, path);
  return range && bytes.subarray(range[0], range[1]);
}

/** The texts of the first members of the outermost object, at most so many; of those of one name the first. */
export function outermost(bytes: Buffer, most: number): Map<string, Buffer> {
  const members = new Map<string, Buffer>();
  eachMember(bytes, skipSpace(bytes, 0), (name, value) => {
    if (!members.has(name)) members.set(name, bytes.subarray(value, valueEnd(bytes, value)));
    return members.size >= most;
  });
  return members;
}

/** The same bytes but for these values. What is not there is not added. */
export function splice(bytes: Buffer, changes: readonly Change[]): Buffer {
  const cuts = changes
    .flatMap(({ path, value }) => {
      const range = rangeOf(bytes, path);
      return range ? [{ from: range[0], to: range[1], text: Buffer.from(JSON.stringify(value)) }] : [];
    })
    .sort((a, b) => a.from - b.from);
  const parts: Buffer[] = [];
  let at = 0;
  for (const { from, to, text } of cuts) {
    parts.push(bytes.subarray(at, from), text);
    at = to;
  }
  parts.push(bytes.subarray(at));
  return cuts.length === 0 ? bytes : Buffer.concat(parts);
}

/** The same bytes with these members before all others of the object at a path, which must not have them yet. */
export function insert(bytes: Buffer, path: readonly string[], members: JsonObject): Buffer {
  const range = rangeOf(bytes, path);
  const said = JSON.stringify(members).slice(1, -1);
  if (!range || bytes[range[0]] !== OPEN_OBJECT || said === '') return bytes;
  const at = range[0] + 1;
  const isEmpty = bytes[skipSpace(bytes, at)] === CLOSE_OBJECT;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(isEmpty ? said : `${said},`), bytes.subarray(at)]);
}

function rangeOf(bytes: Buffer, path: readonly string[]): [number, number] | null {
  let at = skipSpace(bytes, 0);
  for (const name of path) {
    at = memberAt(bytes, at, name);
    if (at === -1) return null;
  }
  return [at, valueEnd(bytes, at)];
}

/** Where the value of a member begins; -1 where the object at `from` has none of this name, or there is no object. */
function memberAt(bytes: Buffer, from: number, name: string): number {
  let found = -1;
  eachMember(bytes, from, (member, value) => {
    if (member === name) found = value;
    return found !== -1;
  });
  return found;
}

/** Members of the object at `from`, each with where its value begins, until one is what was looked for. */
function eachMember(bytes: Buffer, from: number, isFound: (name: string, value: number) => boolean): void {
  if (bytes[from] !== OPEN_OBJECT) return;
  let at = skipSpace(bytes, from + 1);
  while (bytes[at] === QUOTE) {
    const end = stringEnd(bytes, at);
    const value = skipSpace(bytes, skipSpace(bytes, end) + 1);
    if (isFound(JSON.parse(bytes.toString('utf8', at, end)) as string, value)) return;
    at = skipSpace(bytes, valueEnd(bytes, value));
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] ?? 0) <= SPACE) at++;
  return at;
}

/** Behind the closing quote of the string that begins at `from`. */
function stringEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from + 1); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) {
    let before = at - 1;
    while (bytes[before] === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at + 1;
  }
  return bytes.length;
}

function valueEnd(bytes: Buffer, from: number): number {
  const first = bytes[from];
  if (first === QUOTE) return stringEnd(bytes, from);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return wordEnd(bytes, from);
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const c = bytes[at];
    if (c === QUOTE) at = stringEnd(bytes, at) - 1;
    else if (c === OPEN_OBJECT || c === OPEN_ARRAY) depth++;
    else if ((c === CLOSE_OBJECT || c === CLOSE_ARRAY) && --depth === 0) return at + 1;
  }
  return bytes.length;
}

/** Behind a number, true, false or null. */
function wordEnd(bytes: Buffer, from: number): number {
  let at = from;
  for (; at < bytes.length; at++) {
    const c = bytes[at] ?? 0;
    if (c <= SPACE || c === COMMA || c === CLOSE_OBJECT || c === CLOSE_ARRAY) break;
  }
  return at;
}
