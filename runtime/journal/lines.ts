/** Whole lines of a journal's file, in bounded memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { MAX_RECORD_BYTES, ROOM } from './limits.ts';

export interface Line {
  readonly line: string;
  /** Offset behind the line. */
  readonly end: number;
  /** False for what stands behind the last line: a torn one, without the room behind it. */
  readonly whole: boolean;
}

const CHUNK = 256 * 1024;

/** A file that is not what was written: shorter than it was, or with a line that no record has. */
export class FileDefect extends Error {
  readonly found: string;

  constructor(found: string) {
    super(found);
    this.found = found;
  }
}

/** Lines from an offset on. Throws FileDefect, and ENOENT where there is no file. */
export async function* linesOf(path: string, from = 0): AsyncGenerator<Line> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size < from) throw new FileDefect(`${size} bytes where ${from} were read before`);
    // One buffer for all that is read: others would have to be collected, and a start may read many megabytes.
    let held = Buffer.allocUnsafe(CHUNK);
    let rest = 0;
    let offset = from;
    for (let at = from; ; ) {
      if (rest === held.length) held = Buffer.concat([held], 2 * rest);
      const { bytesRead } = await file.read(held, rest, held.length - rest, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      const room = held.subarray(0, rest + bytesRead).indexOf(ROOM, rest);
      const bytes = held.subarray(0, room === -1 ? rest + bytesRead : room);
      let begin = 0;
      for (let end = bytes.indexOf(10, rest); end !== -1; end = bytes.indexOf(10, begin)) {
        yield { line: bytes.toString('utf8', begin, end), end: offset + end + 1, whole: true };
        begin = end + 1;
      }
      held.copyWithin(0, begin, bytes.length);
      offset += begin;
      rest = bytes.length - begin;
      if (rest > MAX_RECORD_BYTES + 1024)
        throw new FileDefect(`a line of more than ${MAX_RECORD_BYTES} bytes`);
      if (room === -1) continue;
      const torn = await endOf(file, offset + rest);
      if (torn > offset) yield { line: held.toString('utf8', 0, rest), end: torn, whole: false };
      return;
    }
    if (rest > 0) yield { line: held.toString('utf8', 0, rest), end: offset + rest, whole: false };
  } finally {
    await file.close();
  }
}

/** Offset behind the last byte that is no room, of what begins with room; of nothing but room, where it begins. */
async function endOf(file: FileHandle, room: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  let end = room;
  for (let at = room; ; ) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
    if (bytesRead === 0) return end;
    for (let index = bytesRead; index > 0; index--)
      if (chunk[index - 1] !== ROOM) {
        end = at + index;
        break;
      }
    at += bytesRead;
  }
}
