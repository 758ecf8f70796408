/** Subscriptions of a stateless client, before a server with a session: who asked to be told of what. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { judgeToServer } from '../gate/gate.ts';
import type { Peer } from '../session/peer.ts';
import * as records from '../session/records.ts';
import { type Id, idKey, isObject, type Notification, type Request } from '../wire/message.ts';
import type { BridgeOptions } from './ports.ts';
import { notice, request, SUBSCRIPTION, tagged } from './words.ts';

const MAX_URIS = 100;
const SUBSCRIBE_MS = 30_000;
const LISTS = {
  'notifications/tools/list_changed': ['toolsListChanged', 'tools'],
  'notifications/prompts/list_changed': ['promptsListChanged', 'prompts'],
  'notifications/resources/list_changed': ['resourcesListChanged', 'resources'],
} as const;

interface Listener {
  readonly id: Id;
  /** Methods of notices about lists. */
  readonly lists: ReadonlySet<string>;
  readonly uris: Set<string>;
}

export class Listeners {
  readonly #o: BridgeOptions;
  readonly #open = new Map<string, Listener>();

  constructor(options: BridgeOptions) {
    this.#o = options;
  }

  /** Acknowledges what it will be told of: of lists that may change, and of resources that the gate lets it subscribe to. */
  async add({ id, params }: Request, peer: Peer): Promise<void> {
    const asked = isObject(params.notifications) ? params.notifications : {};
    const { capabilities } = this.#o.surface;
    const lists = Object.entries(LISTS).filter(([, [wish, name]]) => {
      const capability = capabilities[name];
      return asked[wish] === true && isObject(capability) && capability.listChanged === true;
    });
    const listener: Listener = { id, lists: new Set(lists.map(([method]) => method)), uris: new Set() };
    this.#open.set(idKey(id), listener);
    const { resourceSubscriptions: wanted } = asked;
    const uris = Array.isArray(wanted) ? wanted.filter((uri) => typeof uri === 'string') : [];
    for (const uri of new Set(uris.slice(0, MAX_URIS)))
      if (await this.#subscribe(uri, peer)) listener.uris.add(uri);
    if (this.#open.get(idKey(id)) !== listener) return this.#leave(listener, peer);
    const notifications: JsonObject = {
      ...Object.fromEntries(lists.map(([, [wish]]) => [wish, true])),
      ...(listener.uris.size === 0 ? {} : { resourceSubscriptions: [...listener.uris] }),
    };
    const said = { notifications, _meta: { [SUBSCRIPTION]: id } };
    this.#o.heard(notice('notifications/subscriptions/acknowledged', said));
  }

  /** Judged as the request of a session would be; then the server is asked. */
  async #subscribe(uri: string, peer: Peer): Promise<boolean> {
    const { exchange } = this.#o;
    if (!exchange.state) return false;
    const params = { uri };
    const asked = request('lk-subscribes', 'resources/subscribe', params);
    const verdict = judgeToServer(asked, { ...exchange.state, era: 'session' });
    if (!verdict.allow) {
      const { error, target, decision } = verdict;
      exchange.note(
        records.refused(exchange.scribe, asked, { direction: 'to-server', error, target, decision }),
      );
      return false;
    }
    if (verdict.ask) return false;
    const { rule, decision } = verdict;
    const call = `${exchange.scribe.session}/l-${randomUUID()}`;
    const pending = { id: asked.id, method: asked.method, rule, target: uri, call, since: performance.now() };
    const at = { direction: 'to-server', call, target: uri, decision } as const;
    await exchange.scribe.journal.append(records.forwarded(exchange.scribe, asked, at));
    const done = await peer.ask('resources/subscribe', params, SUBSCRIBE_MS).then(
      () => true,
      () => false,
    );
    const end = { outcome: done ? 'ok' : 'error', bytes: 0 } as const;
    exchange.note(records.finished(exchange.scribe, pending, end));
    return done;
  }

  /** False: there is no such subscription. */
  remove(id: Id, peer: Peer): boolean {
    const listener = this.#open.get(idKey(id));
    if (!listener) return false;
    this.#open.delete(idKey(id));
    this.#leave(listener, peer);
    return true;
  }

  /** What nobody else listens for is ended at the server. */
  #leave({ uris }: Listener, peer: Peer): void {
    for (const uri of uris) {
      if ([...this.#open.values()].some((other) => other.uris.has(uri))) continue;
      void peer.ask('resources/unsubscribe', { uri }, SUBSCRIBE_MS).catch(() => undefined);
    }
  }

  /** To each that asked for it, by its own subscription. A changed list is read again whoever listens. */
  heard(message: Notification): boolean {
    const isList = Object.hasOwn(LISTS, message.method);
    const { uri } = message.params;
    const fits = ({ lists, uris }: Listener): boolean =>
      isList
        ? lists.has(message.method)
        : typeof uri === 'string' && [...uris].some((one) => within(uri, one));
    const listeners = [...this.#open.values()].filter(fits);
    if (isList) this.#o.heard(tagged(message, null));
    for (const { id } of listeners) this.#o.heard(tagged(message, id));
    return isList || listeners.length > 0;
  }

  over(): void {
    this.#open.clear();
  }
}

/** A server may speak of what is below a resource that was subscribed to. */
function within(uri: string, subscribed: string): boolean {
  return uri === subscribed || uri.startsWith(subscribed.endsWith('/') ? subscribed : `${subscribed}/`);
}
