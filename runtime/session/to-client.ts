/** What a server says, on its way to the client: bound to what was asked, compared with the lock, recorded. */
import { randomUUID } from 'node:crypto';
import type { Json } from '../../schemas/common.ts';
import { asLockkeeperError, quote } from '../../schemas/errors.ts';
import { boundTo, judgeToClient, type Pending } from '../gate/gate.ts';
import { STALE_BY } from '../gate/methods.ts';
import { seeing } from '../gate/permitted.ts';
import type { Judged } from '../gate/results.ts';
import type { Message, Notification, Request, Response } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import { answerFor, type Known } from './answers.ts';
import type { Exchange } from './exchange.ts';
import * as limits from './limits.ts';
import * as records from './records.ts';
import type { Rereading } from './rereads.ts';
import type { ToServer } from './to-server.ts';

/** Names the request of the client, in the stateless era, that asked for a notice. */
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

interface Answered {
  readonly pending: Pending;
  readonly known: Known & { readonly key: string };
  readonly judged: Judged<Response>;
}

export interface ToClientOptions {
  readonly rereading: Rereading;
  readonly judged: () => void;
}

export class ToClient {
  readonly #x: Exchange;
  readonly #rereading: Rereading;
  readonly #over: ToServer['over'];
  readonly #notices = new limits.Rate(limits.MAX_NOTICES, limits.WINDOW_MS);
  readonly #requests = new limits.Rate(limits.MAX_REQUESTS, limits.WINDOW_MS);
  readonly #said = new limits.Rate(limits.MAX_SAID_BYTES, limits.WINDOW_MS);
  readonly #noise = new limits.Rate(limits.MAX_NOISE, limits.WINDOW_MS);
  #judging = false;
  readonly #judged: () => void;

  /** `judged`: what waited for a judgement on another thread may follow. */
  constructor(exchange: Exchange, { over }: ToServer, { rereading, judged }: ToClientOptions) {
    this.#x = exchange;
    this.#over = over;
    this.#rereading = rereading;
    this.#judged = judged;
  }

  /** It goes nowhere. */
  unheard(why = 'said by the server of a revoked release'): void {
    if (this.#noise.take()) this.#x.note(records.unbound(this.#x.scribe, 'to-client', why));
  }

  take(message: Message): void {
    if (message.kind === 'response' || message.kind === 'error') return this.answer(message);
    if (message.kind === 'notification') return this.#notice(message);
    this.#request(message);
  }

  /** An answer is being judged on another thread: what its server says after it has to wait. */
  get judging(): boolean {
    return this.#judging;
  }

  /** 13 bound to its request, its content judged; 14 its outcome noted, 15 answered; lists without what is not locked. */
  answer(message: Response): void {
    const x = this.#x;
    const { link, state } = x;
    const pending = boundTo(message, x.fromClient);
    if (!pending || message.id === null || !link || !state) return this.#unasked(message);
    const known = { key: wire.idKey(message.id), live: state.live, hello: link.hello };
    const judging = x.content.aside(message, pending);
    if (!judging)
      return this.#answered(message, { pending, known, judged: x.content.answer(message, pending) });
    this.#judging = true;
    const letGo = link.peer.hold();
    const told = judging.then((judged) => {
      this.#judging = false;
      // Meanwhile it may have been cancelled, given up or revoked, and is recorded so.
      const stands = x.fromClient.get(known.key) === pending && !x.sealedTo(message);
      if (stands) this.#answered(message, { pending, known, judged });
      else this.#unasked(message);
      this.#judged();
    });
    // What cannot be handled ends this session, and none beside it.
    void told.catch((thrown: unknown) => x.fail(asLockkeeperError(thrown))).finally(letGo);
  }

  #answered(message: Response, { pending, known, judged }: Answered): void {
    const x = this.#x;
    const end = records.finished(x.scribe, pending, records.endOf(message, judged.error));
    x.fromClient.delete(known.key);
    x.note(end);
    this.#flag(judged, pending);
    if (judged.error) {
      x.missed(pending);
      x.toClient(wire.refusalOf(pending.id, judged.error), known.key);
    } else this.#pass(judged.message, pending, known);
    x.settled();
  }

  #pass(message: Response, pending: Pending, known: Known & { key: string }): void {
    const x = this.#x;
    const { rule, method, wish, target, call } = pending;
    if (wish && message.kind === 'response') x.wishes.answered({ method, params: wish });
    const { policy } = x.state ?? {};
    const { bytes, drifts } = answerFor(message, rule, { ...known, ...seeing(pending, x.state) });
    // Heard once it is judged by what was before. What completes an argument is in no lock: the server made it up.
    const item = rule.item && target !== undefined ? { section: rule.item.section, name: target } : null;
    if (item || method === 'completion/complete') policy?.heard(call, item);
    for (const drift of drifts) x.note(records.drifted(x.scribe, drift));
    x.toClient(bytes, known.key);
  }

  #flag(judged: Judged<Message>, of: Pick<Pending, 'method'> & Partial<Pending>): void {
    const { method, call, target } = of;
    const at = { direction: 'to-client', method, target, ...(call === undefined ? {} : { call }) } as const;
    if (judged.found.length > 0) this.#x.note(records.flagged(this.#x.scribe, judged, at));
  }

  #unasked(message: Response): void {
    const late = message.id !== null && this.#over.delete(wire.idKey(message.id));
    if (!late && !(this.#noise.take() && this.#said.take(message.bytes.length)))
      return this.#x.fail(limits.TOO_LOUD);
    const why = `an answer to nothing the client asked: id ${quote(String(message.id), 60)}`;
    this.#x.note(records.unbound(this.#x.scribe, 'to-client', why));
  }

  #request(message: Request): void {
    const x = this.#x;
    const key = wire.idKey(message.id);
    const during = x.during.get(key) ?? x.scribe.session;
    x.during.delete(key);
    if (!x.state || !x.link) return;
    if (!this.#requests.take() || !this.#said.take(message.bytes.length)) return x.fail(limits.TOO_LOUD);
    const { peer } = x.link;
    const verdict = judgeToClient(message, x.state, x.fromServer);
    if (!verdict.allow) {
      const { error } = verdict;
      return x.record(records.refused(x.scribe, message, { direction: 'to-client', error }), () =>
        peer.send(wire.notFoundOf(message.id, error)),
      );
    }
    const judged = x.content.said(message);
    const { error } = judged;
    this.#flag(judged, message);
    if (error) {
      return x.record(records.refused(x.scribe, message, { direction: 'to-client', error }), () =>
        peer.send(wire.refusalOf(message.id, error)),
      );
    }
    const call = `${during}/s-${randomUUID()}`;
    const { id, method } = message;
    const pending = { id, method, rule: verdict.rule, target: undefined, call, since: performance.now() };
    x.fromServer.set(key, pending);
    if (verdict.rule.capability !== 'roots' && method !== 'ping') x.state.policy?.heard(call, null);
    x.record(records.forwarded(x.scribe, message, { direction: 'to-client', call }), () =>
      x.aside(judged.message.bytes, this.#about(message)),
    );
  }

  #notice(message: Notification): void {
    const x = this.#x;
    if (!x.state || !x.link) return;
    if (!this.#notices.take() || !this.#said.take(message.bytes.length)) return x.fail(limits.TOO_LOUD);
    const verdict = judgeToClient(message, x.state, x.fromServer);
    if (!verdict.allow) {
      return x.note(records.refused(x.scribe, message, { direction: 'to-client', error: verdict.error }));
    }
    const stray = this.#stray(message);
    this.#atIt(message);
    if (stray) return this.unheard(stray);
    const judged = x.content.said(message);
    const { error } = judged;
    this.#flag(judged, message);
    if (error) return x.note(records.refused(x.scribe, message, { direction: 'to-client', error }));
    this.#read(message);
    const stale = STALE_BY[message.method];
    if (stale) return this.#rereading.begin(stale, judged.message, subscriptionOf(message.params));
    x.note(records.forwarded(x.scribe, message, { direction: 'to-client' }));
    x.aside(judged.message.bytes, this.#about(message));
  }

  #atIt({ method, params }: Notification): void {
    const key = method === 'notifications/progress' ? this.#ofToken(params.progressToken) : null;
    const pending = key === null ? undefined : this.#x.fromClient.get(key);
    if (pending) pending.heard = performance.now();
  }

  /** A notice in words brings what its call does (that of its token, or all in flight), and what is unheard. */
  #read({ method, params }: Notification): void {
    const x = this.#x;
    const progress = method === 'notifications/progress' && params.message !== undefined;
    if (!progress && method !== 'notifications/message') return;
    const own = progress ? x.fromClient.get(this.#ofToken(params.progressToken) ?? '') : undefined;
    for (const { call, rule, target } of [...(own ? [own] : x.fromClient.during()), ...x.unheard.values()])
      if (rule.item && target !== undefined)
        x.state?.policy?.heard(call, { section: rule.item.section, name: target });
  }

  /** Why a notice is about nothing that is open between the two: what names another’s would be taken for it. */
  #stray({ method, params }: Notification): string | null {
    const { fromClient } = this.#x;
    const subscription = subscriptionOf(params);
    if (subscription !== null && !fromClient.has(subscription))
      return 'a notice for a subscription that nobody holds';
    if (method === 'notifications/progress' && this.#ofToken(params.progressToken) === null)
      return 'progress of nothing that the client asked';
    if (method === 'notifications/cancelled' && !this.#takenBack(params.requestId))
      return 'a question taken back that the server has not asked';
    return null;
  }

  /** The client’s request in flight that gave this token. */
  #ofToken(progressToken: Json | undefined): string | null {
    for (const [key, { token, giveUp }] of this.#x.fromClient)
      if (token !== undefined && token === progressToken && !giveUp) return key;
    return null;
  }

  /** An answer to it is not awaited any more: its place is free. */
  #takenBack(id: Json | undefined): boolean {
    const { fromServer } = this.#x;
    const key = typeof id === 'string' || typeof id === 'number' ? wire.idKey(id) : '';
    const pending = fromServer.get(key);
    if (!pending) return false;
    fromServer.delete(key);
    this.#x.lost(pending, 'taken back by the server');
    return true;
  }

  /** The request in flight that a server speaks of: by its subscription or token, or because there is one alone. */
  #about({ method, params }: Request | Notification): string | null {
    const { fromClient } = this.#x;
    const subscription = subscriptionOf(params);
    if (subscription !== null && fromClient.has(subscription)) return subscription;
    if (method === 'notifications/progress') return this.#ofToken(params.progressToken);
    const [only] = fromClient.keys();
    return fromClient.size === 1 && only !== undefined ? only : null;
  }
}

function subscriptionOf({ _meta }: Notification['params']): string | null {
  const id = wire.isObject(_meta) ? _meta[SUBSCRIPTION] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? wire.idKey(id) : null;
}
