/** Text of strangers inside of a line: bounded, well formed, and unable to end the line or to turn it around. */

/** Controls, line separators, and marks that change what a reader sees. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\u{e0001}|[\u{e0020}-\u{e007f}]/gu;

function asEscape(found: string): string {
  return [...Array(found.length).keys()]
    .map((at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');
}

/** At most so many characters, hidden ones written as `\u0007`. */
export function clean(text: string, max: number): string {
  const shown = text.slice(0, max).toWellFormed().replace(HIDDEN, asEscape);
  return text.length > max || shown.length > max ? `${shown.slice(0, max - 1).toWellFormed()}…` : shown;
}

/** JSON on one line for whatever splits lines; parsed, it is the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(HIDDEN, asEscape);
}
