/** Sentences in other languages, word by word in English: crude, and enough to see an order for what it is. */
import { GLOSSARY, SMALL_WORDS } from './glossary.ts';

/** What a passage says of itself where it was made here. */
export const WORD_BY_WORD = 'word by word in English';

/** Letters of words that are written without spaces. */
const JOINED = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}ー';
const FOREIGN = new RegExp(`[${JOINED}\\p{Script=Cyrillic}]{2}`, 'u');
const VERB_LAST = /[\p{Script=Hiragana}\p{Script=Hangul}]/u;
/** A run without spaces; a name, path or address, which stays as it is; a word; whatever else. */
const PIECE = new RegExp(
  `[${JOINED}]+|[\\w~/.:@\`'"{}$-]*[_~/@:\`{}$\\d][\\w~/.:@\`'"{}$-]*|\\p{L}+|[^\\p{L}]`,
  'gu',
);
/** Words that have to be known, and share of small words, of a sentence in Latin letters. */
const KNOWN = 3;
const SMALL = 0.12;

interface Words {
  readonly exact: ReadonlyMap<string, string>;
  readonly stems: ReadonlyMap<string, string>;
  readonly longest: number;
}
let learned: Words | null = null;

function words(): Words {
  if (learned) return learned;
  const exact = new Map<string, string>();
  const stems = new Map<string, string>();
  for (const [english, list] of Object.entries(GLOSSARY))
    for (const form of list.split(/\s+/)) {
      if (form.endsWith('*')) stems.set(form.slice(0, -1), english);
      else if (form !== '') exact.set(form, english);
    }
  learned = { exact, stems, longest: Math.max(...[...exact.keys()].map(({ length }) => length)) };
  return learned;
}

/** The text with what is known of it in English; null where it is English, or says too little to tell. */
export function glossOf(text: string): string | null {
  const sentences = text
    .normalize('NFKC')
    .replace(/[。！？]/gu, (mark) => ({ '。': '. ', '！': '! ', '？': '? ' })[mark] ?? mark)
    .replace(/[、，]/gu, ', ')
    .split(/(?<=[.!?;])\s+|\n+/)
    .flatMap((sentence) => glossed(sentence) ?? []);
  return sentences.length === 0 ? null : sentences.join('\n');
}

function glossed(sentence: string): string[] | null {
  const foreign = FOREIGN.test(sentence);
  if (!foreign && !isOther(sentence)) return null;
  let known = 0;
  const said: string[] = [];
  for (const [piece] of folded(sentence).matchAll(PIECE)) {
    const found = new RegExp(`^[${JOINED}]`, 'u').test(piece) ? inRun(piece) : [wordOf(piece) ?? piece];
    if (found[0] !== piece) known += found.length;
    said.push(...found);
  }
  if (known < KNOWN) return null;
  const line = said.join(' ').replace(/\s+/g, ' ').trim();
  // Where verbs stand last, an order reads the other way round.
  return VERB_LAST.test(sentence) ? [line, said.reverse().join(' ').replace(/\s+/g, ' ').trim()] : [line];
}

/** Small letters without accents. */
function folded(sentence: string): string {
  return sentence
    .replace(/\p{Script=Latin}\p{M}*/gu, (letter) => letter.normalize('NFD').replace(/\p{M}/gu, ''))
    .replace(/ё/gi, 'е')
    .replace(/(?<![\w/~.@:-])\p{L}+(?![\w/@:-])/gu, (word) => word.toLowerCase());
}

function isOther(sentence: string): boolean {
  const plain = /^[\0-\x7f]*$/.test(sentence) ? sentence.toLowerCase() : folded(sentence);
  const all = plain.match(/\p{L}+/gu) ?? [];
  const small = all.filter((word) => SMALL_WORDS.has(word)).length;
  return small >= 2 && small >= SMALL * all.length;
}

/** Exactly, or by the longest stem that it begins with. */
function wordOf(word: string): string | null {
  const { exact, stems } = words();
  const known = exact.get(word);
  if (known !== undefined) return known;
  for (let length = word.length; length >= 3; length--) {
    const stem = stems.get(word.slice(0, length));
    if (stem !== undefined) return stem;
  }
  return null;
}

/** The longest words that a run is made of, from its beginning; what is not known is left out. */
function inRun(run: string): string[] {
  const { exact, longest } = words();
  const found: string[] = [];
  for (let at = 0; at < run.length; ) {
    let length = Math.min(longest, run.length - at);
    while (length > 0 && !exact.has(run.slice(at, at + length))) length--;
    if (length > 0) found.push(exact.get(run.slice(at, at + length)) ?? '');
    at += Math.max(length, 1);
  }
  return found.length === 0 ? [] : found;
}
