/** Server-sent events out of bytes, within bounds that no sender can pass. */
import { LockkeeperError } from '../schemas/errors.ts';

export interface ServerEvent {
  /** As it was given last; empty when none was. */
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** One event, bytes: a revocation with its signature has about two thousand. */
const MAX_EVENT = 256 * 1024;

export class EventReader {
  readonly #take: (event: ServerEvent) => void;
  #parts: Buffer[] = [];
  #held = 0;
  #id = '';
  #type = '';
  #data: string[] = [];
  #size = 0;

  constructor(take: (event: ServerEvent) => void) {
    this.#take = take;
  }

  /** Throws FRAME_TOO_LARGE as soon as a line or an event passes the limit, not when it ends. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, from)) {
      this.#hold(bytes.subarray(from, at));
      from = at + 1;
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#held = 0;
      this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
    }
    if (from < bytes.length) this.#hold(Buffer.from(bytes.subarray(from)));
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length;
    if (this.#held + this.#size > MAX_EVENT) {
      throw new LockkeeperError('FRAME_TOO_LARGE', {
        expected: `events of at most ${MAX_EVENT} bytes`,
        found: 'a longer one',
        next: 'Check what answers at the address of the registry: lk doctor',
      });
    }
    this.#parts.push(piece);
  }

  #line(line: string): void {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') this.#id = value;
    if (field === 'event') this.#type = value;
    if (field !== 'data') return;
    this.#data.push(value);
    // Empty lines of data take room as well.
    this.#size += line.length + 1;
  }

  #end(): void {
    const [id, type, data] = [this.#id, this.#type, this.#data];
    this.#type = '';
    this.#data = [];
    this.#size = 0;
    if (data.length > 0) this.#take({ id, type, data: data.join('\n') });
  }
}
