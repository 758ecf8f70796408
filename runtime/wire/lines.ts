/** Lines out of a byte stream, with a limit that memory cannot pass. */
import type { Readable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import { Gathered } from './gathered.ts';

/** Lines in a row that say nothing: to look for the end of each costs a hundred times what it costs to write it. */
const MAX_EMPTY = 1000;

export interface LineHandlers {
  /** One line without its end (LF or CRLF); empty lines are left out, as long as they are few. */
  readonly line: (bytes: Buffer) => void;
  /** After the last whole line of one chunk: the moment to flush what the lines caused. */
  readonly batch?: () => void;
  /** The stream ended; a last line without its end was handed out before. */
  readonly end: () => void;
  /** FRAME_TOO_LARGE, FRAME_INVALID after a thousand empty lines, or the stream's own error. Nothing follows. */
  readonly error: (error: Error) => void;
}

/** Starts reading. A line over `maxBytes` is refused as soon as it passes the limit, not when it ends. */
export function readLines(stream: Readable, maxBytes: number, handlers: LineHandlers): void {
  const held = new Gathered();
  let over = false;
  let empty = 0;
  const fail = (error: Error): void => {
    if (over) return;
    over = true;
    held.clear();
    handlers.error(error);
  };
  const emit = (bytes: Buffer): void => {
    const line = bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes;
    if (line.length === 0) return void (++empty > MAX_EMPTY && fail(EMPTY));
    empty = 0;
    handlers.line(line);
  };
  const take = (chunk: Buffer): void => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1 && !over; at = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, at);
      from = at + 1;
      if (held.bytes + piece.length > maxBytes) return fail(tooLarge(maxBytes));
      emit(held.takeWith(piece));
    }
    if (over || from === chunk.length) return;
    held.push(chunk.subarray(from));
    if (held.bytes > maxBytes) fail(tooLarge(maxBytes));
  };
  stream.on('data', (chunk: Buffer) => {
    if (over) return;
    take(chunk);
    if (!over) handlers.batch?.();
  });
  stream.on('end', () => {
    if (over) return;
    if (held.bytes > 0) emit(held.take());
    over = true;
    handlers.end();
  });
  stream.on('error', fail);
}

const EMPTY = new LockkeeperError('FRAME_INVALID', {
  expected: 'lines that say something',
  found: `more than ${MAX_EMPTY} empty ones in a row`,
  next: 'Correct the sender; the session is closed',
});

function tooLarge(maxBytes: number): LockkeeperError {
  return new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `lines of at most ${maxBytes} bytes`,
    found: 'a longer one',
    next: 'Ask for less at once; the session is closed because what follows cannot be told apart',
  });
}
