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
    const chunk = Buffer.allocUnsafe(CHUNK);
    let rest: Buffer = Buffer.alloc(0);
    let offset = from;
    for (let at = from; ; ) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
      if (bytesRead === 0) break;
      const room = chunk.subarray(0, bytesRead).indexOf(ROOM);
      const bytes = Buffer.concat([rest, chunk.subarray(0, room === -1 ? bytesRead : room)]);
      at += bytesRead;
      let begin = 0;
      for (let end = bytes.indexOf(10, rest.length); end !== -1; end = bytes.indexOf(10, begin)) {
        yield { line: bytes.toString('utf8', begin, end), end: offset + end + 1, whole: true };
        begin = end + 1;
      }
      offset += begin;
      rest = bytes.subarray(begin);
      if (rest.length > MAX_RECORD_BYTES + 1024)
        throw new FileDefect(`a line of more than ${MAX_RECORD_BYTES} bytes`);
      if (room === -1) continue;
      const torn = await endOf(file, at - bytesRead + room);
      if (torn > offset) yield { line: rest.toString('utf8'), end: torn, whole: false };
      return;
    }
    if (rest.length > 0) yield { line: rest.toString('utf8'), end: offset + rest.length, whole: false };
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
