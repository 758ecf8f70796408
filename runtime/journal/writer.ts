/** Appending to one journal: records are chained as they come, and durable before anybody is told. */
import { type AuditBody, linkLine } from '../../schemas/audit.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { MAX_RECORD_BYTES, nextSegment, SEGMENT, type SegmentLimits, withoutTexts } from './limits.ts';
import type { Recent } from './recent.ts';
import { SegmentFile } from './segment.ts';

/** A record nobody waits for is on the disk at most this much later. */
const LAZY_MS = 100;

export function broken(expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('JOURNAL_BROKEN', {
    expected,
    found,
    next: 'Free space on the journal’s disk or correct its folder; no call is forwarded until its record can be kept',
    cause,
  });
}

/** A record, or what makes it: once this turn is over, and with what it tells of already done. It must not throw. */
export type Noted = AuditBody | (() => AuditBody);

/** The record itself. */
export function bodyOf(noted: Noted): AuditBody {
  return typeof noted === 'function' ? noted() : noted;
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
  #file: SegmentFile;
  #seq: number;
  #prev: string | null;
  /** Of the records up to `#seq`, those that are not written yet. */
  #lines: string[] = [];
  /** Those after `#seq`, which nobody waits for. */
  #noted: Noted[] = [];
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
    this.#seq = tail.seq;
    this.#prev = tail.prev;
    this.#file = new SegmentFile(dir, tail.segment, tail.bytes);
  }

  /** Number of the last record that a crash of the machine cannot take. */
  get durable(): number {
    return this.#durable;
  }

  /** The segment that is written to; it is never deleted. */
  get segment(): string {
    return this.#segment;
  }

  append(body: AuditBody): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    this.#take();
    const seq = this.#link(body);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ seq, resolve, reject });
      this.#schedule();
    });
  }

  /** Its line is made once this turn is over: what it tells of need not wait for that. */
  note(noted: Noted): void {
    if (this.#failure) return;
    if (this.#noted.push(noted) === 1) setImmediate(() => this.#take());
    this.#lazy ??= setTimeout(() => {
      this.#lazy = undefined;
      this.#schedule();
    }, LAZY_MS);
  }

  #take(): void {
    const noted = this.#noted;
    this.#noted = [];
    for (const one of noted) this.#link(bodyOf(one));
  }

  #link(body: AuditBody): number {
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
        const offset = this.#file.bytes;
        if (waiting.length === 1) this.#file.add(bytes);
        else await this.#file.addAside(bytes);
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

  #isFull(): boolean {
    const { bytes, ageMs } = this.#limits;
    return this.#file.bytes > bytes || (this.#began !== null && Date.now() - this.#began > ageMs);
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
    this.#file.close(true);
    this.#segment = nextSegment(this.#segment);
    this.#began = null;
    this.#file = new SegmentFile(this.#dir, this.#segment, 0);
  }

  /** Nothing that is queued is written any more. */
  #fail(cause: unknown, waiting: readonly Waiting[]): void {
    this.#failure = broken(`a durable record in ${quote(this.#dir)}`, quote((cause as Error).message), cause);
    for (const { reject } of [...waiting, ...this.#waiting]) reject(this.#failure);
    [this.#lines, this.#waiting, this.#noted] = [[], [], []];
  }

  /** Writes what is queued. */
  async settle(): Promise<void> {
    clearTimeout(this.#lazy);
    this.#lazy = undefined;
    while (this.#busy || this.#scheduled) await new Promise((resolve) => setImmediate(resolve));
    this.#take();
    await this.#flush();
  }

  async close(): Promise<void> {
    await this.settle();
    this.#file.close(this.#failure === null);
    this.#failure ??= broken('an open journal', 'a closed one');
  }
}
