/**
 * JSON that a decision may rest on. `parseStrict` refuses what two parsers could read differently (duplicate keys,
 * lone surrogates, unsafe integers); `canonical` is RFC 8785 and serves identity digests only: what is signed is
 * always stored bytes.
 */
import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Digest, Json } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';

export interface JsonLimits {
  /** UTF-8 bytes of the whole text. */
  readonly maxBytes?: number;
  readonly maxDepth?: number;
  /** Members of objects and items of lists, all together; more are refused before anything is built. Default: no limit. */
  readonly maxParts?: number;
  /** Numbers a double does not hold and lone surrogates pass: for text that is handed on as it came, never digested. */
  readonly lenient?: boolean;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses bytes or text once, strictly. Throws JSON_INVALID naming the defect and its offset.
 * Limits default to 64 MiB and a nesting depth of 128.
 */
export function parseStrict(input: Uint8Array | string, limits: JsonLimits = {}): Json {
  const maxBytes = limits.maxBytes ?? 64 * 1024 * 1024;
  if (input.length > maxBytes) throw invalid(`at most ${maxBytes} bytes`, `${input.length} bytes`);
  const { maxParts } = limits;
  let text: string;
  let value: Json;
  let scanned: Scanned | null;
  try {
    text = typeof input === 'string' ? input : utf8.decode(input);
    scanned = text.length > LARGE || maxParts !== undefined ? scan(text, limits) : null;
    value = JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof LockkeeperError) throw error;
    throw invalid('one JSON value in UTF-8', quote((error as Error).message));
  }
  const { members, escaped } = scanned ?? scan(text, limits);
  // Of members with one name, one is left.
  if (members !== membersOf(value) || (escaped && !isReadAs(text, value))) throw misread(text);
  return value;
}

/** The same of a file: what is wrong with it is told with its name. */
export function parseFile(input: Uint8Array | string, path: string, limits: JsonLimits = {}): Json {
  try {
    return parseStrict(input, limits);
  } catch (cause) {
    if (!(cause instanceof LockkeeperError) || cause.code !== 'JSON_INVALID') throw cause;
    const { expected, found } = cause;
    const next = 'Correct the file and try again';
    throw new LockkeeperError('JSON_INVALID', { expected: `${expected} in ${path}`, found, next, cause });
  }
}

function invalid(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('JSON_INVALID', { expected, found, next: 'Correct the text and try again' });
}

function tooMany(maxParts: number): LockkeeperError {
  return invalid(`at most ${maxParts} members and items`, 'more');
}

/** Texts of more characters are walked before they are parsed: building deep nesting costs seconds. */
const LARGE = 1_000_000;

const QUOTE = 34;
const BACKSLASH = 92;

interface Scanned {
  /** How many members its objects are written with. */
  readonly members: number;
  /** Whether any name of them has an escape in it. */
  readonly escaped: boolean;
}

/** Walks a text, which counts once JSON.parse accepts it: depth, integers safe, strings well formed. */
function scan(
  text: string,
  { maxDepth = 128, lenient = false, maxParts = Number.POSITIVE_INFINITY }: JsonLimits,
): Scanned {
  const escapes = text.includes('\\');
  // Without escapes, a text is well formed where all of its strings are.
  const mayBeLone = escapes || !text.isWellFormed();
  const objects: boolean[] = [];
  let members = 0;
  let parts = 0;
  let escaped = false;
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = stringEnd(text, i);
      if (mayBeLone && (expectKey || !lenient)) assertWellFormed(text, i, end);
      if (expectKey) {
        members++;
        escaped ||= escapes && text.slice(i, end).includes('\\');
      }
      expectKey = false;
      i = end;
    } else if (c === 123 || c === 91) {
      if (objects.push(c === 123) > maxDepth) {
        throw invalid(`nesting of at most ${maxDepth}`, `deeper nesting at offset ${i}`);
      }
      expectKey = c === 123;
      if (++parts > maxParts) throw tooMany(maxParts);
    } else if (c === 125 || c === 93) {
      objects.pop();
      expectKey = false;
    } else if (c === 44) {
      expectKey = objects.at(-1) === true;
      if (++parts > maxParts) throw tooMany(maxParts);
    } else if (!lenient && (c === 45 || (c >= 48 && c <= 57))) i = numberEnd(text, i);
  }
  return { members, escaped };
}

/** Members of all objects of a value, which is no deeper than was scanned for. */
function membersOf(value: Json): number {
  if (value === null || typeof value !== 'object') return 0;
  let members = 0;
  if (Array.isArray(value)) for (const item of value) members += membersOf(item);
  else for (const name of Object.keys(value)) members += 1 + membersOf(value[name] as Json);
  return members;
}

const COLON = /\s*:/y;

interface Name {
  readonly name: string;
  readonly offset: number;
  /** The object that it stands in, by its number. */
  readonly object: number;
}

/** The names of a text that JSON.parse accepted, each read by itself. */
function namesIn(text: string): Name[] {
  const names: Name[] = [];
  const open: number[] = [];
  for (let i = 0, objects = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 123 || c === 91) open.push(objects++);
    else if (c === 125 || c === 93) open.pop();
    if (c !== QUOTE) continue;
    const end = stringEnd(text, i);
    COLON.lastIndex = end + 1;
    if (COLON.test(text)) {
      const name = JSON.parse(text.slice(i, end + 1)) as string;
      names.push({ name, offset: i, object: open.at(-1) ?? 0 });
    }
    i = end;
  }
  return names;
}

/** Whether an object has each name that it is written with: V8 13.6 may read `"\u0061"` as a backslash that it knows from before. */
function isReadAs(text: string, value: Json): boolean {
  const read: string[] = [];
  const walk = (item: Json): void => {
    if (Array.isArray(item)) item.forEach(walk);
    else if (item !== null && typeof item === 'object')
      for (const [name, inner] of Object.entries(item)) {
        read.push(name);
        walk(inner);
      }
  };
  walk(value);
  const written = namesIn(text).map(({ name }) => name);
  read.sort();
  return written.sort().every((name, at) => name === read[at]);
}

/** Says which name stands twice in one object, or that names were read as others. */
function misread(text: string): LockkeeperError {
  const seen = new Set<string>();
  for (const { name, offset, object } of namesIn(text)) {
    const key = `${object} ${name}`;
    if (seen.has(key))
      return invalid('each key once per object', `key ${quote(name)} twice, at offset ${offset}`);
    seen.add(key);
  }
  return invalid('names that every reader reads alike', 'names in escapes that were read as others');
}

/** Where the string that begins at `start` is closed; the end of a text that does not close it. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}

function assertWellFormed(text: string, start: number, end: number): void {
  const literal = text.slice(start, end + 1);
  const value = literal.includes('\\u') ? (JSON.parse(literal) as string) : literal;
  if (!value.isWellFormed()) throw invalid('well-formed Unicode', `a lone surrogate at offset ${start}`);
}

function numberEnd(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && '+-.eE0123456789'.includes(text.charAt(end))) end++;
  const literal = text.slice(start, end);
  const value = Number(literal);
  // What JSON.stringify would write as an integer has to be one that survives, however it was written here.
  const integer = !/[.eE]/.test(literal) || (Number.isInteger(value) && Math.abs(value) < 1e21);
  const inexact = integer && !Number.isSafeInteger(value);
  if (inexact || !Number.isFinite(value)) {
    throw invalid('numbers a double holds exactly', `${quote(literal, 40)} at offset ${start}`);
  }
  return end - 1;
}

/** RFC 8785 text of a JSON value. */
export function canonical(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw invalid('a JSON value', typeof value);
  return text;
}

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** Identity digest of a JSON value: SHA-256 over its RFC 8785 text. */
export function digestOf(value: unknown): Digest {
  return sha256(canonical(value));
}

/** Deterministic text for people and diffs: keys sorted, two spaces, one final newline. */
export function pretty(value: Json): string {
  return `${JSON.stringify(sortKeys(value), null, 2)}\n`;
}

function sortKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const sorted = Object.create(null) as { [key: string]: Json };
  for (const key of Object.keys(value).sort()) sorted[key] = sortKeys(value[key] as Json);
  return sorted;
}
