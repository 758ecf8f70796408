/** Patterns of JSON Schema, read into a tree that `pattern.ts` runs without ever going back. */

/** One character that fits, by its code point. */
export type Fits = (point: number) => boolean;

export type Node =
  | { readonly kind: 'one'; readonly fits: Fits }
  | { readonly kind: 'all'; readonly of: readonly Node[] }
  | { readonly kind: 'any'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'begin' | 'end' | 'border' | 'inside' }
  | { readonly kind: 'look'; readonly of: Node; readonly behind: boolean; readonly not: boolean };

/** Characters of a pattern, and groups within groups. */
const MAX_LENGTH = 5000;
const MAX_DEPTH = 50;

/** Throws a sentence for a person where a pattern is none, or one that cannot be judged in bounded time. */
export function parsePattern(source: string): Node {
  if (source.length > MAX_LENGTH) throw new Error(`a pattern of more than ${MAX_LENGTH} characters`);
  const flags = assertPattern(source);
  const node = new Reader(source, flags).any(0);
  return node;
}

/** The flags under which it is one; a pattern is only read here, never run. */
function assertPattern(source: string): 'u' | '' {
  for (const flags of ['u', ''] as const) {
    try {
      new RegExp(source, flags);
      return flags;
    } catch {
      // the other flags remain
    }
  }
  throw new Error('a pattern that is none');
}

const NEWLINES = new Set([10, 13, 0x2028, 0x2029]);
const LOOKS: Readonly<Record<string, { behind: boolean; not: boolean }>> = {
  '(?=': { behind: false, not: false },
  '(?!': { behind: false, not: true },
  '(?<=': { behind: true, not: false },
  '(?<!': { behind: true, not: true },
};

class Reader {
  readonly #text: string;
  readonly #flags: string;
  #at = 0;

  constructor(text: string, flags: string) {
    this.#text = text;
    this.#flags = flags;
  }

  any(depth: number): Node {
    if (depth > MAX_DEPTH) throw new Error('a pattern with too many groups in one another');
    const of = [this.#all(depth)];
    while (this.#take('|')) of.push(this.#all(depth));
    return of.length === 1 && of[0] ? of[0] : { kind: 'any', of };
  }

  #all(depth: number): Node {
    const of: Node[] = [];
    while (this.#at < this.#text.length && !/[|)]/.test(this.#text.charAt(this.#at)))
      of.push(this.#repeated(this.#item(depth)));
    return { kind: 'all', of };
  }

  #repeated(of: Node): Node {
    const [whole, symbol, from, comma, to] =
      /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(this.#text.slice(this.#at, this.#at + 40)) ?? [];
    if (whole === undefined) return of;
    this.#at += whole.length;
    if (symbol !== undefined)
      return { kind: 'repeat', of, min: symbol === '+' ? 1 : 0, max: symbol === '?' ? 1 : Infinity };
    const min = Number(from);
    return { kind: 'repeat', of, min, max: to ? Number(to) : comma ? Infinity : min };
  }

  #item(depth: number): Node {
    if (this.#take('^')) return { kind: 'begin' };
    if (this.#take('$')) return { kind: 'end' };
    if (this.#take('.')) return { kind: 'one', fits: (point) => !NEWLINES.has(point) };
    if (this.#text.charAt(this.#at) === '(') return this.#group(depth);
    if (this.#text.charAt(this.#at) === '[') return this.#class();
    if (this.#text.charAt(this.#at) === '\\') return this.#escape();
    const point = this.#text.codePointAt(this.#at) ?? 0;
    this.#at += point > 0xffff ? 2 : 1;
    return { kind: 'one', fits: (other) => other === point };
  }

  #group(depth: number): Node {
    const look = Object.keys(LOOKS).find((word) => this.#text.startsWith(word, this.#at));
    const [open = ''] = /^\((?:\?:|\?<[^=!>][^>]*>|\?<?[=!]|(?!\?))/.exec(this.#text.slice(this.#at)) ?? [];
    if (open === '') throw new Error('a pattern with a group of a kind that is not known');
    this.#at += open.length;
    const of = this.any(depth + 1);
    this.#take(')');
    const kind = look === undefined ? undefined : LOOKS[look];
    return kind ? { kind: 'look', of, ...kind } : of;
  }

  /** From `[` to its `]`; the engine itself says which characters are in it, one at a time. */
  #class(): Node {
    const from = this.#at++;
    while (this.#text.charAt(this.#at) !== ']') this.#at += this.#text.charAt(this.#at) === '\\' ? 2 : 1;
    this.#at++;
    return { kind: 'one', fits: this.#oneOf(this.#text.slice(from, this.#at)) };
  }

  #escape(): Node {
    if (this.#take('\\b')) return { kind: 'border' };
    if (this.#take('\\B')) return { kind: 'inside' };
    const rest = this.#text.slice(this.#at, this.#at + 100);
    const named = /^\\(?:[1-9]|k<)/.test(rest);
    if (named) throw new Error('a pattern that refers back to what it matched');
    const [word = rest.slice(0, 2)] =
      /^\\(?:u\{[0-9a-fA-F]+\}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[pP]\{[^}]*\})/.exec(
        rest,
      ) ?? [];
    this.#at += word.length;
    return { kind: 'one', fits: this.#oneOf(word) };
  }

  #oneOf(source: string): Fits {
    const whole = new RegExp(`^(?:${source})$`, this.#flags);
    const ascii = Uint8Array.from({ length: 128 }, (_, point) =>
      whole.test(String.fromCharCode(point)) ? 1 : 0,
    );
    return (point) => (point < 128 ? ascii[point] === 1 : whole.test(String.fromCodePoint(point)));
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }
}
