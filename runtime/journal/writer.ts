/** Appending to one journal: records are chained as they come, and durable before anybody is told. */
import { type AuditBody, linkLine } from '../../schemas/audit.ts';
import { type LockkeeperError, quote } from '../../schemas/errors.ts';
import { broken } from './broken.ts';
import { MAX_RECORD_BYTES, nextSegment, SEGMENT, type SegmentLimits, withoutTexts } from './limits.ts';
import { bodyOf, type Noted } from './noted.ts';
import type { Recent, Written } from './recent.ts';
import { SegmentFile } from './segment.ts';
import { isPassing, Unkept } from './unkept.ts';

/** A record nobody waits for is on the disk at most this much later. */
const LAZY_MS = 100;

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
  /** Makes the record of a failure that is over, since which `lost` records are not kept. */
  readonly recovered?: (detail: { readonly lost: number }) => AuditBody;
}

export class Writer {
  readonly #dir: string;
  readonly #limits: SegmentLimits;
  #segment: string;
  #began: number | null;
  #durable: number;
  /** Of the last durable record. */
  #digest: string | null;
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
  /** What waits for room, where the failure was for want of it. */
  #unkept: Unkept | null = null;
  readonly #recovered: WriterOptions['recovered'];

  constructor(dir: string, tail: Tail, { limits = SEGMENT, recent, recovered }: WriterOptions = {}) {
    this.#dir = dir;
    this.#recovered = recovered;
    this.#digest = tail.prev;
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

  /** Why no record is kept now. */
  get failure(): LockkeeperError | null {
    return this.#failure;
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
    if (this.#failure) return this.#unkept?.soon(noted);
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
      const [lines, waiting, last, digest] = [this.#lines, this.#waiting, this.#seq, this.#prev];
      [this.#lines, this.#waiting] = [[], []];
      const bytes = Buffer.from(lines.join(''), 'utf8');
      try {
        // One that waits alone is served soonest by the thread that it waits for.
        const offset = this.#file.bytes;
        if (waiting.length === 1) this.#file.add(bytes);
        else await this.#file.addAside(bytes);
        this.#kept({ segment: this.#segment, offset, bytes, first: last - lines.length + 1, last }, digest);
        if (this.#isFull()) this.#rotate();
        for (const { seq, resolve } of waiting) resolve(seq);
      } catch (cause) {
        this.#fail(cause, waiting, last > this.#durable ? lines : []);
      }
    }
    this.#busy = false;
  }

  #kept(written: Written, digest: string | null): void {
    this.#durable = written.last;
    this.#digest = digest;
    this.#recent?.add(written);
    this.#began ??= Date.now();
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
      this.#fail(cause, [], []);
    }
  }

  #rotate(): void {
    const segment = nextSegment(this.#segment);
    const file = new SegmentFile(this.#dir, segment, 0);
    const before = this.#file;
    [this.#segment, this.#file, this.#began] = [segment, file, null];
    before.close(true);
  }

  /** Nothing that somebody waits for is written any more. `lines`: those that were being written. */
  #fail(cause: unknown, waiting: readonly Waiting[], lines: readonly string[]): void {
    this.#failure = broken(`a durable record in ${quote(this.#dir)}`, quote((cause as Error).message), cause);
    const refused = [...waiting, ...this.#waiting];
    const [left, noted] = [[...lines, ...this.#lines], this.#noted];
    [this.#lines, this.#waiting, this.#noted] = [[], [], []];
    this.#unkept = this.#recovered && isPassing(cause) ? new Unkept(() => this.#mend()) : null;
    this.#unkept?.lines(left, new Set(refused.map(({ seq }) => seq)));
    for (const one of noted) this.#unkept?.soon(one);
    for (const { reject } of refused) reject(this.#failure);
  }

  /** Goes on behind the last durable record, if there is room again: first with what nobody waits for. */
  #mend(): void {
    const unkept = this.#unkept;
    if (!unkept || !this.#recovered) return;
    [this.#seq, this.#prev] = [this.#durable, this.#digest];
    try {
      this.#file.close(false);
      this.#file = new SegmentFile(this.#dir, this.#segment, this.#file.bytes, this.#file);
      for (const body of [this.#recovered({ lost: unkept.lost }), ...unkept.bodies]) this.#link(body);
      const [offset, bytes] = [this.#file.bytes, Buffer.from(this.#lines.join(''), 'utf8')];
      this.#file.add(bytes);
      const [first, last] = [this.#durable + 1, this.#seq];
      this.#kept({ segment: this.#segment, offset, bytes, first, last }, this.#prev);
      this.#failure = this.#unkept = null;
      unkept.end((noted) => this.note(noted));
    } catch (cause) {
      if (isPassing(cause)) unkept.again();
      else this.#unkept = null;
    }
    this.#lines = [];
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
    // What was noted a moment ago is held once this turn is over.
    if (this.#unkept) await new Promise((resolve) => setImmediate(resolve));
    this.#unkept?.end(() => undefined);
    this.#mend();
    this.#unkept = null;
    this.#file.close(this.#failure === null);
    this.#failure ??= broken('an open journal', 'a closed one');
  }
}
