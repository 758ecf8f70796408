/**
 * One sink taking one journal: at least once, in order, never in the way of a call. The journal is the spool: a sink that
 * is down lags behind, and its cursor says how far.
 */
import type { AuditRecord } from '../../schemas/audit.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { type Cursor, readCursor, type SinkState, writeCursor } from './cursor.ts';
import { type Place, readFrom, START, type Step } from './read.ts';
import { type Sink, Undelivered } from './sinks/port.ts';

export interface PumpTiming {
  /** Between two looks at the journal, and after a first failure. */
  readonly pauseMs: number;
  readonly longestMs: number;
  /** How long a last delivery may take when all is closed. */
  readonly closeMs: number;
}

const PUMP_TIMING: PumpTiming = { pauseMs: 1000, longestMs: 60_000, closeMs: 10_000 };

export interface PumpOptions {
  readonly dir: string;
  readonly journal: string;
  readonly sink: Sink;
  /** Number of the last durable record: a later one could still be taken back by a crash. */
  readonly head: () => number;
  /** What follows a place without reading the disk; null where that is not to be had. */
  readonly recent?: (place: Place) => readonly Step[] | null;
  readonly now: () => Date;
  /** Told once when it goes down and once when it is up again. */
  readonly onChange: (state: SinkState) => void;
  /** Keeps a record of what the sink said that it does not keep. */
  readonly onRefused: (refused: { from: number; upTo: number; count: number; why: string }) => Promise<void>;
  readonly timing?: Partial<PumpTiming>;
}

const BATCH = 500;
/** Bytes of records at once; below what the registry takes in one request, with room for one more record. */
const BATCH_BYTES = 4 * 1024 * 1024;

/** Rounds in which one record may be refused before the ones behind it are tried, and how many of those are. */
const MAX_REFUSALS = 5;
const MAX_TRIED = 8;

type State = Cursor['state'];
type Batch = readonly { readonly record: AuditRecord; readonly place: Place }[];
type Refused = Parameters<PumpOptions['onRefused']>[0];

export class Pump {
  readonly #o: PumpOptions;
  readonly #timing: PumpTiming;
  #place: Place = START;
  #state: State;
  #known = false;
  /** Nothing was taken yet: what went before is not lost to it. */
  #fresh = true;
  #most = BATCH;
  /** A record that was refused by itself, and how often. */
  #refused = { seq: 0, times: 0 };
  #pause: number;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<boolean> = Promise.resolve(true);
  #closed = false;

  constructor(options: PumpOptions) {
    this.#o = options;
    this.#timing = { ...PUMP_TIMING, ...options.timing };
    this.#pause = this.#timing.pauseMs;
    const since = options.now().toISOString();
    this.#state = { state: 'up', since, why: null, taken: 0, behind: 0, lost: 0 };
  }

  start(): void {
    if (this.#closed) return;
    const wait = this.#pause * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => void this.round().finally(() => this.start()), wait);
    this.#timer.unref();
  }

  state(): SinkState {
    const { sink, journal, head } = this.#o;
    const behind = Math.max(head() - this.#place.seq, 0);
    return { sink: sink.name, journal, ...this.#state, taken: this.#place.seq, behind };
  }

  /** Offers what is left once. Resolves whether the sink has all of it; never rejects. */
  round(): Promise<boolean> {
    this.#round = this.#round.then(() => this.#once());
    return this.#round;
  }

  /** A last round, as long as it may take. */
  async close(): Promise<boolean> {
    this.#closed = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#timing.closeMs);
    });
    try {
      return await Promise.race([this.round(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #once(): Promise<boolean> {
    try {
      await this.#remember();
      await this.#offerAll();
      this.#pause = this.#timing.pauseMs;
      await this.#becomes('up', null);
      return true;
    } catch (error) {
      const asked = error instanceof Undelivered ? error.retryMs : 0;
      const { pauseMs, longestMs } = this.#timing;
      this.#pause = Math.max(Math.min(Math.max(this.#pause, pauseMs) * 2, longestMs), asked);
      await this.#becomes('down', asLockkeeperError(error).message).catch(() => undefined);
      return false;
    }
  }

  async #remember(): Promise<void> {
    if (this.#known) return;
    const cursor = await readCursor(this.#o.dir, this.#o.sink.name);
    if (cursor) {
      this.#place = cursor.place;
      this.#state = cursor.state;
      this.#fresh = false;
    }
    this.#known = true;
  }

  async #offerAll(): Promise<void> {
    let batch: { record: AuditRecord; place: Place }[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (batch.length > 0) await this.#offer(batch);
      batch = [];
      bytes = 0;
    };
    const { dir, head, recent } = this.#o;
    let before = this.#place.offset;
    for await (const { record, place, gap } of recent?.(this.#place) ?? readFrom(dir, this.#place, head())) {
      if (gap) {
        await flush();
        const lost = this.#fresh ? 0 : record.seq - 1 - this.#place.seq;
        this.#state = { ...this.#state, lost: this.#state.lost + lost };
      }
      const length = place.offset > before ? place.offset - before : place.offset;
      before = place.offset;
      if (bytes + length > BATCH_BYTES || batch.length >= BATCH) await flush();
      batch.push({ record, place });
      bytes += length;
    }
    await flush();
  }

  /** Hands over as much at once as the sink takes. Rejects where it takes nothing more. */
  async #offer(batch: Batch): Promise<void> {
    for (let left = batch; left.length > 0; ) {
      const part = left.slice(0, this.#most);
      try {
        left = left.slice(await this.#hand(part));
        this.#most = Math.min(this.#most * 2, BATCH);
      } catch (error) {
        if (!(error instanceof Undelivered && error.unfit)) throw error;
        if (part.length > 1) this.#most = Math.ceil(part.length / 2);
        else left = left.slice(await this.#passOver(left, error));
      }
    }
  }

  /**
   * Sets a record aside that is refused again and again, once the sink takes one behind it: a sink that takes none of them is
   * down. How many it is past. Rejects where the queue is held.
   */
  async #passOver(left: Batch, error: Undelivered): Promise<number> {
    const from = left[0]?.record.seq ?? 0;
    this.#refused = { seq: from, times: this.#refused.seq === from ? this.#refused.times + 1 : 1 };
    const tried = this.#refused.times < MAX_REFUSALS ? [] : left.slice(1, MAX_TRIED + 1);
    for (const [index, one] of tried.entries()) {
      const upTo = left[index]?.record.seq ?? from;
      try {
        await this.#hand([one], { from, upTo, count: index + 1, why: error.found });
        return index + 2;
      } catch (thrown) {
        if (!(thrown instanceof Undelivered && thrown.unfit)) throw thrown;
      }
    }
    throw error;
  }

  /** How many of them were taken; at least one. `aside`: what was before them and is not offered again. */
  async #hand(part: Batch, aside?: Refused): Promise<number> {
    const { dir, sink, onRefused } = this.#o;
    const { upTo, refused } = await sink.deliver(part.map(({ record }) => record));
    // An answer is believed for what was sent, and for no more.
    const reached = part.filter(({ record }) => record.seq <= upTo).length;
    const place = part[reached - 1]?.place;
    if (place === undefined)
      throw new Undelivered(
        sink.name,
        `an answer that takes records up to ${upTo}, of which it had been sent none`,
      );
    const from = part[0]?.record.seq ?? place.seq;
    const unkept = refused ? [{ from, upTo: place.seq, ...refused }] : [];
    for (const one of [...(aside ? [aside] : []), ...unkept]) {
      await onRefused(one);
      this.#state = { ...this.#state, lost: this.#state.lost + one.count };
    }
    this.#place = place;
    this.#fresh = false;
    await writeCursor(dir, sink.name, { place, state: this.state() });
    return reached;
  }

  async #becomes(state: State['state'], why: string | null): Promise<void> {
    const { dir, sink, now, onChange } = this.#o;
    if (this.#state.state === state && (state === 'up' || this.#state.why === why)) return;
    const changed = this.#state.state !== state;
    this.#state = { ...this.#state, state, why, since: changed ? now().toISOString() : this.#state.since };
    if (changed) onChange(this.state());
    await writeCursor(dir, sink.name, { place: this.#place, state: this.state() });
  }
}
