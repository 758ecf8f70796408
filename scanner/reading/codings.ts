/** What is written in codes: encodings of bytes, and letters that were moved, turned, spaced out or written as digits. */
import { ciphered } from './ciphers.ts';

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

const bytes = (written: string, coding: 'base64' | 'hex'): string => plain(Buffer.from(written, coding));

/** One byte a character, or two where each second one is empty. */
function plain(read: Buffer): string {
  const text = read.toString('latin1');
  return /^(?:[^\0]\0)+$/.test(text) ? text.replaceAll('\0', '') : text;
}

const numbered = (written: string, pattern: RegExp, radix: number): string =>
  (written.match(pattern) ?? []).map((code) => String.fromCharCode(Number.parseInt(code, radix))).join('');

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
function base32(written: string): string {
  const bits = [...written.replace(/=/g, '')]
    .map((c) => BASE32.indexOf(c).toString(2).padStart(5, '0'))
    .join('');
  return numbered(bits, /[01]{8}/g, 2);
}

/** Words around the pieces are no pieces. */
function joined(written: string): string {
  const pieces = written.split(/\s/);
  const word = (piece: string | undefined): boolean => /^[A-Za-z]?[a-z]+$/.test(piece ?? '-');
  while (word(pieces[0])) pieces.shift();
  while (word(pieces.at(-1))) pieces.pop();
  return bytes(pieces.join(''), 'base64');
}

/** Gaps between letters are as small as they come; wider ones stand between words. */
function spacedOut(written: string): string {
  const gaps = written.match(/[^A-Za-z]+/g) ?? [];
  const least = Math.min(...gaps.map(({ length }) => length));
  return written.replace(/[^A-Za-z]+/g, (gap) => (gap.length > least ? ' ' : ''));
}

const CODINGS: readonly Coding[] = [
  {
    how: 'Unicode tag characters',
    pattern: /[\u{e0020}-\u{e007e}]+/gu,
    decode: (run) => String.fromCodePoint(...[...run].map((c) => (c.codePointAt(0) ?? 0) - 0xe0000)),
  },
  { how: 'base64', pattern: /[A-Za-z0-9+/_-]{16,}={0,2}/g, decode: (run) => bytes(run, 'base64') },
  {
    how: 'base64 in pieces',
    mark: ' ',
    pattern: /(?<![\w+/])[A-Za-z0-9+/]{4,76}(?:\s[A-Za-z0-9+/]{4,76}){2,}={0,2}/g,
    decode: joined,
  },
  { how: 'base32', pattern: /\b[A-Z2-7]{24,}={0,6}/g, decode: base32 },
  {
    how: 'hexadecimal',
    pattern:
      /\b(?:0x)?(?:[0-9a-fA-F]{2}){10,}\b|\b(?:0x)?[0-9a-fA-F]{2}(?:[ ,:;]{1,2}(?:0x)?[0-9a-fA-F]{2}){9,}\b/g,
    decode: (run) => bytes(run.replace(/0x|[ ,:;]/g, ''), 'hex'),
  },
  {
    how: 'decimal numbers',
    pattern: /\b\d{2,3}(?:[ ,;]{1,2}\d{2,3}){9,}\b/g,
    decode: (run) => numbered(run, /\d+/g, 10),
  },
  {
    how: 'binary numbers',
    pattern: /\b[01]{7,8}(?:[ ,;]{1,2}[01]{7,8}){9,}\b|\b(?:[01]{8}){10,}\b/g,
    decode: (run) => numbered(run, /[01]{7,8}/g, 2),
  },
  {
    how: 'letters apart',
    pattern: /(?<![A-Za-z])[A-Za-z](?:[ .\-_*|]{1,8}[A-Za-z]){12,}(?![A-Za-z])/g,
    decode: spacedOut,
  },
  {
    how: 'escapes',
    mark: '\\',
    pattern: /(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[0-7]{3}){4,}/g,
    decode: (run) =>
      run
        .replace(/\\[xu]([0-9a-fA-F]+)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
        .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
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
  found.push(...ciphered(text).map((one) => ({ ...one, written: one.written.slice(0, 80) })));
  return found.slice(0, MOST_PIECES);
}
