/** One normal form of a text, for whatever looks for words in it: what nobody sees is taken out, disguises are taken off. */

/** Characters that have no width or are not drawn. */
const INVISIBLE =
  /\u034f|[\u00ad\u061c\u115f\u1160]|[\u17b4\u17b5]|[\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]|[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/gu;
const TAG_RUN = /[\u{e0020}-\u{e007e}]+/gu;
const TAGS = /[\u{e0000}-\u{e007f}]/gu;

/** Letters of other alphabets that are drawn like Latin ones; compatibility forms are folded by NFKC. */
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['аΑαАᴀ', 'a'],
    ['вВΒʙ', 'b'],
    ['сСϲᴄ', 'c'],
    ['ԁᴅ', 'd'],
    ['еЕΕёЁᴇ', 'e'],
    ['ɡԌ', 'g'],
    ['һНнΗʜ', 'h'],
    ['іІΙιӏїɩ', 'i'],
    ['јЈ', 'j'],
    ['кКΚκᴋ', 'k'],
    ['ⅼʟ', 'l'],
    ['мМΜᴍ', 'm'],
    ['ոΝɴ', 'n'],
    ['оОΟοσօᴏ', 'o'],
    ['рРΡρ', 'p'],
    ['ԛ', 'q'],
    ['гʀ', 'r'],
    ['ѕЅꜱ', 's'],
    ['тТΤτᴛ', 't'],
    ['υսᴜ', 'u'],
    ['ѵνᴠ', 'v'],
    ['ԝᴡ', 'w'],
    ['хХΧχ', 'x'],
    ['уУΥγʏ', 'y'],
    ['ᴢΖ', 'z'],
  ].flatMap(([letters = '', latin = '']) => [...letters].map((letter) => [letter, latin])),
);
const LOOKALIKE = new RegExp(`[${Object.keys(LOOKALIKES).join('')}]`, 'gu');

/** The text as a model reads it and a person would, if all of it could be seen. Line breaks stay. */
export function normal(text: string): string {
  if (/^[\x09\x0a\x0d\x20-\x7e]*$/.test(text)) return text;
  return text
    .replace(TAGS, '')
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(LOOKALIKE, (letter) => LOOKALIKES[letter] ?? letter)
    .replace(/[\u2018\u2019\u02bc]/g, "'")
    .replace(/[\u201c\u201d]/g, '"');
}

export interface Decoded {
  readonly how: string;
  /** As it was written, cut. */
  readonly written: string;
  readonly text: string;
}

/** Pieces of one text that are decoded, characters of one piece, and how often what was decoded is decoded again. */
const MOST_PIECES = 16;
const MOST_CHARACTERS = 4096;
const DEPTH = 2;

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  nbsp: ' ',
};

interface Coding {
  readonly how: string;
  /** A character without which there is none of it; asked first, as it costs next to nothing. */
  readonly mark?: string;
  readonly pattern: RegExp;
  decode(written: string): string;
}

const bytes = (written: string, coding: 'base64' | 'hex'): string =>
  Buffer.from(written, coding).toString('latin1');

const CODINGS: readonly Coding[] = [
  {
    how: 'Unicode tag characters',
    pattern: TAG_RUN,
    decode: (run) => String.fromCodePoint(...[...run].map((c) => (c.codePointAt(0) ?? 0) - 0xe0000)),
  },
  { how: 'base64', pattern: /[A-Za-z0-9+/_-]{16,}={0,2}/g, decode: (run) => bytes(run, 'base64') },
  {
    how: 'hexadecimal',
    pattern: /\b(?:0x)?(?:[0-9a-fA-F]{2}){10,}\b/g,
    decode: (run) => bytes(run.replace(/^0x/, ''), 'hex'),
  },
  {
    how: 'escapes',
    mark: '\\',
    pattern: /(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}){4,}/g,
    decode: (run) =>
      run.replace(/\\[xu]([0-9a-fA-F]+)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  },
  {
    how: 'percent encoding',
    mark: '%',
    pattern: /[^\s%]{0,200}(?:%[0-9a-fA-F]{2}[^\s%]{0,40}){4,}/g,
    decode: (run) =>
      run.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  },
  {
    how: 'character references',
    mark: '&',
    pattern: /(?:[^&\n]{0,400}&(?:#x?[0-9a-fA-F]{1,6}|[a-z]{2,5});)+[^&\n]{0,400}/g,
    decode: (run) =>
      run.replace(
        /&(?:#(x?)([0-9a-fA-F]+)|([a-z]+));/g,
        (whole, hex: string, number: string, name: string) =>
          name === undefined ? referenced(number, hex === 'x') : (ENTITIES[name] ?? whole),
      ),
  },
];

function referenced(number: string, hex: boolean): string {
  const code = Number.parseInt(number, hex ? 16 : 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** What is written in codes and reads as text once it is decoded, within bounds. */
export function decodedIn(text: string, depth = DEPTH): Decoded[] {
  const found: Decoded[] = [];
  for (const { how, mark, pattern, decode } of CODINGS) {
    if (mark !== undefined && !text.includes(mark)) continue;
    for (const [written] of text.matchAll(pattern)) {
      if (found.length >= MOST_PIECES) return found;
      const decoded = decode(written.slice(0, MOST_CHARACTERS));
      if (decoded === written || !/^[\x20-\x7e\s]{10,}$/.test(decoded)) continue;
      found.push({ how, written: written.slice(0, 80), text: decoded });
      if (depth > 1)
        found.push(
          ...decodedIn(decoded, depth - 1).map((inner) => ({ ...inner, how: `${how}, then ${inner.how}` })),
        );
    }
  }
  return found.slice(0, MOST_PIECES);
}
