/** Answers in HTTP/1.1, read as they come: a head, then the body by the one length that the head gives it. */
import { quote } from '../../schemas/errors.ts';
import { FIELD, Head, MAX_HEAD_BYTES, noHttp } from './head.ts';

/** Of a line that says how long the next part is. */
const MAX_LINE_BYTES = 1024;
/** Parts of an answer beyond one for each so many bytes of it: each costs more to read than it brings. */
const SMALL_PARTS = 50_000;
const SMALL_BYTES = 16;
const PART = /^([0-9A-Fa-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const BEGINNING = 'HTTP/1.';
/** The end of a head for those that end lines otherwise. */
const OTHER_END = '\n\n';

export interface AnswerHandlers {
  /** Also of those that only promise an answer (1xx). */
  readonly head: (head: Head) => void;
  readonly data: (chunk: Buffer) => void;
  readonly end: () => void;
}

type State =
  | 'head'
  | 'body'
  | 'to the end'
  | 'size of a part'
  | 'part'
  | 'end of a part'
  | 'trailer'
  | 'over';

/** Reads what comes on one connection, one answer after the other. What it is given to read may throw REMOTE_INVALID. */
export class AnswerReader {
  readonly #on: AnswerHandlers;
  #state: State = 'over';
  /** Of a head, or a line, that is not whole yet. */
  #held: Buffer | null = null;
  /** Bytes of the body, or of its part, that have not come. */
  #left = 0;
  #trailerBytes = 0;
  /** Parts of this answer, less those that its bytes account for. */
  #small = 0;
  /** Heads of one server are mostly the same: the one before is not read again. */
  #text = '';
  #head: Head | null = null;

  constructor(on: AnswerHandlers) {
    this.#on = on;
  }

  /** Whether the answer is there, whole. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** The next answer may come. */
  begin(): void {
    this.#state = 'head';
  }

  /** False where bytes come that belong to no answer. */
  take(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#state === 'over') return false;
      at = this.#step(chunk, at);
    }
    return true;
  }

  /** Nothing more comes. False of an answer that is not whole. */
  end(): boolean {
    if (this.#state !== 'to the end') return false;
    this.#finish();
    return true;
  }

  /** Returns up to where it read. */
  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(chunk, at);
      case 'body':
      case 'part':
        return this.#readBody(chunk, at);
      case 'to the end':
        this.#on.data(at === 0 ? chunk : chunk.subarray(at));
        return chunk.length;
      default:
        return this.#readLine(chunk, at);
    }
  }

  #readHead(chunk: Buffer, at: number): number {
    const before = this.#held?.length ?? 0;
    const bytes = this.#held ? Buffer.concat([this.#held, chunk.subarray(at)]) : chunk;
    const from = this.#held ? 0 : at;
    const end = bytes.indexOf(END_OF_HEAD, this.#held ? Math.max(0, before - 3) : at);
    if ((end === -1 ? bytes.length : end) - from > MAX_HEAD_BYTES)
      throw noHttp(`headers of more than ${MAX_HEAD_BYTES} bytes`);
    if (end === -1) {
      this.#held = this.#held ? bytes : Buffer.from(bytes.subarray(from));
      assertBegun(this.#held);
      return chunk.length;
    }
    this.#held = null;
    const text = bytes.toString('latin1', from, end);
    const next = at + (end + END_OF_HEAD.length - from) - before;
    const head = this.#head && text === this.#text ? this.#head : new Head(text);
    this.#text = text;
    this.#head = head;
    if (head.status >= 200) this.#begin(head.length);
    this.#on.head(head);
    if (this.#state === 'body' && this.#left === 0) this.#finish();
    return next;
  }

  #begin(length: Head['length']): void {
    this.#trailerBytes = this.#small = 0;
    if (length === 'to the end') this.#state = 'to the end';
    else if (length === 'in parts') this.#state = 'size of a part';
    else {
      this.#state = 'body';
      this.#left = length;
    }
  }

  #finish(): void {
    this.#state = 'over';
    this.#on.end();
  }

  #readBody(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#left, chunk.length);
    this.#left -= end - at;
    this.#on.data(chunk.subarray(at, end));
    if (this.#left > 0) return end;
    if (this.#state === 'part') this.#state = 'end of a part';
    else this.#finish();
    return end;
  }

  #readLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(10, at);
    const piece = chunk.subarray(at, end === -1 ? chunk.length : end + 1);
    const bytes = this.#held ? Buffer.concat([this.#held, piece]) : piece;
    if (bytes.length > MAX_LINE_BYTES)
      throw noHttp(`a line of more than ${MAX_LINE_BYTES} bytes in its body`);
    this.#held = end === -1 ? Buffer.from(bytes) : null;
    if (end === -1) return chunk.length;
    if (bytes.at(-2) !== 13) throw noHttp('a line in its body that does not end as one');
    this.#line(bytes.toString('latin1', 0, bytes.length - 2));
    return end + 1;
  }

  /** Lines between the parts of a body. What is told after the last of them is not looked at. */
  #line(line: string): void {
    if (this.#state === 'size of a part') {
      const [, size] = PART.exec(line) ?? [];
      if (size === undefined) throw noHttp(`a part of its body that begins with ${quote(line, 60)}`);
      this.#left = Number.parseInt(size, 16);
      this.#small = Math.max(0, this.#small + 1 - this.#left / SMALL_BYTES);
      if (this.#small > SMALL_PARTS) throw noHttp('parts of its body that are hardly any');
      this.#state = this.#left === 0 ? 'trailer' : 'part';
    } else if (this.#state === 'end of a part') {
      if (line !== '') throw noHttp('a part of its body that is longer than it says');
      this.#state = 'size of a part';
    } else if (line === '') this.#finish();
    else this.#trailer(line);
  }

  #trailer(line: string): void {
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > MAX_HEAD_BYTES || !FIELD.test(line))
      throw noHttp('words after its body that are none');
  }
}

/** What never becomes a head is not waited for. */
function assertBegun(held: Buffer): void {
  const begun = held.toString('latin1', 0, BEGINNING.length);
  if (!BEGINNING.startsWith(begun)) throw noHttp(`it begins with ${quote(begun, 20)}`);
  if (held.includes(OTHER_END)) throw noHttp('lines that end in a line feed alone');
}
