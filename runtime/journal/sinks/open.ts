/**
 * Everything that happens to a journal beside writing it: sinks are told, segments end, and what runtimes that ended left
 * behind is told as well. `lk run` and every other face open it here.
 */
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditConfig, RetentionConfig } from '../../../schemas/sinks.ts';
import type { SinkState } from '../cursor.ts';
import { type Journal, ownRecord, takeJournal } from '../journal.ts';
import { isBehind } from '../leftover.ts';
import { SEGMENT, type SegmentLimits } from '../limits.ts';
import { Pump, type PumpTiming } from '../pump.ts';
import { journalsOf } from '../read.ts';
import { prune, REGISTRY } from '../retention.ts';
import { makeSink } from './make.ts';
import type { Sink } from './port.ts';

export interface SinksTiming extends PumpTiming {
  /** Between two looks at what has to go. */
  readonly retainMs: number;
  /** Between two looks at journals that nobody writes. */
  readonly leftoverMs: number;
}

export interface OpenSinksOptions {
  /** The journal of this process. */
  readonly journal: Journal;
  /** Folder of all journals of this person: what others left behind is told as well. */
  readonly journalDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Who has to have each record of the journals in these folders; null while there is nobody to send to. */
  readonly registry?: { readonly sink: Sink | null; readonly folders: readonly string[] };
  readonly now: () => Date;
  readonly say: (line: string) => void;
  readonly timing?: Partial<SinksTiming>;
}

export interface OpenSinks {
  /** For status lines and metrics. */
  states(): SinkState[];
  /** Offers what is left once more, then lets go. The journal has to be open still. */
  close(): Promise<void>;
}

const TIMING = { retainMs: 600_000, leftoverMs: 300_000 };
const CLOSE_MS = 2000;
const MEGABYTE = 1024 * 1024;
const HOUR_MS = 3_600_000;

export function segmentLimits({ segment }: AuditConfig): SegmentLimits {
  return {
    bytes: segment?.maxMegabytes === undefined ? SEGMENT.bytes : segment.maxMegabytes * MEGABYTE,
    ageMs: segment?.maxHours === undefined ? SEGMENT.ageMs : segment.maxHours * HOUR_MS,
  };
}

/** Throws CONFIG_INVALID for a sink that cannot be. */
export async function openSinks(config: AuditConfig, options: OpenSinksOptions): Promise<OpenSinks> {
  const { environment, now } = options;
  const host = hostname();
  const sinks: Sink[] = [];
  for (const [name, sink] of Object.entries(config.sinks))
    sinks.push(await makeSink(name, sink, { environment, host, now }));
  const keeping = new Keeping(config, sinks, options);
  keeping.start();
  return keeping;
}

class Keeping implements OpenSinks {
  readonly #config: AuditConfig;
  readonly #sinks: readonly Sink[];
  readonly #o: OpenSinksOptions;
  readonly #timing: { readonly retainMs: number; readonly leftoverMs: number };
  readonly #pumps: readonly Pump[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #work: Promise<void> = Promise.resolve();
  #closed = false;
  /** What was said already, so that it is said once. */
  readonly #said = new Set<string>();

  constructor(config: AuditConfig, sinks: readonly Sink[], options: OpenSinksOptions) {
    this.#config = config;
    this.#sinks = sinks;
    this.#o = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#pumps = this.#receiversOf(options.journal.dir).map((sink) => this.#pump(options.journal, sink));
  }

  start(): void {
    for (const pump of this.#pumps) pump.start();
    const { journal } = this.#o;
    const { retainMs, leftoverMs } = this.#timing;
    this.#every(retainMs, () => this.#retain(journal));
    this.#every(leftoverMs, () => this.#leftovers());
  }

  states(): SinkState[] {
    return this.#pumps.map((pump) => pump.state());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#o.journal.settle();
    await Promise.all(this.#pumps.map((pump) => pump.close()));
    await Promise.all(this.#all().map((sink) => sink.close()));
    // Another's journal may still be on its way to a registry that does not answer.
    await Promise.race([this.#work, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  #all(): Sink[] {
    const { registry } = this.#o;
    return [...this.#sinks, ...(registry?.sink ? [registry.sink] : [])];
  }

  /** One after the other, now and then again. */
  #every(ms: number, work: () => Promise<void>): void {
    const next = (wait: number): void => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#work = this.#work.then(work).catch((error: Error) => this.#once(error.message));
        void this.#work.finally(() => this.#closed || next(ms));
      }, wait);
      this.#timers.add(timer.unref());
    };
    next(0);
  }

  #once(line: string): void {
    if (this.#said.has(line) || this.#said.size > 1000) return;
    this.#said.add(line);
    this.#o.say(line);
  }

  /** Sinks take every journal, the registry those of its folders. */
  #receiversOf(dir: string): Sink[] {
    const { registry } = this.#o;
    const isIts = registry?.folders.some((folder) => dir.startsWith(`${folder}/`)) ?? false;
    return [...this.#sinks, ...(isIts && registry?.sink ? [registry.sink] : [])];
  }

  /** Who has to have a record before it goes: also a registry that cannot be asked now. */
  #holdersOf(dir: string): string[] {
    const { registry } = this.#o;
    const isIts = registry?.folders.some((folder) => dir.startsWith(`${folder}/`)) ?? false;
    return [...this.#sinks.map(({ name }) => name), ...(isIts ? [REGISTRY] : [])];
  }

  #pump(journal: Journal, sink: Sink): Pump {
    const { now, timing = {} } = this.#o;
    return new Pump({
      dir: journal.dir,
      journal: journal.id,
      sink,
      head: () => journal.durable(),
      recent: (place) => journal.recent(place),
      now,
      timing,
      onChange: (state) => this.#o.say(lineOf(state)),
      onRefused: async ({ from, upTo, count, why }) => {
        const detail = { sink: sink.name, from, upTo, count, why };
        await journal.append(ownRecord(journal.id, 'journal.lost', detail));
        this.#o.say(`the sink ${sink.name} does not keep some records (${count}): ${why}`);
      },
    });
  }

  async #retain(journal: Journal): Promise<void> {
    journal.turn();
    const retention: RetentionConfig | undefined = this.#config.retention;
    if (!retention || this.#closed) return;
    const { now, say } = this.#o;
    await prune({ journal, retention, sinks: this.#holdersOf(journal.dir), now, say });
  }

  /** Journals of runtimes that ended: taken, told and left again. */
  async #leftovers(): Promise<void> {
    for (const dir of await journalsOf(this.#o.journalDir)) {
      if (this.#closed) return;
      if (dir === this.#o.journal.dir) continue;
      const sinks = this.#receiversOf(dir);
      const retention = this.#config.retention;
      if (!(await isBehind({ dir, sinks: sinks.map(({ name }) => name), retention, now: this.#o.now })))
        continue;
      await this.#leftover(dir, sinks).catch((error: Error) => this.#once(error.message));
    }
  }

  async #leftover(dir: string, sinks: readonly Sink[]): Promise<void> {
    const journal = await takeJournal(dir, segmentLimits(this.#config));
    if (journal === null) return;
    try {
      for (const sink of sinks) {
        if (this.#closed) return;
        if (!(await this.#pump(journal, sink).round()))
          this.#once(`${basename(dir)} is not wholly told to ${sink.name}; it is tried again`);
      }
      await this.#retain(journal);
    } finally {
      await journal.close();
    }
  }
}

function lineOf({ sink, state, why, behind }: SinkState): string {
  return state === 'down'
    ? `the journal is kept here until the sink ${sink} takes it: ${why}`
    : `the sink ${sink} takes records again (${behind} to go)`;
}
