/** The subscription that a stateless server is heard by, for a client that never names one: it is made anew as wishes change. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Peer } from '../session/peer.ts';
import { type Id, isObject, type Message } from '../wire/message.ts';
import type { Notes } from './notes.ts';
import type { BridgeOptions } from './ports.ts';
import { failure, notice, request, response, subscriptionOf, tagged } from './words.ts';

const MAX_URIS = 1000;
/** Before a subscription that the server ended is asked for again, ms. */
const AGAIN_MS = 5000;
const CHANGES = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
};

export interface ListeningOptions {
  readonly peer: Peer;
  readonly notes: Notes;
  readonly meta: () => JsonObject;
}

/** A request of the client that is answered once the server knows of its wish. */
interface Wish {
  readonly id: Id;
  readonly uri: string;
  readonly adds: boolean;
}

interface Subscription {
  readonly id: string;
  readonly wishes: readonly Wish[];
}

export class Listening {
  readonly #b: BridgeOptions;
  readonly #o: ListeningOptions;
  readonly #uris = new Set<string>();
  readonly #prefix = `lk-listen-${randomBytes(8).toString('hex')}`;
  #count = 0;
  #now: Subscription | null = null;
  /** Asked for, not acknowledged yet. */
  #next: Subscription | null = null;
  /** Wishes that wait until the one before is acknowledged. */
  #waiting: Wish[] = [];
  #again: NodeJS.Timeout | undefined;

  constructor(bridge: BridgeOptions, options: ListeningOptions) {
    this.#b = bridge;
    this.#o = options;
  }

  /** Listens to what the server says of its lists, and to these resources. */
  begin(uris: readonly string[]): void {
    for (const uri of uris) this.#uris.add(uri);
    this.#open([]);
  }

  /** Answers the client's request once the server said whether it will tell of it. */
  add(id: Id, uri: string): void {
    if (!this.#uris.has(uri) && this.#uris.size >= MAX_URIS) return this.#b.heard(failure(id, TOO_MANY));
    this.#wish({ id, uri, adds: true });
  }

  remove(id: Id, uri: string): void {
    this.#wish({ id, uri, adds: false });
  }

  #wish(wish: Wish): void {
    this.#waiting.push(wish);
    if (!this.#next) this.#change();
  }

  #change(): void {
    const wishes = this.#waiting;
    this.#waiting = [];
    if (wishes.length === 0) return;
    for (const { uri, adds } of wishes) adds ? this.#uris.add(uri) : this.#uris.delete(uri);
    this.#open(wishes);
  }

  #open(wishes: readonly Wish[]): void {
    const filter = this.#filter();
    if (Object.keys(filter).length === 0) {
      this.#cancel(this.#now);
      this.#now = null;
      for (const wish of wishes) this.#b.heard(response(wish.id, {}));
      return;
    }
    const id = `${this.#prefix}:${++this.#count}`;
    this.#next = { id, wishes };
    const params = { notifications: filter, _meta: this.#o.meta() };
    this.#o.peer.send(request(id, 'subscriptions/listen', params).bytes);
  }

  #filter(): JsonObject {
    const { capabilities } = this.#b.surface;
    const lists = Object.entries(CHANGES).filter(([name]) => {
      const capability = capabilities[name];
      return isObject(capability) && capability.listChanged === true;
    });
    const filter: JsonObject = Object.fromEntries(lists.map(([, wish]) => [wish, true]));
    return this.#uris.size === 0 ? filter : { ...filter, resourceSubscriptions: [...this.#uris] };
  }

  /** True: it was about a subscription of ours, and is dealt with. */
  heard(message: Message): boolean {
    if (message.kind === 'request') return false;
    if (message.kind !== 'notification') return this.#ended(message);
    const id = subscriptionOf(message);
    if (id === null || (id !== this.#now?.id && id !== this.#next?.id)) return false;
    if (message.method !== 'notifications/subscriptions/acknowledged') {
      this.#b.heard(tagged(message, null));
      return true;
    }
    if (id === this.#next?.id) this.#acknowledged(message.params.notifications);
    return true;
  }

  #acknowledged(honoured: unknown): void {
    const next = this.#next;
    this.#cancel(this.#now);
    this.#now = next;
    this.#next = null;
    const told = isObject(honoured as JsonObject)
      ? (honoured as JsonObject).resourceSubscriptions
      : undefined;
    for (const { id, uri, adds } of next?.wishes ?? []) {
      const isTold = !adds || (Array.isArray(told) && told.includes(uri));
      if (!isTold) this.#uris.delete(uri);
      this.#b.heard(isTold ? response(id, {}) : failure(id, untold(uri)));
    }
    this.#change();
  }

  /** The server ended it, or would not begin it. */
  #ended(message: Extract<Message, { id: Id | null }>): boolean {
    const isNext = message.id !== null && message.id === this.#next?.id;
    if (!isNext && (message.id === null || message.id !== this.#now?.id)) return false;
    this.#o.notes.dropped('to-client', 'the server ended the subscription that changes are told by');
    if (!isNext) {
      this.#now = null;
      this.#again = setTimeout(() => this.#next ?? this.#open([]), AGAIN_MS);
      this.#again.unref();
      return true;
    }
    const wishes = this.#next?.wishes ?? [];
    this.#next = null;
    for (const { id, uri, adds } of wishes) {
      if (adds) this.#uris.delete(uri);
      this.#b.heard(adds ? failure(id, untold(uri)) : response(id, {}));
    }
    this.#change();
    return true;
  }

  #cancel(subscription: Subscription | null): void {
    if (!subscription) return;
    const params = { requestId: subscription.id, reason: 'another one takes its place' };
    this.#o.peer.send(notice('notifications/cancelled', params).bytes);
  }

  over(): void {
    clearTimeout(this.#again);
    this.#now = this.#next = null;
    this.#waiting = [];
  }
}

function untold(uri: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'a server that tells when this resource changes',
    found: `one that does not, for ${quote(uri, 200)}`,
    next: 'Read it again when it is needed',
  });
}

const TOO_MANY = new LockkeeperError('RATE_LIMITED', {
  expected: `at most ${MAX_URIS} subscriptions`,
  found: 'one more',
  next: 'End one first',
});
