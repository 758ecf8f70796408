/** A client without any session, before a server with one: what the server asks becomes a result, answered by a new call. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { asLockkeeperError, quote } from '../../schemas/errors.ts';
import { memberOf } from '../gate/task-terms.ts';
import { relatedTask } from '../gate/tasks.ts';
import { discovered, told } from '../session/known.ts';
import type { Peer } from '../session/peer.ts';
import { type Message, type Notification, parseMessage, type Request } from '../wire/message.ts';
import { splice } from '../wire/splice.ts';
import { Fetching } from './fetching.ts';
import { Handles } from './handles.ts';
import { Levels } from './levels.ts';
import { Listeners } from './listeners.ts';
import { Notes } from './notes.ts';
import { OpenCalls } from './open-calls.ts';
import type { Bridge, BridgeOptions } from './ports.ts';
import { enveloped, envelopeOf, response, statelessAnswer, withoutRetry } from './words.ts';

/** Questions of a server that is being greeted, which are refused once it is. */
const MAX_EARLY = 100;
/** How long a server may take to end a task that nobody waits for; its answer is of no use, ms. */
const CANCEL_MS = 10_000;

export class ToSession implements Bridge {
  readonly hello: JsonObject;
  readonly #o: BridgeOptions;
  readonly #notes: Notes;
  readonly #calls: OpenCalls;
  readonly #fetching: Fetching;
  readonly #handles: Handles;
  readonly #listeners: Listeners;
  readonly #levels: Levels;
  readonly #prefix = `lk-call-${randomBytes(8).toString('hex')}`;
  #peer: Peer | null = null;
  #early: Request[] = [];
  #count = 0;

  constructor(options: BridgeOptions) {
    this.#o = options;
    this.#notes = new Notes(options.exchange);
    this.hello = told('stateless', discovered(options.surface), options.surface);
    this.#calls = new OpenCalls(options, {
      notes: this.#notes,
      tell: (bytes) => this.#peer?.send(bytes),
      endTask: (id) => this.#endTask(id),
      answer: (call, id, message) =>
        options.heard(statelessAnswer(message, { id, method: call.method, surface: options.surface })),
    });
    this.#fetching = new Fetching(options, {
      notes: this.#notes,
      calls: this.#calls,
      tell: (bytes) => this.#peer?.send(bytes),
      endTask: (id) => this.#endTask(id),
    });
    this.#handles = new Handles(options, (bytes) => this.#peer?.send(bytes));
    this.#listeners = new Listeners(options);
    this.#levels = new Levels(options.surface);
  }

  get isWaiting(): boolean {
    return this.#calls.isWaiting;
  }

  begin(peer: Peer): Peer {
    const early = this.#early;
    this.over();
    this.#peer = peer;
    for (const message of early) this.#asked(message);
    return { ...peer, send: (bytes) => this.#say(parseMessage(bytes, true)) };
  }

  over(): void {
    this.#calls.over();
    this.#handles.over();
    this.#listeners.over();
    this.#levels.over();
    this.#peer = null;
    this.#early = [];
  }

  #say(message: Message): void {
    if (message.kind === 'request') this.#request(message);
    else if (message.kind === 'notification') this.#notice(message);
    // Nobody of this era is asked by requests: there is nothing to answer.
    else this.#notes.dropped('to-server', 'an answer to nothing the server asked');
  }

  #request(message: Request): void {
    const peer = this.#peer;
    if (!peer) return;
    const { id, method, params } = message;
    if (method === 'server/discover') return this.#o.heard(response(id, this.hello));
    if (method === 'subscriptions/listen') return this.#listen(message, peer);
    if (this.#handles.take(message)) return;
    // Answers without a state belong to no call: it is asked for anew.
    if (params.requestState !== undefined) return this.#calls.again(message, envelopeOf(message));
    const said = envelopeOf(message);
    this.#levels.wish(said.level, peer);
    const upstream = `${this.#prefix}:${++this.#count}`;
    const bytes = this.#fetching.asked(message, enveloped(withoutRetry(message), {}));
    this.#calls.open(message, { upstream, ...said });
    peer.send(splice(bytes, [{ path: ['id'], value: upstream }]));
  }

  #listen(message: Request, peer: Peer): void {
    const { exchange } = this.#o;
    this.#listeners.add(message, peer).catch((thrown: unknown) => exchange.fail(asLockkeeperError(thrown)));
  }

  #notice(message: Notification): void {
    const { requestId } = message.params;
    if (message.method !== 'notifications/cancelled')
      return this.#notes.dropped(
        'to-server',
        `${quote(message.method, 80)}, which the stateless era does not know`,
      );
    if (typeof requestId !== 'string' && typeof requestId !== 'number') return;
    if (this.#peer && this.#listeners.remove(requestId, this.#peer)) return;
    this.#calls.cancel(requestId);
  }

  hear(message: Message): void {
    if (message.kind === 'request') return this.#asked(message);
    if (message.kind === 'notification') return this.#said(this.#fetching.ofCall(message));
    if (this.#handles.heard(message) || this.#fetching.heard(message)) return;
    if (!this.#calls.answered(message)) this.#o.heard(message);
  }

  #asked(message: Request): void {
    if (!this.#peer) {
      if (this.#early.length < MAX_EARLY) this.#early.push(message);
      return;
    }
    if (message.method === 'ping') return this.#peer.send(response(message.id, {}).bytes);
    const held = this.#handles.put(message);
    const error =
      held !== undefined
        ? held
        : this.#calls.ask(this.#fetching.ofCall(message), relatedTask(message.params));
    if (error) this.#notes.refuse(this.#peer, message, error);
  }

  #endTask(taskId: string): void {
    if (memberOf(this.#o.surface.capabilities, ['tasks', 'cancel']) === undefined) return;
    void this.#peer?.ask('tasks/cancel', { taskId }, CANCEL_MS).catch(() => undefined);
  }

  #said(message: Notification): void {
    const { method, params } = message;
    if (this.#fetching.alive(message)) return;
    if (method === 'notifications/progress') return this.#progress(message);
    if (method === 'notifications/cancelled') {
      this.#handles.withdrawn(params.requestId);
      return this.#calls.withdrawn(params.requestId);
    }
    if (method === 'notifications/message') {
      const wanted = this.#calls.inFlight.some(({ level }) => level !== null);
      return wanted ? this.#o.heard(message) : this.#unheard(method);
    }
    if (method.endsWith('/list_changed') || method === 'notifications/resources/updated') {
      if (!this.#listeners.heard(message)) this.#unheard(method);
      return;
    }
    if (method === 'notifications/elicitation/complete') return this.#unheard(method);
    this.#o.heard(message);
  }

  /** Under the token of whoever waits for it now. */
  #progress(message: Notification): void {
    const { progressToken } = message.params;
    const call = this.#calls.inFlight.find(({ firstToken }) => firstToken === progressToken);
    if (!call || progressToken === undefined || call.token === null) return this.#unheard(message.method);
    if (call.token === progressToken) return this.#o.heard(message);
    const params = { ...message.params, progressToken: call.token };
    const bytes = splice(message.bytes, [{ path: ['params', 'progressToken'], value: call.token }]);
    this.#o.heard({ ...message, params, bytes });
  }

  #unheard(method: string): void {
    this.#notes.dropped('to-client', `${method}, which no request of the client asked for`);
  }
}
