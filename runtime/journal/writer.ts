/** Appending to one journal: records are chained as they come, and durable before anybody is told. */
import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  write,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type AuditBody, linkLine } from '../../schemas/audit.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { MAX_RECORD_BYTES, nextSegment, SEGMENT, type SegmentLimits, withoutTexts } from './limits.ts';
import type { Recent } from './recent.ts';

const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);
/** A record nobody waits for is on the disk at most this much later. */
const LAZY_MS = 100;
const SMALL_BYTES = 256 * 1024;

export function broken(expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('JOURNAL_BROKEN', {
    expected,
    found,
    next: 'Free space on the journal’s disk or correct its folder; no call is forwarded until its record can be kept',
    cause,
  });
}

/** Where a journal ended. */
export interface Tail {
  readonly segment: string;
  readonly bytes: number;
  readonly seq: number;
  readonly prev: string | null;
  /** Bytes of a last line that a crash cut short. */
  readonly torn: number;
  /** When the last segment got its first record, as Date.now() counts; null while it has none. */
  readonly began: number | null;
}

interface Waiting {
  readonly seq: number;
  readonly resolve: (seq: number) => void;
  readonly reject: (error: unknown) => void;
}

export interface WriterOptions {
  readonly limits?: SegmentLimits;
  /** Gets each line once it is durable. */
  readonly recent?: Recent;
}

export class Writer {
  readonly #dir: string;
  readonly #limits: SegmentLimits;
  #segment: string;
  #began: number | null;
  #durable: number;
  #fd: number;
  #bytes: number;
  #seq: number;
  #prev: string | null;
  /** Of the records up to `#seq`, those that are not written yet. */
  #lines: string[] = [];
  readonly #recent: Recent | undefined;
  #waiting: Waiting[] = [];
  #busy = false;
  #scheduled = false;
  #lazy: NodeJS.Timeout | undefined;
  #failure: LockkeeperError | null = null;

  constructor(dir: string, tail: Tail, { limits = SEGMENT, recent }: WriterOptions = {}) {
    this.#dir = dir;
    this.#limits = limits;
    this.#recent = recent;
    this.#began = tail.began;
    this.#durable = tail.seq;
    this.#segment = tail.segment;
    this.#bytes = tail.bytes;
    this.#seq = tail.seq;
    this.#prev = tail.prev;
    this.#fd = this.#open();
    if (tail.torn > 0) ftruncateSync(this.#fd, tail.bytes);
    // What a killed process wrote may not be on the disk yet, and is about to be continued and told.
    if (tail.bytes > 0) fdatasyncSync(this.#fd);
  }

  /** Number of the last record that a crash of the machine cannot take. */
  get durable(): number {
    return this.#durable;
  }

  /** The segment that is written to; it is never deleted. */
  get segment(): string {
    return this.#segment;
  }

  /** A file is durable when its folder's entry is: a synced record in a file that a crash forgets is none. */
  #open(): number {
    const fd = openSync(join(this.#dir, this.segment), 'a', 0o600);
    for (const folder of [this.#dir, dirname(this.#dir)]) {
      const at = openSync(folder, 'r');
      fsyncSync(at);
      closeSync(at);
    }
    return fd;
  }

  append(body: AuditBody): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    const seq = this.#queue(body);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ seq, resolve, reject });
      this.#schedule();
    });
  }

  note(body: AuditBody): void {
    if (this.#failure) return;
    this.#queue(body);
    this.#lazy ??= setTimeout(() => {
      this.#lazy = undefined;
      this.#schedule();
    }, LAZY_MS);
  }

  #queue(body: AuditBody): number {
    const [seq, prev] = [this.#seq + 1, this.#prev];
    let linked = linkLine(seq, prev, body);
    const { length } = linked.line;
    if (length > MAX_RECORD_BYTES / 3 && Buffer.byteLength(linked.line) > MAX_RECORD_BYTES)
      linked = linkLine(seq, prev, withoutTexts(body, length));
    this.#seq = seq;
    this.#prev = linked.digest;
    this.#lines.push(`${linked.line}\n`);
    return seq;
  }

  /** At the end of this turn: what one read brought in shares one sync. */
  #schedule(): void {
    if (this.#busy || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    if (this.#busy || this.#lines.length === 0) return;
    this.#busy = true;
    while (this.#lines.length > 0) {
      const [lines, waiting, last] = [this.#lines, this.#waiting, this.#seq];
      [this.#lines, this.#waiting] = [[], []];
      const bytes = Buffer.from(lines.join(''), 'utf8');
      try {
        // One that waits alone is served soonest by the thread that it waits for.
        if (waiting.length === 1) {
          this.#writeWhole(bytes);
          fdatasyncSync(this.#fd);
        } else await this.#write(bytes);
        const offset = this.#bytes;
        this.#bytes += bytes.length;
        this.#assertThere();
        this.#durable = last;
        this.#recent?.add({ segment: this.#segment, offset, bytes, first: last - lines.length + 1, last });
        this.#began ??= Date.now();
        if (this.#isFull()) this.#rotate();
        for (const { seq, resolve } of waiting) resolve(seq);
      } catch (cause) {
        this.#fail(cause, waiting);
      }
    }
    this.#busy = false;
  }

  #writeWhole(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  async #write(bytes: Buffer): Promise<void> {
    // What is small goes into the page cache sooner than another thread is asked to put it there.
    if (bytes.length <= SMALL_BYTES) this.#writeWhole(bytes);
    else for (let at = 0; at < bytes.length; ) at += (await writeAsync(this.#fd, bytes, at)).bytesWritten;
    await syncAsync(this.#fd);
  }

  /** A file that was removed or cut while it was open keeps no record, whatever the disk says. */
  #assertThere(): void {
    const { nlink, size } = fstatSync(this.#fd);
    if (nlink === 0) throw new Error('the journal was removed while it was written');
    if (size !== this.#bytes)
      throw new Error(`the journal has ${size} bytes where ${this.#bytes} were written`);
  }

  #isFull(): boolean {
    const { bytes, ageMs } = this.#limits;
    return this.#bytes > bytes || (this.#began !== null && Date.now() - this.#began > ageMs);
  }

  /** Begins a next segment where this one is old, also when nothing is written. */
  turn(): void {
    if (this.#busy || this.#failure || !this.#isFull()) return;
    try {
      this.#rotate();
    } catch (cause) {
      this.#fail(cause, []);
    }
  }

  #rotate(): void {
    closeSync(this.#fd);
    this.#segment = nextSegment(this.#segment);
    this.#bytes = 0;
    this.#began = null;
    this.#fd = this.#open();
  }

  /** Nothing that is queued is written any more. */
  #fail(cause: unknown, waiting: readonly Waiting[]): void {
    this.#failure = broken(`a durable record in ${quote(this.#dir)}`, quote((cause as Error).message), cause);
    for (const { reject } of [...waiting, ...this.#waiting]) reject(this.#failure);
    [this.#lines, this.#waiting] = [[], []];
  }

  /** Writes what is queued. */
  async settle(): Promise<void> {
    clearTimeout(this.#lazy);
    this.#lazy = undefined;
    while (this.#busy || this.#scheduled) await new Promise((resolve) => setImmediate(resolve));
    await this.#flush();
  }

  async close(): Promise<void> {
    await this.settle();
    closeSync(this.#fd);
    this.#failure ??= broken('an open journal', 'a closed one');
  }
}
