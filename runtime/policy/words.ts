/** The words of one line of a policy, and the sentence about what is wrong with it. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export const POLICY_FILE = 'lockkeeper.policy';

export interface Word {
  readonly text: string;
  /** In quotation marks: a name, never a word of the language. */
  readonly quoted: boolean;
}

export function invalid(line: number, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('POLICY_INVALID', {
    expected: `${expected} in line ${line} of ${POLICY_FILE}`,
    found,
    next: 'Correct the line, then run: lk policy check',
  });
}

/** Splits at spaces and commas; what stands in quotation marks is one word. Throws POLICY_INVALID for an open mark. */
export function wordsOf(text: string, line: number): Word[] {
  const words: Word[] = [];
  for (const [part] of text.matchAll(/"[^"]*"?|,|[^\s,"]+/g)) {
    const quoted = part.startsWith('"');
    if (quoted && (part.length < 3 || !part.endsWith('"')))
      throw invalid(line, 'a name between two quotation marks', quote(part));
    words.push({ text: quoted ? part.slice(1, -1) : part, quoted });
  }
  return words;
}

/** Reads words one after the other. */
export class Words {
  readonly line: number;
  readonly #words: readonly Word[];
  #at = 0;

  constructor(words: readonly Word[], line: number) {
    this.#words = words;
    this.line = line;
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The next word of the language; undefined for a quoted one and at the end. */
  get ahead(): string | undefined {
    const word = this.#words[this.#at];
    return word && !word.quoted ? word.text : undefined;
  }

  /** Takes these words where they come next, all of them or none. */
  take(...wanted: readonly string[]): boolean {
    const fits = wanted.every((text, index) => {
      const word = this.#words[this.#at + index];
      return word !== undefined && !word.quoted && word.text === text;
    });
    if (fits) this.#at += wanted.length;
    return fits;
  }

  /** Takes the first of these words that comes next. */
  takeOne<T extends string>(wanted: readonly T[]): T | undefined {
    return wanted.find((text) => this.take(text));
  }

  need(...wanted: readonly string[]): void {
    if (!this.take(...wanted)) throw this.expected(quote(wanted.join(' ')));
  }

  /** A name of something, quoted or not. */
  name(what: string): string {
    const word = this.#words[this.#at];
    if (word === undefined || (!word.quoted && word.text === ',')) throw this.expected(what);
    this.#at++;
    return word.text;
  }

  /** One or more names, with these words or commas between them. */
  names(what: string, between: readonly string[]): string[] {
    const names = [this.name(what)];
    for (;;) {
      const comma = between.includes(',') && this.take(',');
      const joined = between.some((word) => word !== ',' && this.take(word));
      if (!comma && !joined) return names;
      names.push(this.name(what));
    }
  }

  expected(what: string): LockkeeperError {
    const rest = this.#words.slice(this.#at).map(({ text }) => text);
    return invalid(this.line, what, rest.length > 0 ? quote(rest.join(' ')) : 'the end of the line');
  }
}
