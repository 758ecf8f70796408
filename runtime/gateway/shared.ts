/**
 * All requests of one caller in the stateless era, over one conversation. Clients number their requests each for
 * themselves, so ids and progress tokens are replaced on the way in and put back on the way out; no other byte moves.
 */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { assertStillGood, type Identified } from '../identity/identified.ts';
import type { ClientPort, SessionEnd } from '../session/options.ts';
import { TransientMap } from '../transient-map.ts';
import {
  encode,
  type Id,
  idKey,
  isObject,
  type Notification,
  type Request,
  refusalOf,
} from '../wire/message.ts';
import { splice, textAt } from '../wire/splice.ts';
import type { Share } from './budget.ts';
import type { Backend, Trace } from './ports.ts';
import { HttpRefusal, tooManyWait } from './refusals.ts';
import { Reply } from './reply.ts';
import { EventStream } from './stream.ts';
import { Turn } from './turn.ts';

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
/** Errors that this era answers with a status of its own; every other answer is 200. */
const STATUS: Readonly<Record<string, number>> = {
  '-32700': 400,
  '-32600': 400,
  '-32601': 404,
  '-32020': 400,
  '-32021': 400,
  '-32022': 400,
};

interface Asked {
  readonly id: Id;
  readonly token: Json | undefined;
  readonly reply: Reply;
}

export interface SharedSetup {
  readonly who: Identified;
  /** Of requests without an answer, what this caller may have in all of their sessions. */
  readonly waiting: Share;
  readonly trace: Trace;
  readonly open: (port: ClientPort) => Backend;
  readonly ended: (end: SessionEnd) => void;
}

export class Shared implements ClientPort {
  readonly who: Identified;
  /** The credential that it was used with last. */
  shown: Identified;
  /** It was told that this is good no more. */
  isFallen = false;
  lastUsed = performance.now();
  readonly #backend: Backend;
  readonly #room: Share;
  readonly #trace: Trace;
  readonly #asked = new TransientMap<string, Asked>();
  #count = 0;
  readonly #turn = new Turn();
  #over: LockkeeperError | null = null;

  constructor({ who, waiting, trace, open, ended }: SharedSetup) {
    this.who = who;
    this.shown = who;
    this.#room = waiting;
    this.#trace = trace;
    this.#backend = open(this);
    void this.#backend.run().then((end) => {
      this.#close(end.error);
      ended(end);
    });
  }

  get isUsed(): boolean {
    return this.#asked.size > 0;
  }

  /** Takes one message and answers the POST that brought it. Throws HttpRefusal 429. */
  async take(message: Request | Notification, response: ServerResponse): Promise<void> {
    this.lastUsed = performance.now();
    if (this.#turn.free) await this.#turn.free;
    // Closing is how a request is cancelled here, also one that waits for its turn.
    if (response.closed) return;
    if (this.#over) throw new HttpRefusal(503, this.#over);
    if (message.kind === 'notification') {
      // Here a request is cancelled by closing its answer: ids of other connections name nothing.
      if (message.method !== 'notifications/cancelled') this.#backend.take(message);
      await this.#backend.recorded;
      response.writeHead(202).end();
      return;
    }
    if (!this.#room.take(1)) throw tooManyWait(this.#room.each);
    const reply = new Reply(response, {
      headers: {},
      prime: false,
      stream: () => new EventStream(null),
      events: false,
    });
    const own = this.#renamed(message);
    const key = idKey(own.id);
    this.#asked.set(key, { id: message.id, token: tokenOf(message), reply });
    reply.onGone = () => this.#cancel(own.id);
    this.#trace(response.req.headers);
    this.#backend.take(own);
  }

  end(reason: SessionEnd['reason']): void {
    this.#backend.end(reason);
  }

  send(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const asked = about === null ? undefined : this.#taken(about);
    if (!asked) return;
    this.lastUsed = performance.now();
    const code = textAt(bytes, ['error', 'code'])?.toString();
    asked.reply.answer(splice(bytes, [{ path: ['id'], value: asked.id }]), STATUS[code ?? ''] ?? 200, source);
  }

  /**
   * To the request that it belongs to, and to nobody once that is gone; what belongs to none goes to the one that waits
   * longest, which is the same caller’s.
   */
  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const asked = about === null ? this.#asked.all()[0] : this.#asked.get(about);
    asked?.reply.aside(this.#named(bytes, asked), source);
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

  #renamed(message: Request): Request {
    const id = ++this.#count;
    const changes = [{ path: ['id'], value: id as Json }];
    if (tokenOf(message) === undefined) return { ...message, id, bytes: splice(message.bytes, changes) };
    changes.push({ path: ['params', '_meta', 'progressToken'], value: id });
    const _meta = { ...(message.params._meta as Record<string, Json>), progressToken: id };
    return { ...message, id, params: { ...message.params, _meta }, bytes: splice(message.bytes, changes) };
  }

  /** With the client’s own names for its request in it. */
  #named(bytes: Buffer, { id, token }: Asked): Buffer {
    const changes = [{ path: ['params', '_meta', SUBSCRIPTION], value: id as Json }];
    if (token !== undefined && textAt(bytes, ['method'])?.toString() === '"notifications/progress"')
      changes.push({ path: ['params', 'progressToken'], value: token });
    return splice(bytes, changes);
  }

  #taken(key: string): Asked | undefined {
    const asked = this.#asked.take(key);
    if (asked) this.#room.give(1);
    return asked;
  }

  /** The client closed the connection that was to answer. */
  #cancel(id: Id): void {
    if (!this.#taken(idKey(id))) return;
    const params = { requestId: id, reason: 'the client closed the connection' };
    const bytes = encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    this.#backend.take({ kind: 'notification', method: 'notifications/cancelled', params, bytes });
  }

  #close(error: LockkeeperError | null): void {
    const why = error ?? GONE;
    this.#over = why;
    this.resume();
    this.#room.give(this.#asked.size);
    for (const { reply, id } of this.#asked.takeAll()) reply.answer(refusalOf(id, why), 200, undefined);
  }
}

const GONE = new LockkeeperError('SERVER_DIED', {
  expected: 'a server that answers',
  found: 'one that was stopped',
  next: 'Ask again',
});

function tokenOf({ params }: Pick<Request, 'params'>): Json | undefined {
  return isObject(params._meta) ? params._meta.progressToken : undefined;
}
