/** Server-sent events to one client. A numbered stream may be taken up again where it broke off. */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { writeTo } from '../session/backpressure.ts';
import type { Share } from './budget.ts';

/** What is kept of a numbered stream for a client that comes back. */
const KEPT_EVENTS = 64;
const KEPT_BYTES = 256 * 1024;
const ALIVE_MS = 15_000;
/** When a client whose stream broke off is to come back, ms. */
const RETRY_MS = 1000;
const ALIVE = ': still there\n\n';
/** How long a client may read nothing, ms. */
const DEAF_MS = 30_000;

interface Event {
  readonly number: number;
  readonly text: Buffer;
}

const EVENT_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
} as const;

export class EventStream {
  /** Null: not numbered, nothing is kept. */
  readonly #id: number | null;
  readonly #share: Share | null;
  readonly #kept: Event[] = [];
  #keptBytes = 0;
  #last = 0;
  /** The last event that was written to a connection. */
  #written = 0;
  #response: ServerResponse | null = null;
  #alive: NodeJS.Timeout | undefined;
  #over = false;
  /** Called when its connection is gone; `whole`: nothing is left to be said. */
  onGone: (whole: boolean) => void = () => undefined;

  /** `share` has room for what is kept. */
  constructor(id: number | null, share: Share | null = null) {
    this.#id = id;
    this.#share = share;
  }

  get isOpen(): boolean {
    return this.#response !== null;
  }

  /** Everything that was to be said is said, to the connection or to nobody. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Begins to answer with events: first those after number `after`, or else those that were never written. */
  attach(
    response: ServerResponse,
    {
      headers,
      after = null,
      prime,
    }: { headers: Record<string, string>; after?: number | null; prime: boolean },
  ): void {
    response.writeHead(200, { ...EVENT_HEADERS, ...headers });
    response.flushHeaders();
    this.#response = response;
    response.on('close', () => this.#gone(response));
    // An event without data tells a client how to come back before there is anything to miss.
    if (prime && this.#id !== null)
      response.write(`id: ${this.#id}-${after ?? this.#written}\nretry: ${RETRY_MS}\ndata: \n\n`);
    const from = after ?? this.#written;
    for (const { number, text } of this.#kept) if (number > from) this.#write(text, undefined);
    this.#written = this.#last;
    if (this.#over) return void response.end();
    this.#alive = setInterval(() => response.write(ALIVE), ALIVE_MS);
    this.#alive.unref();
  }

  /** `source` is held back until the client has taken it. */
  push(message: Buffer, source: Readable | undefined): void {
    const number = ++this.#last;
    const id = this.#id === null ? '' : `id: ${this.#id}-${number}\n`;
    const text = Buffer.concat([Buffer.from(`${id}event: message\ndata: `), message, Buffer.from('\n\n')]);
    if (this.#id !== null) this.#keep({ number, text });
    if (!this.#response) return;
    this.#written = number;
    this.#write(text, source);
  }

  end(): void {
    this.#over = true;
    clearInterval(this.#alive);
    this.#response?.end();
  }

  /** Nobody comes back for it. */
  discard(): void {
    while (this.#kept.length > 0) this.#forget();
  }

  #keep(event: Event): void {
    const bytes = event.text.length;
    while (
      this.#kept.length >= KEPT_EVENTS ||
      (this.#keptBytes + bytes > KEPT_BYTES && this.#kept.length > 0)
    )
      this.#forget();
    if (this.#share && !this.#share.take(bytes)) return this.discard();
    this.#kept.push(event);
    this.#keptBytes += bytes;
  }

  #forget(): void {
    const bytes = this.#kept.shift()?.text.length ?? 0;
    this.#keptBytes -= bytes;
    this.#share?.give(bytes);
  }

  #write(text: Buffer, source: Readable | undefined): void {
    const response = this.#response;
    if (response) writeHeard(response, text, source);
  }

  #gone(response: ServerResponse): void {
    if (this.#response !== response) return;
    clearInterval(this.#alive);
    this.#response = null;
    this.onGone(this.#over && response.writableFinished);
  }
}

/** Clients that are waited for until they read. */
const waited = new WeakSet<ServerResponse>();

/** Writes; a client that takes nothing for DEAF_MS is let go, so that its server is not held back for ever. */
export function writeHeard(response: ServerResponse, bytes: Buffer, source: Readable | undefined): void {
  writeTo(response, bytes, source);
  if (!response.writableNeedDrain || waited.has(response)) return;
  waited.add(response);
  const deaf = setTimeout(() => response.destroy(), DEAF_MS);
  const heard = (): void => {
    clearTimeout(deaf);
    waited.delete(response);
    response.off('drain', heard);
    response.off('close', heard);
  };
  response.on('drain', heard);
  response.on('close', heard);
}
