/** Outside text for people: one line or several, with what cannot be seen shown by number. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const WIDEST = 110;
const NARROWEST = 60;
/** Columns that a line may take. */
export let WIDTH = WIDEST;

/** For a terminal of so many columns, before anything is told on it. */
export function fitText(columns: number): void {
  WIDTH = Math.max(NARROWEST, Math.min(WIDEST, columns));
}
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u115f\u1160\u2028\u2029\u3164\uffa0]|[\ufe00-\ufe0e]|[\u{e0100}-\u{e01ef}]|\p{Cf}/gu;

/** On one line, cut at `width` characters. */
export function line(text: string, width = WIDTH): string {
  const shown = text
    .replace(/[\s\u2028\u2029]+/g, ' ')
    .replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > width ? `${shown.slice(0, width - 1)}…` : shown;
}

/** Whole, over as many lines as its words take; a word that is too long for a line is broken. */
export function wrapped(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of line(text, Number.POSITIVE_INFINITY).split(' ')) {
    for (const part of word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? ['']) {
      if (current !== '' && current.length + 1 + part.length > width) {
        lines.push(current);
        current = '';
      }
      current = current === '' ? part : `${current} ${part}`;
    }
  }
  return [...lines, current];
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Bytes in a unit that people read. */
export function sized(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
