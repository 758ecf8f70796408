/** Lines that are written in one turn go out in one write: each write of a pipe costs as much as judging its line. */
import type { Writable } from 'node:stream';

const open = new WeakSet<Writable>();

/** Writes as `write` does and returns what it returns; the bytes leave when this turn is over. */
export function writeTogether(stream: Writable, bytes: Buffer): boolean {
  if (!open.has(stream)) {
    open.add(stream);
    stream.cork();
    process.nextTick(() => {
      open.delete(stream);
      stream.uncork();
    });
  }
  return stream.write(bytes);
}
