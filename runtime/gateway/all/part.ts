/** One server’s share of a conversation with all of them: our own questions answered to us, the rest handed on. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import type { ClientPort } from '../../session/options.ts';
import { encode, idKey, isObject, type Message, parseMessage } from '../../wire/message.ts';
import type { Backend } from '../ports.ts';

export interface PartHandlers {
  readonly send: ClientPort['send'];
  readonly aside: ClientPort['aside'];
  readonly pause: () => void;
  readonly resume: () => void;
  readonly ended: (error: LockkeeperError | null) => void;
}

const MAX_PAGES = 1000;

export class Part implements ClientPort {
  readonly #handlers: PartHandlers;
  readonly #backend: Backend;
  readonly #prefix = `lk-all-${randomBytes(4).toString('hex')}`;
  readonly #asked = new Map<string, (answer: Message) => void>();
  #count = 0;
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
    this.#backend.take(message);
  }

  end(reason: Parameters<Backend['end']>[0]): void {
    this.#backend.end(reason);
  }

  tell(method: string, params: JsonObject = {}): void {
    const bytes = encode({ jsonrpc: '2.0', method, params });
    this.#backend.take({ kind: 'notification', method, params, bytes });
  }

  /** Asks as the client, in a name that no client can guess. Never rejects: a refusal is an answer as well. */
  ask(method: string, params: JsonObject): Promise<Message> {
    const id = `${this.#prefix}:${++this.#count}`;
    const bytes = encode({ jsonrpc: '2.0', id, method, params });
    return new Promise((resolve) => {
      this.#asked.set(idKey(id), resolve);
      this.#backend.take({ kind: 'request', id, method, params, bytes });
    });
  }

  /** Every page of a list. Empty where it is refused: what is not shown is not called either. */
  async list(method: string, member: string, params: JsonObject): Promise<Json[]> {
    const items: Json[] = [];
    let cursor: Json | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer = await this.ask(method, cursor === undefined ? params : { ...params, cursor });
      if (answer.kind !== 'response' || !isObject(answer.result)) return items;
      const { [member]: more, nextCursor } = answer.result;
      if (Array.isArray(more)) items.push(...more);
      if (typeof nextCursor !== 'string') return items;
      cursor = nextCursor;
    }
    return items;
  }

  send(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    const mine = about === null ? undefined : this.#asked.get(about);
    if (about === null || !mine) return this.#handlers.send(bytes, about, source);
    this.#asked.delete(about);
    mine(parseMessage(bytes, true));
  }

  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    this.#handlers.aside(bytes, about !== null && this.#asked.has(about) ? null : about, source);
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
