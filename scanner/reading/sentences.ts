/** A text as sentences, and as windows of what stands together: an order and its reason are often two of them. */

/** Characters of one sentence, and words of one window, that are read at once. */
const LONGEST = 420;
const WORDS = 48;
/** Fewer words are a heading or a name: nobody is told what to do by them. */
const FEWEST = 5;

/** A line that ends in the middle of a sentence, which goes on in small letters. */
const WRAPPED = /([a-z,]) ?\n ?(?=[a-z(`'"~/])/g;
/** A line break that was escaped once too often. */
const ESCAPED = /\\r?\\?n(?=[\sA-Z\\-]|$)/g;
/** Looked at once each: a pattern that seeks line breaks would look at them again from each place. */
const BLANKS = /[^\S\n]+/g;

/** Sentences, lines and items of lists; what is longer than anybody writes is cut. */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  const lines = text.replace(ESCAPED, '\n').replace(BLANKS, ' ').replace(WRAPPED, '$1 ');
  for (const part of lines.split(/(?<=[.!?])\s+|\s*\n+\s*(?:[-*•]\s+|\d+[.)]\s+)?/)) {
    for (let from = 0; from < part.length; from += LONGEST) {
      const sentence = part.slice(from, from + LONGEST).trim();
      if (sentence.length >= 8) sentences.push(sentence);
    }
  }
  return sentences;
}

/** Each sentence by itself, and with the next one where both are short enough to belong together. */
export function windowsOf<T>(sentences: readonly T[], wordsIn: (sentence: T) => number): T[][] {
  const windows: T[][] = [];
  for (let i = 0; i < sentences.length; i++) {
    const [one, next] = [sentences[i], sentences[i + 1]];
    if (one === undefined) continue;
    if (wordsIn(one) >= FEWEST) windows.push([one]);
    if (next === undefined || Math.max(wordsIn(one), wordsIn(next)) < FEWEST) continue;
    if (wordsIn(one) + wordsIn(next) <= WORDS) windows.push([one, next]);
  }
  return windows;
}
