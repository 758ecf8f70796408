/** Sentences whose letters were exchanged or turned round: found by the small words of English that come out of it. */

const SMALL =
  `the and to of all any you your is in with for from on not do no it this that user users ignore previous prior instructions
  read send file files key keys tool tools must before call use secret password token system prompt server never tell then
  first every when always data content message copy post forward`
    .split(/\s+/)
    .filter((word) => word !== '');

interface Cipher {
  readonly how: string;
  readonly undo: (text: string) => string;
  /** What the small words look like in it. */
  readonly mark: RegExp;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const exchanged = (alphabet: string) => (text: string) =>
  text.replace(/[a-z]/gi, (letter) => {
    const other = LETTERS[alphabet.indexOf(letter.toLowerCase())] ?? letter;
    return letter < 'a' ? other.toUpperCase() : other;
  });
const DIGITS: Readonly<Record<string, string>> = {
  ...{ '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' },
};
const turned = (text: string): string => [...text].reverse().join('');

const cipher = (how: string, undo: Cipher['undo'], small: readonly string[]): Cipher => ({
  ...{ how, undo, mark: new RegExp(`(?:^|[^a-z])(?:${small.join('|')})(?![a-z])`, 'i') },
});
const rot13 = exchanged(LETTERS.slice(13) + LETTERS.slice(0, 13));
const atbash = exchanged(turned(LETTERS));
const CIPHERS: readonly Cipher[] = [
  cipher('rot13', rot13, SMALL.map(rot13)),
  cipher('letters in the opposite order', atbash, SMALL.map(atbash)),
  cipher('letters backwards', turned, SMALL.map(turned)),
  {
    how: 'digits for letters',
    undo: (text) => text.replace(/[013457@$!]/g, (digit) => DIGITS[digit] ?? digit),
    mark: /[a-z][013457@$][a-z]|\b[013457@$][a-z]{2}/i,
  },
];

const READS = new RegExp(`^(?:${SMALL.join('|')})$`, 'i');
/** Words of a sentence that are enough to tell, and shares of small words in it: undone, and as it was written. */
const FEWEST = 5;
const ENGLISH = 0.4;
const NOT_ENGLISH = 0.15;

/** Share of small words among all that stand between blanks. */
function smallIn(text: string): number {
  const words = text.match(/[^\s.,;:!?"'`()]+/g) ?? [];
  return words.length < FEWEST ? 0 : words.filter((word) => READS.test(word)).length / words.length;
}

/** Sentences in one of the ciphers, undone. */
export function ciphered(
  text: string,
): { readonly how: string; readonly written: string; readonly text: string }[] {
  const used = CIPHERS.filter(({ mark }) => mark.test(text));
  if (used.length === 0) return [];
  return text.split(/[\n:;]|[.!?](?=\s)/).flatMap((written) => {
    if (smallIn(written) > NOT_ENGLISH) return [];
    for (const { how, undo } of used) {
      const undone = undo(written).trim();
      if (smallIn(undone) >= ENGLISH) return [{ how, written, text: undone }];
    }
    return [];
  });
}
