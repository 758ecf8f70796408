/** Events out of a stream of server-sent events, with limits that memory cannot pass. A parser and nothing else. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { Gathered, owned } from './gathered.ts';

export interface SseEvent {
  /** `message` where the stream names no other. */
  readonly event: string;
  /** The lines of data, joined by line feeds. */
  readonly data: Buffer;
  /** The last id that the stream named, up to and with this event; null when it named none. */
  readonly id: string | null;
}

export interface SseHandlers {
  readonly event: (event: SseEvent) => void;
  /** How long the stream asks to be waited for before it is opened again, ms. */
  readonly retry?: (ms: number) => void;
  /**
   * A line that is no part of a message, as its name and id are. Such lines cost what they take to read, and are bounded by
   * whoever listens.
   */
  readonly aside?: () => void;
}

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const NEWLINE = Buffer.from('\n');
/** What a message may have beside its data: its name, its id, and how long to wait. */
const OWN_LINES = 3;
/** Lines of data that are joined as soon as there are so many: a short line that is held alone costs more than it says. */
const TOGETHER = 1024;
/** Longest id of an event that is kept, bytes. */
const MAX_ID = 1024;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Takes chunks as they come. A line over `maxBytes`, or the lines of one event together, are refused as soon as they pass
 * the limit. An event that the stream ends in the middle of is none.
 */
export class SseReader {
  readonly #maxBytes: number;
  readonly #on: SseHandlers;
  readonly #held = new Gathered();
  /** A carriage return ended the last line: a line feed right behind it belongs to it. */
  #afterReturn = false;
  #first = true;
  /** Lines that are joined, and those behind them. */
  #data: Buffer[] = [];
  #lines: Buffer[] = [];
  /** Of the latter, those that keep no chunk. */
  #own = 0;
  #dataBytes = 0;
  #event = '';
  #id: string | null = null;
  /** Lines since the last event that are no data. */
  #beside = 0;

  constructor(maxBytes: number, handlers: SseHandlers) {
    this.#maxBytes = maxBytes;
    this.#on = handlers;
  }

  /** Has something begun that has not ended? */
  get partial(): boolean {
    return this.held > 0;
  }

  /** Bytes of it. */
  get held(): number {
    return this.#held.bytes + this.#dataBytes;
  }

  get lastId(): string | null {
    return this.#id;
  }

  /** Throws FRAME_TOO_LARGE; nothing may be pushed after that. */
  push(chunk: Buffer): void {
    let from = 0;
    if (this.#afterReturn && chunk.length > 0) {
      this.#afterReturn = false;
      if (chunk[0] === LF) from = 1;
    }
    let lf = chunk.indexOf(LF, from);
    let cr = chunk.indexOf(CR, from);
    while (lf !== -1 || cr !== -1) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
      this.#endLine(chunk.subarray(from, end));
      from = end + 1;
      if (end === cr) {
        if (from === chunk.length) this.#afterReturn = true;
        else if (chunk[from] === LF) from++;
        cr = chunk.indexOf(CR, from);
      }
      if (lf !== -1 && lf < from) lf = chunk.indexOf(LF, from);
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
    while (this.#own < this.#lines.length) this.#lines[this.#own] = owned(this.#lines[this.#own++] as Buffer);
  }

  #hold(piece: Buffer): void {
    this.#held.push(piece);
    if (this.#held.bytes + this.#dataBytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
  }

  #endLine(piece: Buffer): void {
    if (this.#held.bytes + this.#dataBytes + piece.length > this.#maxBytes) throw tooLarge(this.#maxBytes);
    let line = this.#held.takeWith(piece);
    if (this.#first) {
      this.#first = false;
      if (line.subarray(0, 3).equals(MARK)) line = line.subarray(3);
    }
    if (line.length > 0) this.#field(line);
    else if (this.#dataBytes > 0) this.#dispatch();
    else this.#nothing();
  }

  #nothing(): void {
    this.#event = '';
    this.#told();
    this.#on.aside?.();
  }

  #aside(): void {
    if (++this.#beside > OWN_LINES) this.#on.aside?.();
  }

  /** What was beside no message. */
  #told(): void {
    for (let left = Math.min(this.#beside, OWN_LINES); left > 0; left--) this.#on.aside?.();
    this.#beside = 0;
  }

  #field(line: Buffer): void {
    const colon = line.indexOf(COLON);
    if (colon === 0) return this.#aside();
    const name = (colon === -1 ? line : line.subarray(0, colon)).toString('utf8');
    const from = colon === -1 ? line.length : colon + (line[colon + 1] === SPACE ? 2 : 1);
    const value = line.subarray(from);
    if (name === 'data') return this.#take(value);
    this.#aside();
    if (name === 'event') this.#event = value.toString('utf8');
    else if (name === 'id' && !value.includes(0))
      // One that no header could carry is nothing to come back to, and is not kept.
      this.#id = value.length > MAX_ID ? '' : value.toString('utf8');
    else if (name === 'retry') this.#retry(value.toString('latin1'));
  }

  #take(value: Buffer): void {
    if (value.length === 0) this.#on.aside?.();
    // An empty line of data counts too: what is kept of it is not free.
    this.#dataBytes += value.length + 1;
    if (this.#lines.push(value) === TOGETHER) this.#join();
  }

  #retry(text: string): void {
    if (/^[0-9]{1,9}$/.test(text)) this.#on.retry?.(Number(text));
  }

  #join(): void {
    this.#data.push(owned(joined(this.#lines)));
    [this.#lines, this.#own] = [[], 0];
  }

  #dispatch(): void {
    const [data, event] = [[...this.#data, ...this.#lines], this.#event || 'message'];
    [this.#data, this.#lines] = [[], []];
    [this.#own, this.#dataBytes] = [0, 0];
    this.#event = '';
    if (event === 'message') this.#beside = 0;
    else this.#told();
    this.#on.event({ event, data: joined(data), id: this.#id });
  }
}

/** The very line where there is one. */
function joined(lines: readonly Buffer[]): Buffer {
  const [only] = lines;
  if (only && lines.length === 1) return only;
  return Buffer.concat(lines.flatMap((line, at) => (at ? [NEWLINE, line] : [line])));
}

function tooLarge(maxBytes: number): LockkeeperError {
  return new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `events of at most ${maxBytes} bytes`,
    found: 'a longer one',
    next: 'Ask for less at once; the stream is closed because what follows cannot be told apart',
  });
}
