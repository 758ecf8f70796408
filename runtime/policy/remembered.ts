/**
 * What somebody has read, whichever of their sessions and credentials it was, and whichever process: a file for each of
 * them, which is on the disk before an answer that belongs into it is asked for. It ends a while after the last such answer.
 */
import { readFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { alone } from '../store/alone.ts';
import { writeAtomic } from '../store/atomic.ts';
import { textIfThere } from '../store/there.ts';
import type { Read, Reader, Readers } from './flows.ts';
import {
  cut,
  filesIn,
  KINDS,
  type Mark,
  type Marks,
  merged,
  parseRemembered,
  versionOf,
  writtenAs,
} from './remembered-file.ts';
import { MAX_REMEMBERED_MS, type Remembers } from './rules.ts';

/** So many are held in memory; of the others, the files know. */
const MAX_HELD = 10_000;

export interface Whose {
  /** As the policy knows them. */
  readonly user: string;
  /** What they came with. */
  readonly principal: string;
}

export interface RememberedOptions {
  readonly dir: string;
  /** How often is looked whether another process, or whoever clears it, changed a file; ms. 0: each time. */
  readonly lookMs: number;
  readonly now?: () => number;
  /** Somebody took away what was remembered of this user. */
  readonly cleared?: (user: string) => void;
}

export class FlowMemories {
  readonly #o: RememberedOptions;
  readonly #held = new Map<string, FlowMemory>();

  constructor(options: RememberedOptions) {
    this.#o = options;
  }

  /** The same for all sessions of one person, or, where the policy says so, of one credential. */
  of(whose: Whose, { by, ms }: Remembers): FlowMemory {
    const user = whose.user.toLowerCase();
    const key = `${ms} ${by} ${by === 'person' ? user : JSON.stringify([user, whose.principal])}`;
    const held = this.#held.get(key);
    if (held) return held;
    const [oldest] = this.#held.size >= MAX_HELD ? this.#held.keys() : [];
    if (oldest !== undefined) this.#held.delete(oldest);
    const path = join(this.#o.dir, `${sha256(key.slice(key.indexOf(' '))).slice(7, 39)}.json`);
    const made = new FlowMemory(path, { ...this.#o, user, ms });
    this.#held.set(key, made);
    return made;
  }

  /** Removes what no policy can count any more. */
  async sweep(): Promise<void> {
    const before = (this.#o.now ?? Date.now)() - 2 * MAX_REMEMBERED_MS;
    for (const path of await filesIn(this.#o.dir)) {
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs < before) await rm(path, { force: true });
    }
  }
}

interface MemoryOptions extends RememberedOptions {
  readonly user: string;
  readonly ms: number;
}

const times = new WeakMap<Mark, number>();

/** When it was made, as Date.now() counts; read once, as each call asks. */
function timeOf(mark: Mark): number {
  const known = times.get(mark);
  if (known !== undefined) return known;
  const made = Date.parse(mark.at);
  times.set(mark, made);
  return made;
}

export class FlowMemory {
  readonly #path: string;
  readonly #o: MemoryOptions;
  readonly #now: () => number;
  /** What counts: what was heard here, and what the file says of others. */
  #marks: Marks = {};
  /** What the file says. */
  #written: Marks = {};
  #version = '';
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Nothing has come in since it was looked. */
  #isNew = false;
  #writing: Promise<void> | null = null;

  constructor(path: string, options: MemoryOptions) {
    this.#path = path;
    this.#o = options;
    this.#now = options.now ?? Date.now;
  }

  get readers(): Readers {
    this.#look();
    const reader = (mark: Mark | undefined): Reader | null =>
      // A time to come is one of a clock that was wrong: it counts.
      mark && this.#now() < timeOf(mark) + this.#o.ms * 1.125 ? mark : null;
    return { untrusted: reader(this.#marks.untrusted), private: reader(this.#marks.private) };
  }

  /**
   * Looks now, also where that was done a moment ago. What one read brought in shares one look: all of it was said before
   * it was looked.
   */
  look(): void {
    if (this.#isNew) return;
    this.#isNew = true;
    queueMicrotask(() => {
      this.#isNew = false;
    });
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    this.#look();
  }

  saw(read: Read, reader: Reader): void {
    const due = this.#dueIn(this.#marks, read);
    if (due.length > 0) this.#marks = merged(this.#marks, this.#marksOf(due, reader));
  }

  keep(read: Read, reader: Reader): void {
    this.#look();
    if (this.#writing === null && this.#dueIn(this.#written, read).length === 0) return;
    const whole = (this.#writing ?? Promise.resolve())
      .then(() => this.#write(read, reader))
      .finally(() => {
        if (this.#writing === whole) this.#writing = null;
      });
    whole.catch(() => undefined);
    this.#writing = whole;
  }

  get kept(): Promise<unknown> | null {
    return this.#writing;
  }

  #marksOf(kinds: readonly (keyof Marks)[], { call, what }: Reader): Marks {
    const mark = { at: new Date(this.#now()).toISOString(), call: cut(call), what: cut(what) };
    return Object.fromEntries(kinds.map((kind) => [kind, mark]));
  }

  /** What these do not say yet, or said long ago: it is remembered an eighth longer, and so marked and written seldom. */
  #dueIn(marks: Marks, read: Read): (keyof Marks)[] {
    const fresh = (mark: Mark | undefined): boolean =>
      mark !== undefined && this.#now() < timeOf(mark) + this.#o.ms / 8;
    return KINDS.filter((kind) => read[kind] && !fresh(marks[kind]));
  }

  /** What other processes wrote meanwhile stays. */
  async #write(read: Read, reader: Reader): Promise<void> {
    this.#look();
    const due = this.#dueIn(this.#written, read);
    if (due.length === 0) return;
    try {
      await alone(this.#path, async () => {
        const there = this.#parsed(await textIfThere(this.#path));
        this.#written = merged(there, this.#marksOf(due, reader));
        await writeAtomic(this.#path, writtenAs(this.#o.user, this.#written), 0o600);
        this.#marks = merged(this.#marks, there);
        this.#version = versionOf(this.#path);
      });
    } catch (cause) {
      this.#written = {};
      throw broken(this.#path, cause);
    }
  }

  #look(): void {
    const { lookMs, cleared, user } = this.#o;
    if (Math.abs(this.#now() - this.#lookedAt) < lookMs) return;
    this.#lookedAt = this.#now();
    try {
      const version = versionOf(this.#path);
      if (version === this.#version) return;
      const gone = version === '';
      this.#written = gone ? {} : this.#parsed(readFileSync(this.#path, 'utf8'));
      this.#marks = gone ? {} : merged(this.#marks, this.#written);
      this.#version = version;
      if (gone) cleared?.(user);
    } catch {
      this.#marks = merged(this.#marks, this.#unread());
    }
  }

  /** Throws nothing: what is not understood counts as both. */
  #parsed(text: string | null): Marks {
    if (text === null) return {};
    try {
      const { untrusted, private: secret } = parseRemembered(text);
      return { ...(untrusted ? { untrusted } : {}), ...(secret ? { private: secret } : {}) };
    } catch {
      return this.#unread();
    }
  }

  #unread(): Marks {
    const what = `a memory that cannot be read, ${this.#path}`;
    return this.#marksOf(KINDS, { call: 'unknown', what });
  }
}

function broken(path: string, cause: unknown): LockkeeperError {
  return new LockkeeperError('FLOWS_BROKEN', {
    expected: `to write down in ${path} what a call is about to read`,
    found: cause instanceof Error ? cause.message.slice(0, 300) : 'no way to',
    next: 'Make room, or make the folder writable; until then such calls are refused',
    cause,
  });
}
