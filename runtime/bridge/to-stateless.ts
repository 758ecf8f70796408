/** A client with a session, before a server without any: its questions come as results, and are asked as requests. */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { offersTasks } from '../gate/task-terms.ts';
import { helloOf } from '../session/known.ts';
import type { Peer } from '../session/peer.ts';
import { TransientMap } from '../transient-map.ts';
import {
  idKey,
  isObject,
  type Message,
  type Notification,
  parseMessage,
  type Request,
  type Response,
} from '../wire/message.ts';
import { insert, splice } from '../wire/splice.ts';
import { Following } from './following.ts';
import { Listening } from './listening.ts';
import { Needing } from './needing.ts';
import { Notes, refusal } from './notes.ts';
import type { Bridge, BridgeOptions } from './ports.ts';
import { type Call, Rounds } from './rounds.ts';
import {
  declared,
  declaring,
  envelope,
  enveloped,
  failure,
  MAY_ASK,
  request,
  response,
  sharedCapabilities,
  withoutRetry,
} from './words.ts';

/** Bytes of open calls that are kept to be sent again with the answers. */
const KEPT_BYTES = 32 * 1024 * 1024;

export class ToStateless implements Bridge {
  readonly hello: JsonObject;
  readonly #o: BridgeOptions;
  readonly #notes: Notes;
  readonly #rounds: Rounds;
  readonly #following: Following;
  readonly #needing: Needing;
  readonly #prefix = `lk-again-${randomBytes(8).toString('hex')}`;
  /** By the id that the server knows a request by. */
  readonly #asked = new TransientMap<string, Call>();
  #listening: Listening | null = null;
  #peer: Peer | null = null;
  #level: string | null = null;
  #kept = 0;
  #count = 0;

  constructor(options: BridgeOptions) {
    this.#o = options;
    this.#notes = new Notes(options.exchange);
    this.hello = helloOf(options.surface);
    this.#rounds = new Rounds(options, {
      notes: this.#notes,
      again: (call, params) => this.#again(call, params),
      failed: (call, error) => this.#end(call, failure(call.id, error)),
    });
    this.#following = new Following(options, {
      notes: this.#notes,
      say: (id, method, params) => {
        const _meta = declaring(this.#envelope());
        this.#peer?.send(request(id, method, { ...params, _meta }).bytes);
      },
      ask: (call, inputRequests) => this.#rounds.ask(call, { inputRequests }),
      ended: (call, answer) => this.#end(call, answer),
    });
    this.#needing = new Needing(options, {
      notes: this.#notes,
      again: (call) => this.#again(call, {}),
    });
  }

  /** An open subscription needs the server, but so the session says itself. */
  get isWaiting(): boolean {
    return false;
  }

  begin(peer: Peer): Peer {
    this.over();
    this.#peer = peer;
    const { wishes } = this.#o.exchange;
    const uris: string[] = [];
    for (const { method, params } of wishes.all) {
      if (method === 'logging/setLevel') this.#level = textOr(params.level);
      else if (typeof params.uri === 'string') uris.push(params.uri);
    }
    this.#listening = new Listening(this.#o, { peer, notes: this.#notes, meta: () => this.#envelope() });
    this.#listening.begin(uris);
    return { ...peer, send: (bytes) => this.#say(parseMessage(bytes, true)) };
  }

  over(): void {
    this.#rounds.over();
    this.#following.over();
    this.#listening?.over();
    this.#asked.takeAll();
    this.#kept = 0;
    this.#listening = this.#peer = null;
  }

  #envelope(): JsonObject {
    const { exchange } = this.#o;
    const locked = exchange.state?.entry.surface.capture.clientCapabilities ?? {};
    return envelope(sharedCapabilities(locked, exchange.state?.clientCapabilities ?? {}), this.#level);
  }

  #say(message: Message): void {
    if (message.kind === 'request') this.#request(message);
    else if (message.kind === 'notification') this.#notice(message);
    else if (!this.#rounds.answered(message))
      this.#notes.dropped('to-server', 'an answer that came too late');
  }

  #request(message: Request): void {
    const { id, method, params } = message;
    if (method === 'ping') return this.#o.heard(response(id, {}));
    if (method === 'logging/setLevel') {
      this.#level = textOr(params.level);
      return this.#o.heard(response(id, {}));
    }
    if (method === 'resources/subscribe') return this.#listening?.add(id, String(params.uri));
    if (method === 'resources/unsubscribe') return this.#listening?.remove(id, String(params.uri));
    const own = withoutRetry(message);
    const declares = this.#needing.has(method, params);
    const bytes = enveloped(own, declares ? declaring(this.#envelope()) : this.#envelope());
    const keeps = MAY_ASK.has(method) && this.#kept + bytes.length <= KEPT_BYTES;
    if (keeps) this.#kept += bytes.length;
    const pending = this.#o.exchange.fromClient.get(idKey(id));
    const call: Call = {
      id,
      method,
      target: pending?.target,
      call: pending?.call ?? '',
      bytes: keeps ? bytes : null,
      declares,
      task: null,
      upstream: id,
      round: 0,
    };
    this.#asked.set(idKey(id), call);
    this.#peer?.send(bytes);
  }

  #notice(message: Notification): void {
    const { requestId } = message.params;
    if (message.method !== 'notifications/cancelled')
      return this.#notes.dropped(
        'to-server',
        `${quote(message.method, 80)}, which a stateless server does not know`,
      );
    const open = [...this.#asked.all(), ...this.#rounds.asking, ...this.#following.calls];
    const call = open.find(({ id }) => id === requestId);
    if (!call) return;
    const isAsked = this.#asked.take(idKey(call.upstream)) !== undefined;
    this.#forget(call, 'cancelled by the client');
    if (isAsked)
      this.#peer?.send(splice(message.bytes, [{ path: ['params', 'requestId'], value: call.upstream }]));
  }

  hear(message: Message): void {
    if (message.kind === 'request') {
      if (this.#peer) this.#notes.refuse(this.#peer, message, NO_REQUESTS);
      return;
    }
    if (this.#listening?.heard(message) || this.#following.heard(message)) return;
    if (message.kind === 'notification') return this.#o.heard(message);
    const key = message.id === null ? '' : idKey(message.id);
    const call = this.#asked.take(key);
    const result = message.kind === 'response' && isObject(message.result) ? message.result : {};
    const { resultType: type } = result;
    if (!call && type === 'task' && this.#hasTasks) this.#following.stray(result);
    if (!call) return this.#o.heard(message);
    if (this.#hasTasks && this.#needing.heard(call, message)) return;
    if (type === undefined || type === 'complete') return this.#end(call, named(message, call.id));
    if (type === 'task' && call.method === 'tools/call' && this.#hasTasks) return this.#becomes(call, result);
    if (type !== 'input_required') return this.#end(call, failure(call.id, otherType(type)));
    this.#rounds.ask(call, result);
  }

  get #hasTasks(): boolean {
    return offersTasks('stateless', this.#o.surface.capabilities);
  }

  /** The call is a task now: what its client waits for is what that ends in. */
  #becomes(call: Call, state: JsonObject): void {
    this.#kept -= call.bytes?.length ?? 0;
    call.bytes = null;
    const error = this.#following.begin(call, state);
    if (error) this.#end(call, failure(call.id, error));
  }

  /** The same call with the answers, under an id of its own; or its task is told them. The record is on the disk. */
  #again(call: Call, params: JsonObject): void {
    const { sealed, fromClient } = this.#o.exchange;
    // Revoked or cancelled by now.
    if (sealed || !fromClient.has(idKey(call.id))) return this.#forget(call, 'nobody waits for it');
    if (this.#following.answers(call, params) || !call.bytes || !this.#peer) return;
    call.upstream = `${this.#prefix}:${++this.#count}`;
    this.#asked.set(idKey(call.upstream), call);
    const own = call.declares ? declared(call.bytes, this.#envelope()) : call.bytes;
    const bytes = splice(own, [{ path: ['id'], value: call.upstream }]);
    this.#peer.send(insert(bytes, ['params'], params));
  }

  #end(call: Call, answer: Message): void {
    this.#forget(call, 'the call ended');
    this.#o.heard(answer);
  }

  #forget(call: Call, why: string): void {
    this.#kept -= call.bytes?.length ?? 0;
    call.bytes = null;
    this.#rounds.drop(call, why);
    this.#following.drop(call);
  }
}

function named(message: Response, id: Call['id']): Response {
  return message.id === id
    ? message
    : { ...message, id, bytes: splice(message.bytes, [{ path: ['id'], value: id }]) };
}

function textOr(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function otherType(type: Json): LockkeeperError {
  return new LockkeeperError('RESULT_INVALID', {
    expected: 'a result that is complete or asks for input',
    found: quote(JSON.stringify(type), 80),
    next: 'Use a client of the server’s own protocol era',
  });
}

const NO_REQUESTS = refusal(
  'a stateless server to ask by its results',
  'a request of its own',
  'Answer with input_required',
);
