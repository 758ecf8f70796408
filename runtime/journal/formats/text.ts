/** Text of strangers inside of a line: bounded, well formed, and unable to end the line or to turn it around. */

import { asEscape, UNSEEN } from '../../../schemas/unseen.ts';

/** Controls, line separators, and marks that change what a reader sees. */
const HIDDEN = new RegExp(`[\\u0000-\\u001f${UNSEEN}]`, 'gu');

/** At most so many characters, hidden ones written as `\u0007`. */
export function clean(text: string, max: number): string {
  const shown = text.slice(0, max).toWellFormed().replace(HIDDEN, asEscape);
  return text.length > max || shown.length > max ? `${shown.slice(0, max - 1).toWellFormed()}…` : shown;
}

/** JSON on one line for whatever splits lines; parsed, it is the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(HIDDEN, asEscape);
}
