/** One normal form of a text, for whatever looks for words in it: what nobody sees is taken out, disguises are taken off. */

/** Characters that have no width or are not drawn. */
const INVISIBLE =
  /\u034f|[\u00ad\u061c\u115f\u1160]|[\u17b4\u17b5]|[\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]|[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/gu;
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
