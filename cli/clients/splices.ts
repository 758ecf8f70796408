/** Pieces of a text put in the place of others. Pure. */
import type { Members } from '../../scanner/targets/client-file.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

/** One entry, by the names that lead to it. */
export interface Rewriting {
  readonly place: readonly string[];
  readonly before: Members;
  readonly after: Members;
}

export interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** They do not overlap; one that only puts in comes before one that begins there. */
export function spliced(text: string, splices: readonly Splice[]): string {
  return [...splices]
    .sort((a, b) => b.from - a.from || b.to - a.to)
    .reduce((whole, { from, to, text: put }) => whole.slice(0, from) + put + whole.slice(to), text);
}

/** With its line where nothing else stands in it, else with the space before it. */
export function wholeLine(text: string, from: number, to: number): { from: number; to: number } {
  let start = from;
  while (start > 0 && /[ \t]/.test(text.charAt(start - 1))) start--;
  const line = /[ \t]*(?:\r?\n)?/y;
  line.lastIndex = to;
  line.test(text);
  const isAlone =
    text.charAt(line.lastIndex - 1) === '\n' && (start === 0 || text.charAt(start - 1) === '\n');
  return isAlone ? { from: start, to: line.lastIndex } : { from: start, to };
}

export function isTable(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function unclear(path: string, name: string): LockkeeperError {
  return new LockkeeperError('DOCUMENT_INVALID', {
    expected: `${path} to say once what ${quote(name, 200)} is`,
    found: 'a member that is there twice, or a form that cannot be kept',
    next: 'Correct the file, or put the lines in its place by hand (docs/clients.md)',
  });
}
