/** Characters that a person does not see, or takes for others, and a model reads: one table for tool text and answers. */
import type { Severity } from '../../schemas/finding.ts';

export interface Trick {
  readonly name: string;
  readonly severity: Severity;
  readonly pattern: RegExp;
  /** Where the text has this, the pattern is honest writing. */
  readonly unless?: RegExp;
}

/** Scripts that join and separate letters with characters of no width, and emoji, which do the same. */
const JOINING =
  '\\p{Script=Arabic}\\p{Script=Devanagari}\\p{Script=Bengali}\\p{Script=Tamil}\\p{Script=Malayalam}\\p{Script=Sinhala}\\p{Script=Mongolian}\\p{Extended_Pictographic}\\ufe0f\\u{1f3fb}-\\u{1f3ff}';
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/u;
/** Greek letters that are drawn like Latin ones; others stand honestly beside Latin text, as in μs. */
const GREEK_LOOKALIKE = 'ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορτυχ';

export const TAGS = 'Unicode tag characters';
const TRICKS: readonly Trick[] = [
  { name: TAGS, severity: 'critical', pattern: /[\u{e0000}-\u{e007f}]/u },
  { name: 'bidirectional controls', severity: 'critical', pattern: /[\u202a-\u202e\u2066-\u2069]/u },
  {
    name: 'direction marks in text of one direction',
    severity: 'high',
    pattern: /[\u200e\u200f\u061c]/u,
    unless: RIGHT_TO_LEFT,
  },
  {
    name: 'invisible characters',
    severity: 'high',
    pattern:
      /[\u200b\u2060-\u2065\u206a-\u206f\u180e\u00ad\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufeff\ufff9-\ufffb]|\u034f/u,
  },
  {
    name: 'joiners between letters that do not join',
    severity: 'high',
    pattern: new RegExp(`(?<![${JOINING}])[\\u200c\\u200d]`, 'u'),
  },
  {
    name: 'runs of variation selectors',
    severity: 'critical',
    pattern: /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2,}/u,
  },
  {
    name: 'control characters',
    severity: 'high',
    pattern: /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u,
  },
  {
    name: 'letters of two alphabets in one word',
    severity: 'high',
    pattern: new RegExp(
      `[A-Za-z][\\p{Script=Cyrillic}${GREEK_LOOKALIKE}]|[\\p{Script=Cyrillic}${GREEK_LOOKALIKE}][A-Za-z]`,
      'u',
    ),
  },
];

/** The tricks that a text plays. */
export function tricksIn(text: string): Trick[] {
  if (/^[\x20-\x7e\n\r\t]*$/.test(text)) return [];
  return TRICKS.filter(({ pattern, unless }) => pattern.test(text) && !unless?.test(text));
}

/** Whole texts out of sight, or shown backwards. Flags of regions are written with tag characters, honestly. */
const OUT_OF_SIGHT =
  /(?<!\u{1f3f4}[\u{e0030}-\u{e007a}]{0,6})[\u{e0001}-\u{e007e}]|[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{3,}|\u202e/u;

/** Whether an answer holds what no honest text does. */
export function carriesHidden(text: string): boolean {
  return /[^\0-\u01ff]/.test(text) && OUT_OF_SIGHT.test(text);
}

/** What tag characters say to a model; they are ASCII moved out of sight. */
export function tagged(text: string): string {
  const letters = [...text].map((c) => c.codePointAt(0) ?? 0).filter((c) => c >= 0xe0020 && c < 0xe007f);
  return String.fromCodePoint(...letters.slice(0, 200).map((c) => c - 0xe0000));
}
