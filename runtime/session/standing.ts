/** What a client asked for once and for all: said again to a server that was started anew. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Request } from '../wire/message.ts';

export interface Wish {
  readonly method: string;
  readonly params: JsonObject;
}

const MAX_WISHES = 1000;

export class StandingWishes {
  readonly #wishes = new Map<string, Wish>();

  /** Remembers or forgets what a request that was answered well asked for. */
  answered({ method, params }: Pick<Request, 'method' | 'params'>): void {
    // Only what subscribes was judged by it.
    const uri = `uri ${typeof params.uri === 'string' ? params.uri : ''}`;
    if (method === 'logging/setLevel') this.#wishes.set('level', { method, params });
    if (method === 'resources/unsubscribe') this.#wishes.delete(uri);
    if (method === 'resources/subscribe' && this.#wishes.size < MAX_WISHES)
      this.#wishes.set(uri, { method, params });
  }

  get all(): Iterable<Wish> {
    return this.#wishes.values();
  }

  /** A server with subscriptions is in use though nothing is in flight. */
  get subscribed(): boolean {
    return this.#wishes.size > (this.#wishes.has('level') ? 1 : 0);
  }
}
