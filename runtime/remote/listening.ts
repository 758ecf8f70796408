/** Streams of events that are opened by us: the standing one of a session, and those that go on after a break. */
import type { LockkeeperError } from '../../schemas/errors.ts';
import { type Body, type BodyHandlers, noBody } from './body.ts';
import { broken, type Reply } from './head.ts';
import { failureAt, isFatal, LIMITS, type Outlet } from './outlet.ts';
import type { Open, Requests } from './requests.ts';
import type { Asked } from './streamable.ts';

/** How long is waited before a stream is opened again, ms: what the server asks for, within these. */
const RETRY_MS = 1000;
const LEAST_MS = 100;
const MOST_MS = 30_000;
/** Streams in a row that end at once or fail. */
const MAX_FAILURES = 5;
/** So often in a row a stream that ends at once is opened again as soon as its server wants; then not before RETRY_MS. */
const MAX_SOON = 10;
/** A stream that stood for so long did not fail, ms. */
const STOOD_MS = 5000;

export interface ListeningOptions {
  readonly requests: Requests;
  readonly path: string;
  readonly out: Outlet;
  readonly headers: () => Record<string, string>;
  readonly assertSession: (reply: Reply) => void;
  readonly body: (reply: Reply, asked: Asked | null, on: Omit<BodyHandlers, 'line'>) => Body;
  readonly failed: (asked: Asked, error: LockkeeperError) => void;
}

interface Stream {
  /** The request whose answer is waited for; null for the standing stream. */
  readonly asked: Asked | null;
  lastId: string | null;
  retryMs: number | null;
  failures: number;
  /** Ends in a row that came soon, whatever was said before. */
  ends: number;
  since: number;
}

export class Listening {
  readonly #o: ListeningOptions;
  #standing: Open | null = null;
  #closed = false;

  constructor(options: ListeningOptions) {
    this.#o = options;
  }

  /** Opens the standing stream. Many servers have none. */
  begin(): void {
    this.#get({ asked: null, lastId: null, retryMs: null, failures: 0, ends: 0, since: 0 });
  }

  /** Asks for what comes after the last id that a broken stream named. */
  resume(asked: Asked, from: { readonly lastId: string | null; readonly retryMs: number | null }): void {
    this.#later({ asked, ...from, failures: 0, ends: 0, since: performance.now() });
  }

  close(): void {
    this.#closed = true;
    this.#standing?.abort();
  }

  #get(stream: Stream): void {
    const { requests, path, headers } = this.#o;
    const { asked, lastId } = stream;
    // An id that could not stand in a header is not one to come back to.
    const from = lastId !== null && /^[\x20-\x7e]{1,1024}$/.test(lastId) ? { 'last-event-id': lastId } : {};
    stream.since = performance.now();
    const ask = {
      method: 'GET',
      path,
      headers: { ...headers(), accept: 'text/event-stream', ...from },
    } as const;
    const open = requests.open(ask, {
      body: (reply) => this.#body(reply, stream),
      end: () => this.#ended(stream, null),
      failed: (error) => this.#ended(stream, error),
    });
    if (asked) asked.open = open;
    else this.#standing = open;
  }

  #body(reply: Reply, stream: Stream): Body {
    const { asked } = stream;
    this.#o.assertSession(reply);
    if (reply.status >= 300) {
      if (asked) throw failureAt(reply.status, '');
      stream.failures = Number.POSITIVE_INFINITY;
      return noBody(LIMITS);
    }
    const events = this.#o.body(reply, asked, {
      id: (id) => {
        stream.lastId = id;
        stream.failures = 0;
      },
      retry: (ms) => {
        stream.retryMs = ms;
      },
    });
    if (events.kind === 'events') return events;
    throw broken('a stream of events', 'something else');
  }

  #ended(stream: Stream, error: LockkeeperError | null): void {
    const { asked } = stream;
    if (this.#closed || (asked && asked.answered !== null)) return;
    stream.ends++;
    if (performance.now() - stream.since > STOOD_MS) {
      stream.ends = 0;
      if (Number.isFinite(stream.failures)) stream.failures = 0;
    }
    if (++stream.failures <= MAX_FAILURES) return this.#later(stream);
    if (asked) return this.#o.failed(asked, error ?? broken('an answer before the stream ends', 'its end'));
    if (error && isFatal(error)) return this.#o.out.die(error);
    this.#o.out.note('the server keeps no stream of its own messages open');
  }

  #later(stream: Stream): void {
    const least = stream.ends > MAX_SOON ? RETRY_MS : LEAST_MS;
    const ms = Math.min(Math.max(stream.retryMs ?? RETRY_MS, least), MOST_MS);
    let over = false;
    const timer = setTimeout(() => {
      if (!over && !this.#closed) this.#get(stream);
    }, ms);
    timer.unref();
    const open = {
      abort: () => {
        over = true;
        clearTimeout(timer);
      },
    };
    if (stream.asked) stream.asked.open = open;
    else this.#standing = open;
  }
}
