/** What one session may hold and how much it may say: bounds that neither side can pass. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Message, Unread } from '../wire/message.ts';

export const WINDOW_MS = 10_000;
/** In ten seconds: readings of lists that changed, notices, requests to the client, answers that nobody asked for. */
const MAX_REREADS = 20;
const MAX_NOTICES = 20_000;
const MAX_REQUESTS = 2000;
const MAX_NOISE = 200;
/** Bytes of what a server says unasked, in ten seconds: each is read on the thread that serves everybody. */
export const MAX_SAID_BYTES = 16 * 1024 * 1024;
const REREAD_DELAY_MS = 25;
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/** Messages that wait for the surface to be known, bounded in number and bytes. */
export class Waiting<M extends Message | Unread = Message> {
  #messages: M[] = [];
  #bytes = 0;

  get length(): number {
    return this.#messages.length;
  }

  /** False, and nothing kept, when there is no room. */
  push(message: M): boolean {
    const bytes = this.#bytes + message.bytes.length;
    if (this.#messages.length >= MAX_WAITING || bytes > MAX_WAITING_BYTES) return false;
    this.#messages.push(message);
    this.#bytes = bytes;
    return true;
  }

  /** Puts one before all others, whatever the bounds. */
  unshift(message: M): void {
    this.#messages.unshift(message);
    this.#bytes += message.bytes.length;
  }

  /** All of them, in order; none is left. */
  take(): M[] {
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return messages;
  }
}

/** The newest of many keys; the oldest are forgotten. */
export class Recent {
  readonly #keys = new Set<string>();

  add(key: string): void {
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > MAX_WAITING && oldest !== undefined) this.#keys.delete(oldest);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Was it there? It is not any more. */
  delete(key: string): boolean {
    return this.#keys.delete(key);
  }
}

/** So many in a window of time, and no more. */
export class Rate {
  readonly #most: number;
  readonly #windowMs: number;
  #from = 0;
  #count = 0;

  constructor(most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** How many more there were than may be. */
  get over(): number {
    return this.#count - this.#most;
  }

  /** Counts one, or so many. False once there were too many in this window. */
  take(count = 1): boolean {
    const now = performance.now();
    if (now - this.#from > this.#windowMs) [this.#from, this.#count] = [now, 0];
    this.#count += count;
    return this.#count <= this.#most;
  }
}

/** What goes nowhere and is recorded so: each of it, until there is too much; then that the rest of it is not. */
export class Noise extends Rate {
  constructor() {
    super(MAX_NOISE, WINDOW_MS);
  }

  /** What is to be recorded of one more; null: nothing. */
  told(why: string): string | null {
    if (this.take()) return why;
    return this.over === 1 ? MUCH_NOISE : null;
  }
}

export const MUCH_NOISE = `more than ${MAX_NOISE} in ${WINDOW_MS / 1000} s that go nowhere: the rest of it has no record of each`;

/** What a server says unasked: so much in a window of time, and no more. */
export class Unasked {
  readonly #notices = new Rate(MAX_NOTICES, WINDOW_MS);
  readonly #requests = new Rate(MAX_REQUESTS, WINDOW_MS);
  readonly #bytes = new Rate(MAX_SAID_BYTES, WINDOW_MS);

  /** Counts a request or a notice. False once there was too much; an answer is judged by what it is to. */
  take({ kind, bytes }: Message): boolean {
    if (kind === 'response' || kind === 'error') return true;
    return (kind === 'request' ? this.#requests : this.#notices).take() && this.read(bytes);
  }

  /** Counts the bytes alone. */
  read({ length }: Buffer): boolean {
    return this.#bytes.take(length);
  }
}

/** Sections to be read again: several notices in a row are one reading, and too many are none. */
export class Rereads {
  readonly #stale = new Set<Section>();
  readonly #rate = new Rate(MAX_REREADS, WINDOW_MS);

  /** `read` is called a moment later with what of `sections` was not waiting to be read already. */
  ask(
    sections: readonly Section[],
    read: (fresh: readonly Section[]) => void,
  ): 'soon' | 'already' | 'too often' {
    const fresh = sections.filter((section) => !this.#stale.has(section));
    if (fresh.length === 0) return 'already';
    if (!this.#rate.take()) return 'too often';
    for (const section of fresh) this.#stale.add(section);
    setTimeout(() => {
      for (const section of fresh) this.#stale.delete(section);
      read(fresh);
    }, REREAD_DELAY_MS);
    return 'soon';
  }
}

export const UNTOLD =
  'the state of a task with a large result in it, which is fetched, or whose call is not permitted now';

function noRoom(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', { expected, found, next });
}

export const CLIENT_WAITS = noRoom(
  'few messages while the lists are read again',
  'more than may wait',
  'Wait for answers',
);
export const SERVER_WAITS = noRoom(
  'few messages before the session is open',
  'more than may wait',
  'The server floods; use another release',
);
export const TOO_LOUD = noRoom(
  'a server that says what it is asked for',
  'a flood of messages',
  'The server floods; use another release',
);
export const RESTLESS = noRoom(
  'lists that come to rest',
  `more than ${MAX_REREADS} changes in ${WINDOW_MS / 1000} s`,
  'A surface that never rests cannot be held to a lock; use another release',
);
