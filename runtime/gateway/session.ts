/** One session of the session era over HTTP: many requests and streams, one conversation behind them. */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import { assertStillGood, type Identified } from '../identity/identified.ts';
import type { ClientPort, SessionEnd } from '../session/options.ts';
import { TransientMap } from '../transient-map.ts';
import { type Id, idKey, type Message, refusalOf } from '../wire/message.ts';
import type { Share } from './budget.ts';
import { prefersEvents } from './guard.ts';
import type { Backend, Trace } from './ports.ts';
import { badRequest, HttpRefusal, tooManyWait, unknownSession } from './refusals.ts';
import { Reply } from './reply.ts';
import { EventStream } from './stream.ts';
import { Turn } from './turn.ts';

/** The stream that belongs to no request. */
const MAIN = 0;
/** Streams that a client may come back for. */
const KEPT_STREAMS = 16;
/** From this version on, a stream begins with an event that tells how to come back to it. */
const PRIMED_SINCE = '2025-11-25';

export interface SessionSetup {
  readonly who: Identified;
  /** Whom it belongs to: `ownerOf` that. */
  readonly owner: string;
  readonly path: string;
  /** Of requests without an answer, what this caller may have in all of their sessions. */
  readonly waiting: Share;
  readonly trace: Trace;
  /** Room for what is kept of streams. */
  readonly kept: Share;
  readonly open: (port: ClientPort) => Backend;
  readonly ended: (session: HttpSession, end: SessionEnd) => void;
}

interface Waiting {
  readonly reply: Reply;
  readonly id: Id;
}

export class HttpSession implements ClientPort {
  readonly id = randomBytes(24).toString('base64url');
  readonly who: Identified;
  readonly owner: string;
  readonly path: string;
  /** The credential that it was used with last. */
  shown: Identified;
  /** It was told that this is good no more. */
  isFallen = false;
  lastUsed = performance.now();
  readonly #backend: Backend;
  readonly #room: Share;
  readonly #trace: Trace;
  readonly #waiting = new TransientMap<string, Waiting>();
  readonly #kept: Share;
  readonly #streams = new Map<number, EventStream>();
  #lastStream = MAIN;
  #primed = false;
  readonly #turn = new Turn();
  #over = false;

  constructor({ who, owner, path, waiting, trace, kept, open, ended }: SessionSetup) {
    this.who = who;
    this.shown = who;
    this.owner = owner;
    this.path = path;
    this.#room = waiting;
    this.#trace = trace;
    this.#kept = kept;
    this.#streams.set(MAIN, new EventStream(MAIN, kept));
    this.#backend = open(this);
    void this.#backend.run().then((end) => {
      this.#close();
      ended(this, end);
    });
  }

  /** Somebody waits or listens, and is still there: it is not idle. */
  get isUsed(): boolean {
    const open = this.#waiting.all().some(({ reply }) => reply.isHeard);
    return open || [...this.#streams.values()].some(({ isOpen }) => isOpen);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Takes one message and answers the POST that brought it. Throws HttpRefusal 400, 404 or 429. */
  async take(message: Message, response: ServerResponse, version: string | undefined): Promise<void> {
    this.lastUsed = performance.now();
    if (this.#turn.free) await this.#turn.free;
    if (this.#over) throw unknownSession();
    if (message.kind !== 'request') {
      this.#backend.take(message);
      await this.#backend.recorded;
      response.writeHead(202).end();
      if (message.kind === 'notification' && message.method === 'notifications/cancelled')
        this.#cancelled(message.params.requestId);
      return;
    }
    const key = idKey(message.id);
    if (this.#waiting.has(key)) throw duplicate();
    if (message.method === 'initialize') version = asked(message.params.protocolVersion);
    this.#primed ||= version !== undefined && version >= PRIMED_SINCE;
    // Before anything is answered: a stream would have begun well.
    if (!this.#room.take(1)) throw tooManyWait(this.#room.each);
    const reply = new Reply(response, {
      headers: { 'mcp-session-id': this.id },
      prime: this.#primed,
      stream: () => this.#newStream(),
      events: prefersEvents(response.req.headers.accept),
    });
    this.#waiting.set(key, { reply, id: message.id });
    this.#trace(response.req.headers);
    this.#backend.take(message);
  }

  /** The stream of what belongs to no request, or the one that `after` belongs to. Throws HttpRefusal 400 or 409. */
  listen(response: ServerResponse, after: string | undefined): void {
    this.lastUsed = performance.now();
    const headers = { 'mcp-session-id': this.id };
    const [, id, number] = /^(\d{1,9})-(\d{1,9})$/.exec(after ?? `${MAIN}-0`) ?? [];
    const stream = id === undefined ? undefined : this.#streams.get(Number(id));
    if (!stream) {
      const next = 'Begin without Last-Event-ID';
      throw new HttpRefusal(400, badRequest('Last-Event-ID of a stream of this session', 'another', next));
    }
    if (stream.isOpen) {
      const error = badRequest('one stream of this kind', 'a second one', 'Close the first');
      throw new HttpRefusal(409, error);
    }
    stream.attach(response, {
      headers,
      after: after === undefined ? null : Number(number),
      prime: this.#primed,
    });
  }

  end(reason: SessionEnd['reason']): void {
    this.#backend.end(reason);
  }

  send(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const waiting = about === null ? undefined : this.#answered(about);
    if (!waiting) return;
    this.lastUsed = performance.now();
    waiting.reply.answer(bytes, 200, source);
  }

  /** To the request that it belongs to; else to whoever listens; else to the newest that waits. */
  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const own = about === null ? undefined : this.#waiting.get(about);
    const main = this.#streams.get(MAIN);
    if (own) return own.reply.aside(bytes, source);
    const newest = main?.isOpen ? undefined : this.#waiting.all().at(-1);
    if (newest) return newest.reply.aside(bytes, source);
    main?.push(bytes, source);
  }

  assertGood(): Promise<void> {
    return assertStillGood(this.shown);
  }

  pause(): void {
    this.#turn.pause();
  }

  resume(): void {
    this.#turn.resume();
  }

  /** Nothing answers it any more; its place is free. */
  #cancelled(id: unknown): void {
    const key = typeof id === 'string' || typeof id === 'number' ? idKey(id) : '';
    this.#answered(key)?.reply.drop();
  }

  /** Its place is another one's. */
  #answered(key: string): Waiting | undefined {
    const waiting = this.#waiting.take(key);
    if (waiting) this.#room.give(1);
    return waiting;
  }

  /** A stream lives on without its connection until all of it was written once. */
  #newStream(): EventStream {
    const id = ++this.#lastStream;
    const stream = new EventStream(id, this.#kept);
    stream.onGone = (whole) => {
      if (whole) this.#forget(id);
    };
    this.#streams.set(id, stream);
    const oldest = [...this.#streams].find(([each, { isOpen }]) => each !== MAIN && !isOpen);
    if (this.#streams.size > KEPT_STREAMS && oldest) this.#forget(oldest[0]);
    return stream;
  }

  #forget(id: number): void {
    this.#streams.get(id)?.discard();
    this.#streams.delete(id);
  }

  #close(): void {
    this.#over = true;
    this.resume();
    const { error } = unknownSession();
    this.#room.give(this.#waiting.size);
    for (const { reply, id } of this.#waiting.takeAll()) reply.answer(refusalOf(id, error), 200, undefined);
    for (const [id, stream] of this.#streams) {
      stream.end();
      this.#forget(id);
    }
  }
}

function asked(version: unknown): string | undefined {
  return typeof version === 'string' ? version : undefined;
}

function duplicate(): HttpRefusal {
  const error = new LockkeeperError('ID_DUPLICATE', {
    expected: 'an id that no unanswered request of this session has',
    found: 'one that is in use',
    next: 'Count on',
  });
  return new HttpRefusal(400, error);
}
