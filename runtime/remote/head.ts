/** What stands before an answer in HTTP/1.1, read in one way only: whatever could be read in two is no answer in HTTP. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export const MAX_HEAD_BYTES = 16_384;
/** How long a connection is kept where the server does not say, and at the most, ms. */
const KEEP_MS = 30_000;
const MOST_KEEP_MS = 300_000;
/** A server that says how long it keeps a connection ends it about then: it is not used any more before, ms. */
const BEFORE_MS = 1000;

const STATUS = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** A line that is a header. */
export const FIELD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;
/** `words` as in `Detail`. */
export function broken(
  ...[expected, found, next, words]: [expected: string, found: string, next?: string, words?: string]
): LockkeeperError {
  return new LockkeeperError('REMOTE_INVALID', {
    expected,
    found,
    words,
    next: next ?? 'The server breaks its transport; tell its operator',
  });
}

export const noHttp = (found: string): LockkeeperError => broken('an answer in HTTP', found);

/** What a handler of answers sees of it. */
export type Reply = Pick<Head, 'status' | 'header'>;

/** What stands before the body. */
export class Head {
  readonly status: number;
  /** Bytes of the body; all that come until the connection ends; or parts that each say how long they are. */
  readonly length: number | 'to the end' | 'in parts';
  /** How long the connection may wait for another request, ms. */
  readonly keepMs: number;
  readonly #fields = new Map<string, string[]>();
  /** By small name. Throws REMOTE_INVALID for one that came twice, unless it is a list that may come in several lines. */
  readonly header = (name: string): string | undefined => {
    const values = this.#fields.get(name) ?? [];
    if (values.length < 2) return values[0];
    if (name === 'www-authenticate') return values.join(', ');
    throw broken(`the header ${name} once`, `${values.length} of them`);
  };

  /** Throws REMOTE_INVALID. */
  constructor(text: string) {
    const [first = '', ...lines] = text.split('\r\n');
    const [, minor, status] = STATUS.exec(first) ?? [];
    if (status === undefined) throw noHttp(`it begins with ${quote(first, 100)}`);
    this.status = Number(status);
    for (const line of lines) this.#add(line);
    if (this.status === 101) throw noHttp('a change to another protocol');
    this.length = this.#length(minor === '1');
    this.keepMs = minor === '1' && this.length !== 'to the end' ? this.#keepMs() : 0;
  }

  #add(line: string): void {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1)];
    if (!NAME.test(name) || !VALUE.test(value)) throw noHttp(`the header ${quote(line, 100)}`);
    const small = name.toLowerCase();
    const values = this.#fields.get(small);
    if (values) values.push(trimmed(value));
    else this.#fields.set(small, [trimmed(value)]);
  }

  #length(isNewer: boolean): Head['length'] {
    const [coding, length] = [this.header('transfer-encoding'), this.header('content-length')];
    const isBare = this.status < 200 || this.status === 204 || this.status === 304;
    if (coding !== undefined) {
      if (length === undefined && isNewer && !isBare && coding.toLowerCase() === 'chunked') return 'in parts';
      throw noHttp(
        `a body in the coding ${quote(coding, 60)}${length === undefined ? '' : ', and a length'}`,
      );
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw noHttp(`a length of ${quote(length, 60)}`);
    if (isBare) return 0;
    return length === undefined ? 'to the end' : Number(length);
  }

  #keepMs(): number {
    const words = (this.#fields.get('connection') ?? []).join().toLowerCase();
    if (words.includes('close')) return 0;
    const [, seconds] = /\btimeout=(\d{1,6})\b/.exec(this.#fields.get('keep-alive')?.join() ?? '') ?? [];
    return seconds === undefined ? KEEP_MS : Math.min(Number(seconds) * 1000 - BEFORE_MS, MOST_KEEP_MS);
  }
}

/** Without the blanks around it, in one pass however many there are. */
function trimmed(value: string): string {
  let [from, to] = [0, value.length];
  while (from < to && isBlank(value.charCodeAt(from))) from++;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;
