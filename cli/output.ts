/** How commands speak: stdout is data, stderr is for people, colour only on a terminal. */
import { fitText, type Paint } from '../scanner/text.ts';
import { UNSEEN } from '../schemas/unseen.ts';

export function makePaint(color: boolean): Paint {
  const wrap = (open: number, close: number) => (text: string) =>
    color ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
  };
}

let columns = Number.POSITIVE_INFINITY;

/** For a terminal of so many columns, before anything is told on it; without one, lines are as long as they are. */
export function fitTo(terminal: number): void {
  columns = terminal;
  fitText(terminal);
}

/** Columns that line up; rows one under the other where they are wider than the terminal; the last one is left ragged. Cells are made safe for a terminal, then painted. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, column: number) => string = (cell) => cell,
): string {
  const all = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const whole = widths.reduce((sum, width) => sum + width + 2, -2);
  if (whole > columns) return stacked(all, paint);
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          paint(column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0), column),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Each row as a block: each cell behind its heading, over as many lines as its words take; an empty one is left out. */
function stacked([head = [], ...rows]: string[][], paint: (cell: string, column: number) => string): string {
  const width = Math.max(...head.map(({ length }) => length)) + 2;
  const told = (cell: string, at: number): string => {
    const lines = wordLines(cell, Math.max(1, columns - width)).map((line) => paint(line, at));
    return `${(head[at] ?? '').padEnd(width)}${lines.join(`\n${' '.repeat(width)}`)}`;
  };
  return rows
    .map((row) => row.flatMap((cell, at) => (cell === '' ? [] : [told(cell, at)])).join('\n'))
    .join('\n\n');
}

/** Broken between words alone: what is one word, such as a digest, can be copied. */
function wordLines(text: string, room: number): string[] {
  const lines = text.match(new RegExp(`.{1,${room}}(?= |$)|\\S+`, 'gu')) ?? [text];
  return lines.map((line) => line.trim());
}

const HIDDEN = new RegExp(`[\\u0000-\\u001f${UNSEEN}]`, 'gu');

/** Outside text on a terminal: control, bidi and zero-width characters are shown, never acted on. */
export function plain(text: string): string {
  return text.replace(HIDDEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

interface Ticking {
  tell(step: string): void;
  /** Ends it, and clears the line. */
  end(): void;
}

/** Tells each step, and from its fifth second on how long it lasts. */
export function ticking(progress: (line: string) => void): Ticking {
  let [step, seconds] = ['', 0];
  const timer = setInterval(() => {
    seconds += 1;
    if (step !== '' && seconds >= 5) progress(`${step}, ${seconds} s`);
  }, 1000);
  timer.unref();
  return {
    tell: (next) => {
      [step, seconds] = [next, 0];
      progress(step);
    },
    end: () => {
      clearInterval(timer);
      progress('');
    },
  };
}

/** A time as people read it: to the minute. */
export function minute(instant: string): string {
  return instant.slice(0, 16).replace('T', ' ');
}

/** At most `limit` characters of a text, with an ellipsis where some are left out. */
export function clip(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
