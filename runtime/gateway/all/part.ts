/** One server’s share of a conversation with all of them: our own questions answered to us, the rest handed on. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { Recent } from '../../session/limits.ts';
import type { ClientPort } from '../../session/options.ts';
import { encode, idKey, isObject, type Message, parseMessage } from '../../wire/message.ts';
import type { Backend } from '../ports.ts';
import { namesTasks } from './tasks.ts';

export interface PartHandlers {
  readonly send: ClientPort['send'];
  readonly aside: ClientPort['aside'];
  readonly assertGood: () => Promise<void>;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly ended: (error: LockkeeperError | null) => void;
  /** How long one server may take for what all of them are asked, ms: the others are not kept waiting for ever. */
  readonly askMs: number;
}

export const ASK_MS = 20_000;
const MAX_PAGES = 1000;

export class Part implements ClientPort {
  readonly #handlers: PartHandlers;
  readonly #backend: Backend;
  readonly #prefix = `lk-all-${randomBytes(4).toString('hex')}`;
  readonly #asked = new Map<string, (answer: Message) => void>();
  /** Requests whose answers may name a task: those that wait, and those that were cancelled a moment ago. */
  readonly #tasked = new Set<string>();
  readonly #cancelled = new Recent();
  #count = 0;
  /** It answered with a task: there may be some to list. */
  madeTasks = false;
  readonly over: Promise<unknown>;

  constructor(open: (port: ClientPort) => Backend, handlers: PartHandlers) {
    this.#handlers = handlers;
    this.#backend = open(this);
    this.over = this.#backend.run().then(({ error }) => {
      for (const answer of this.#asked.values()) answer(gone(error));
      handlers.ended(error);
    });
  }

  get recorded(): Promise<unknown> {
    return this.#backend.recorded;
  }

  take(message: Message): void {
    if (message.kind === 'request' && namesTasks(message)) this.#tasked.add(idKey(message.id));
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const { requestId } = message.params;
      const key = typeof requestId === 'string' || typeof requestId === 'number' ? idKey(requestId) : '';
      if (this.#tasked.delete(key)) this.#cancelled.add(key);
    }
    this.#backend.take(message);
  }

  /** Asked once for each answer, by the key of its request. */
  mayNameTask(key: string): boolean {
    return this.#tasked.delete(key) || this.#cancelled.delete(key);
  }

  end(reason: Parameters<Backend['end']>[0]): void {
    this.#backend.end(reason);
  }

  tell(method: string, params: JsonObject = {}): void {
    const bytes = encode({ jsonrpc: '2.0', method, params });
    this.take({ kind: 'notification', method, params, bytes });
  }

  /**
   * Asks as the client, in a name that no client can guess. Never rejects: a refusal is an answer as well. Null where none
   * came in time; what still comes then answers nothing.
   */
  ask(method: string, params: JsonObject, ms = this.#handlers.askMs): Promise<Message | null> {
    const id = `${this.#prefix}:${++this.#count}`;
    const bytes = encode({ jsonrpc: '2.0', id, method, params });
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.#asked.delete(idKey(id));
        this.tell('notifications/cancelled', { requestId: id, reason: 'it took too long' });
        resolve(null);
      }, ms).unref();
      this.#asked.set(idKey(id), (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
      this.#backend.take({ kind: 'request', id, method, params, bytes });
    });
  }

  /**
   * Every page of a list (`member` of each answer), each item once by its `key`, however often its server names it. Empty where it is refused: what is not shown
   * is not called either. Null where it does not end in time.
   */
  async list(
    method: string,
    { member, key: name }: { readonly member: string; readonly key: string },
    params: JsonObject,
  ): Promise<Json[] | null> {
    const items = new Map<Json | undefined, Json>();
    const late = performance.now() + this.#handlers.askMs;
    let cursor: Json | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const asked = cursor === undefined ? params : { ...params, cursor };
      const answer = await this.ask(method, asked, late - performance.now());
      if (answer === null) return null;
      if (answer.kind !== 'response' || !isObject(answer.result)) break;
      const { [member]: more, nextCursor } = answer.result;
      for (const item of Array.isArray(more) ? more : []) {
        const key = isObject(item) ? item[name] : undefined;
        if (!items.has(key)) items.set(key, item);
      }
      if (typeof nextCursor !== 'string') break;
      cursor = nextCursor;
    }
    return [...items.values()];
  }

  send(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const mine = about === null ? undefined : this.#asked.get(about);
    if (about === null || !mine) return this.#handlers.send(bytes, about, source);
    this.#asked.delete(about);
    // Our own gate wrote it: as many as the lock has, or as were read.
    mine(parseMessage(bytes, true, Number.POSITIVE_INFINITY));
  }

  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    this.#handlers.aside(bytes, about !== null && this.#asked.has(about) ? null : about, source);
  }

  assertGood(): Promise<void> {
    return this.#handlers.assertGood();
  }

  pause(): void {
    this.#handlers.pause();
  }

  resume(): void {
    this.#handlers.resume();
  }
}

function gone(error: LockkeeperError | null): Message {
  const { code, message } =
    error ??
    new LockkeeperError('SERVER_DIED', { expected: 'a server', found: 'one that ended', next: 'Ask again' });
  const said = { code: 4030, message, data: { code } };
  return { kind: 'error', id: null, error: said, bytes: Buffer.alloc(0) };
}
