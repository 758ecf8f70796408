/** Where the members of a TOML file stand in its text, which was parsed before: what is written is all that is said here. Pure. */
import { parse } from 'smol-toml';
import { type Members, membersOf } from '../../scanner/targets/client-file.ts';

/** One `key = value`. Positions are of the text as a whole. */
export interface Pair {
  /** All names that lead to it. */
  readonly path: readonly string[];
  readonly from: number;
  /** Where its last name begins. */
  readonly name: number;
  /** The value, from its first letter to behind its last. */
  readonly value: number;
  readonly to: number;
  /** Those that stand in the same inline table, itself among them; null for one with lines of its own. */
  readonly beside: readonly Pair[] | null;
}

/** `[a.b]` or `[[a.b]]`. */
export interface Header {
  readonly path: readonly string[];
  readonly from: number;
  readonly to: number;
}

export interface Toml {
  readonly headers: readonly Header[];
  /** Those of inline tables behind the one whose value they are in. */
  readonly pairs: readonly Pair[];
}

/** Of text that is TOML; of other text anything, or an error. */
export function tomlIn(text: string): Toml {
  const headers: Header[] = [];
  const pairs: Pair[] = [];
  let table: readonly string[] = [];
  for (let at = blankEnd(text, 0); at < text.length; at = blankEnd(text, at)) {
    if (text.charAt(at) !== '[') {
      at = pairAt(text, { at, table, beside: null, pairs });
      continue;
    }
    const open = text.startsWith('[[', at) ? 2 : 1;
    const end = keyEnd(text, at + open, ']');
    table = pathOf(text.slice(at + open, end));
    headers.push({ path: table, from: at, to: end + open });
    at = end + open;
  }
  return { headers, pairs };
}

interface Place {
  readonly at: number;
  readonly table: readonly string[];
  readonly beside: Pair[] | null;
  readonly pairs: Pair[];
}

/** Gives where it ends. */
function pairAt(text: string, { at, table, beside, pairs }: Place): number {
  const sign = keyEnd(text, at, '=');
  const value = sign + 1 + (/^[ \t]*/.exec(text.slice(sign + 1, sign + 200))?.[0].length ?? 0);
  const key = text.slice(at, sign);
  const path = [...table, ...pathOf(key)];
  const inner: Pair[] = [];
  const to = valueEnd(text, value, { path, pairs: inner });
  const pair = { path, from: at, name: at + lastName(key), value, to, beside };
  pairs.push(pair, ...inner);
  beside?.push(pair);
  return to;
}

/** Names of a key, as they are read. */
function pathOf(key: string): string[] {
  const path: string[] = [];
  for (let at: unknown = parse(`${key}=0`); at !== 0; ) {
    const [[name, inner] = ['', 0]] = Object.entries(membersOf(at) satisfies Members);
    path.push(name);
    at = inner;
  }
  return path;
}

/** Where the last name of a key begins. */
function lastName(key: string): number {
  let from = 0;
  for (let at = 0; at < key.length; at++) {
    const sign = key.charAt(at);
    if (sign === '"' || sign === "'") at = stringEnd(key, at) - 1;
    else if (sign === '.') from = at + 1;
  }
  return from + (/^\s*/.exec(key.slice(from))?.[0].length ?? 0);
}

function keyEnd(text: string, from: number, sign: string): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== sign)
    at = /["']/.test(text.charAt(at)) ? stringEnd(text, at) : at + 1;
  return at;
}

interface Inner {
  readonly path: readonly string[];
  readonly pairs: Pair[];
}

function valueEnd(text: string, from: number, inner: Inner): number {
  const first = text.charAt(from);
  if (first === '"' || first === "'") return stringEnd(text, from);
  if (first === '{' || first === '[') return listEnd(text, from, inner);
  let at = from;
  while (at < text.length && !/[,\]}#\r\n]/.test(text.charAt(at))) at++;
  return from + text.slice(from, at).trimEnd().length;
}

/** Of an array or an inline table. What stands in an array has no place of its own. */
function listEnd(text: string, from: number, { path, pairs }: Inner): number {
  const close = text.charAt(from) === '{' ? '}' : ']';
  const beside: Pair[] = [];
  for (let at = from + 1; ; ) {
    at = blankEnd(text, at);
    const sign = text.charAt(at);
    if (sign === close) return at + 1;
    if (sign === '') throw new Error('a list without an end');
    if (sign === ',') at++;
    else if (close === '}') at = pairAt(text, { at, table: path, beside, pairs });
    else {
      const end = valueEnd(text, at, { path: [], pairs: [] });
      if (end === at) throw new Error('a list with no value in it');
      at = end;
    }
  }
}

function stringEnd(text: string, from: number): number {
  const mark = text.charAt(from);
  const isLong = text.startsWith(mark.repeat(3), from);
  const closing = isLong ? mark.repeat(3) : mark;
  let at = from + closing.length;
  while (at < text.length && !text.startsWith(closing, at))
    at += mark === '"' && text.charAt(at) === '\\' ? 2 : 1;
  at += closing.length;
  // Up to two more of them belong to a long string.
  for (let more = 0; isLong && more < 2 && text.charAt(at) === mark; more++) at++;
  return at;
}

/** Behind white space, ends of lines and comments. */
function blankEnd(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (/[\s\uFEFF]/.test(text.charAt(at))) at++;
    if (text.charAt(at) !== '#') return at;
    const end = text.indexOf('\n', at);
    at = end < 0 ? text.length : end;
  }
}
