/** Looking for the phrases: in tool text as a whole, in answers around what signals them. */
import { normal } from './normal.ts';
import { ANSWER_PHRASES, type Phrase, TOOL_PHRASES } from './phrases.ts';

/** Characters of one text that are read as tool text; nobody reviews more, and a rule may take its square in time. */
export const MAX_TEXT = 20_000;

export interface Hit {
  readonly why: string;
  /** Where it stands in the text as it was read. */
  readonly at: number;
  readonly plain: string;
}

/** Whether a sentence that a phrase was found in, at that place of it, has an honest use for it. */
export type Honest = (why: string, sentence: string, at: number) => boolean;

/** Each reason once, as the text reads after everything invisible and every line break is taken out. */
export function phrasesIn(text: string, honest?: Honest): Hit[] {
  const plain = plainOf(text.slice(0, MAX_TEXT));
  const hits = new Map<string, Hit>();
  for (const phrase of TOOL_PHRASES) {
    if (hits.has(phrase.why)) continue;
    const at = placeOf(phrase, plain, honest);
    if (at !== null) hits.set(phrase.why, { why: phrase.why, at, plain });
  }
  return [...hits.values()];
}

function plainOf(text: string): string {
  return visible(text).replace(/\s+/g, ' ');
}

/** Letters in other clothes, and what nobody sees between them. */
const DISGUISED =
  /[\u00ad\u0370-\u03ff\u0400-\u04ff\u200b-\u200f\u2060-\u2064\ufeff\u{e0000}-\u{e007f}\u2100-\u214f\u2460-\u24ff\ufb00-\ufb06\uff00-\uffef\u{1d400}-\u{1d7ff}]/u;

function visible(text: string): string {
  // Of a text that has one byte for each character, the engine knows the answer to this without reading it.
  const latin = !/[^\0-\xff]/.test(text);
  return (latin ? text.includes('\u00ad') : DISGUISED.test(text)) ? normal(text) : text;
}

/** Where the phrase stands, unless its own sentence says the opposite. */
function placeOf({ why, pattern, unless }: Phrase, plain: string, honest?: Honest): number | null {
  if (!pattern.test(plain)) return null;
  for (const found of plain.matchAll(new RegExp(pattern, `${pattern.flags}g`))) {
    if (unless === undefined && honest === undefined) return found.index;
    const { from, sentence } = sentenceOf(plain, found);
    if (!unless?.test(sentence) && !honest?.(why, sentence, found.index - from)) return found.index;
  }
  return null;
}

/** From the end of the sentence before to the end of the one that the match ends in. */
function sentenceOf(plain: string, found: RegExpExecArray): { from: number; sentence: string } {
  const from = plain.slice(0, found.index).search(/[.!?;](?=\s)[^.!?;]*$/) + 1;
  const rest = plain.slice(found.index + found[0].length);
  const end = rest.search(/[.!?;](?:\s|$)/);
  const to = found.index + found[0].length + (end < 0 ? rest.length : end);
  return { from, sentence: plain.slice(from, to) };
}

/** One after the other: the engine looks for few words at a time faster than for all of them at once. */
const SIGNALLED = ANSWER_PHRASES.map((phrase) => ({
  phrase,
  signal: new RegExp(phrase.signal ?? '', 'gi'),
}));
/** Of a short text it is quicker to ask whether there is any signal at all. */
const ANY_SIGNAL = new RegExp(ANSWER_PHRASES.map(({ signal }) => signal).join('|'), 'i');
const SHORT = 300;
/** Fewer characters say nothing. */
const LEAST = 8;
/** Characters before and after a signal that a phrase may take. */
const BEFORE = 250;
const AFTER = 450;

/** What of an answer may still be read; shared by all texts of one message. */
export interface Reading {
  /** Characters that stand close to a signal: each is looked at by the rule it is a signal of. */
  close: number;
}

/** Reasons in one text of an answer, each once; null once there is more close to signals than may be read. */
export function answerPhrasesIn(text: string, left: Reading): string[] | null {
  if (text.length < LEAST) return [];
  const whole = visible(text);
  // A phrase does not end where somebody puts a page of nothing into it.
  const plain = /\s{20}/.test(whole) ? whole.replace(/\s+/g, ' ') : whole;
  if (plain.length <= SHORT && !ANY_SIGNAL.test(plain)) return [];
  const why = new Set<string>();
  for (const { phrase, signal } of SIGNALLED) {
    if (why.has(phrase.why)) continue;
    for (const [from, to] of closeTo(plain, signal)) {
      left.close -= to - from;
      if (left.close < 0) return null;
      if (placeOf(phrase, plain.slice(from, to).replace(/\s+/g, ' ')) === null) continue;
      why.add(phrase.why);
      break;
    }
  }
  return [...why];
}

/** Places around signals, joined where they overlap, but not beyond what is read at once. */
function* closeTo(plain: string, signal: RegExp): Generator<readonly [number, number]> {
  let [from, to] = [0, 0];
  for (const { index } of plain.matchAll(signal)) {
    if (to > 0 && index - BEFORE <= to && index + AFTER - from <= MAX_TEXT / 4) {
      to = index + AFTER;
      continue;
    }
    if (to > 0) yield [from, to];
    [from, to] = [Math.max(0, index - BEFORE), index + AFTER];
  }
  if (to > 0) yield [from, Math.min(to, plain.length)];
}

const SHELL = /\b(?:curl|wget|bash|chmod|nc|rm -rf|powershell|eval)\b|\/bin\/sh|\/dev\/tcp/i;

/** Whether what was written in codes turns into a phrase or a command. */
export function meansHarm(decoded: string): boolean {
  return SHELL.test(decoded) || TOOL_PHRASES.some((phrase) => placeOf(phrase, decoded) !== null);
}
