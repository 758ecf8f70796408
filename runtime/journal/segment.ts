/** The file that records are written to: what is written, synced and still there is on the disk. */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  type Stats,
  statSync,
  write as writeAt,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOM } from './limits.ts';

const writeSome = promisify(writeAt);
const syncAside = promisify(fdatasync);
/** What is written through such a descriptor is on the disk when it is: in one call, and sooner than by two. */
const DURABLE = process.platform === 'linux' ? constants.O_DSYNC : null;
const MOVED = 'the journal was removed, moved or replaced while it was written';
/** Most that is made ready for records to come, bytes. */
const ROOM_BYTES = 256 * 1024;

function write(fd: number, bytes: Buffer, offset: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, offset + at);
}

/** The same on another thread. */
async function writeAside(fd: number, bytes: Buffer, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await writeSome(fd, bytes, at, bytes.length - at, offset + at)).bytesWritten;
}

export class SegmentFile {
  readonly #path: string;
  readonly #fd: number;
  /** The same file, for records that there is room for; null where the system has no such way. */
  readonly #durable: number | null;
  readonly #own: Pick<Stats, 'dev' | 'ino'>;
  #bytes: number;
  /** Bytes of the file: its records, and behind them the room for more. */
  #size: number;
  #room = 0;
  #closed = false;

  /**
   * Continues a file behind its first `bytes`, or begins one. What is behind them goes. Nothing stays open where it throws.
   * `same`: what it has to be, and is not begun.
   */
  constructor(dir: string, name: string, bytes: number, same?: SegmentFile) {
    this.#path = join(dir, name);
    this.#bytes = this.#size = bytes;
    const opened: number[] = [];
    const open = (path: string, flags: number): number => {
      opened.push(openSync(path, flags, 0o600));
      return opened.at(-1) as number;
    };
    try {
      this.#fd = open(this.#path, constants.O_WRONLY | (same ? 0 : constants.O_CREAT));
      // A file is durable when its folder's entry is: a synced record in a file that a crash forgets is none.
      for (const folder of [dir, dirname(dir)]) {
        fsyncSync(open(folder, constants.O_RDONLY));
        closeSync(opened.pop() as number);
      }
      const there = fstatSync(this.#fd);
      this.#own = there;
      const { dev, ino } = same ? same.#own : there;
      if (there.dev !== dev || there.ino !== ino || there.size < bytes) throw new Error(MOVED);
      this.#durable = DURABLE === null ? null : open(this.#path, constants.O_WRONLY | DURABLE);
      if (this.#durable !== null && fstatSync(this.#durable).ino !== there.ino) throw new Error(MOVED);
      if (there.size > bytes) ftruncateSync(this.#fd, bytes);
      // What a killed process wrote may not be on the disk yet, and is about to be continued and told.
      if (bytes > 0) fdatasyncSync(this.#fd);
    } catch (error) {
      for (const fd of opened) closeSync(fd);
      throw error;
    }
  }

  /** Of its records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Durable when it returns: served soonest by the thread that waits for it. */
  add(lines: Buffer): void {
    const { length } = lines;
    if (this.#durable !== null && this.#fits(length)) write(this.#durable, lines, this.#bytes);
    else {
      this.#ready(length);
      write(this.#fd, lines, this.#bytes);
      this.#makeRoom(length);
      fdatasyncSync(this.#fd);
    }
    this.#added(length);
  }

  /** Durable when it resolves. */
  async addAside(lines: Buffer): Promise<void> {
    const { length } = lines;
    if (this.#durable !== null && this.#fits(length)) await writeAside(this.#durable, lines, this.#bytes);
    else {
      this.#ready(length);
      await writeAside(this.#fd, lines, this.#bytes);
      this.#makeRoom(length);
      await syncAside(this.#fd);
    }
    this.#added(length);
  }

  /** There is room for so much. */
  #fits(length: number): boolean {
    return this.#bytes + length <= this.#size;
  }

  /** A file that is made longer would hide that it had become shorter. */
  #ready(length: number): void {
    if (!this.#fits(length)) this.#assertThere();
  }

  /**
   * A sync of a file that is as long as before has records alone to write, and takes two thirds of the time. Whoever writes
   * little makes little room: twice as much each time.
   */
  #makeRoom(length: number): void {
    if (this.#fits(length)) return;
    const end = this.#bytes + length;
    if (this.#room > 0) write(this.#fd, Buffer.alloc(this.#room, ROOM), end);
    this.#size = end + this.#room;
    this.#room = Math.min(ROOM_BYTES, Math.max(length, this.#room * 2));
  }

  #added(length: number): void {
    this.#bytes += length;
    this.#assertThere();
  }

  /** A file that is no longer under its name, or was cut while it was open, keeps no record for those who look for it. */
  #assertThere(): void {
    const { dev, ino, size = 0 } = statSync(this.#path, { throwIfNoEntry: false }) ?? {};
    if (dev !== this.#own.dev || ino !== this.#own.ino) throw new Error(MOVED);
    if (size !== this.#size)
      throw new Error(`the journal has ${size} bytes where ${this.#size} were written`);
  }

  /** `whole`: what was written is what is there. Room that was not needed goes; a crash leaves it, and readers know it. */
  close(whole: boolean): void {
    // Once: its descriptors may be other files' by now.
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (whole && this.#size > this.#bytes) ftruncateSync(this.#fd, this.#bytes);
    } finally {
      closeSync(this.#fd);
      if (this.#durable !== null) closeSync(this.#durable);
    }
  }
}
