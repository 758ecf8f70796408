/** What a server says, on its way to the client: bound to what was asked, compared with the lock, recorded. */
import { randomUUID } from 'node:crypto';
import type { Json } from '../../schemas/common.ts';
import { asLockkeeperError, quote } from '../../schemas/errors.ts';
import { askedInVain } from '../gate/declared.ts';
import { boundTo, judgeToClient, type Pending } from '../gate/gate.ts';
import { STALE_BY } from '../gate/methods.ts';
import { judgeTaskPolicy, seeing } from '../gate/permitted.ts';
import type { Judged } from '../gate/results.ts';
import { judgeTaskAnswer } from '../gate/tasks.ts';
import type { Message, Notification, Request, Response } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import { answerFor, type Known } from './answers.ts';
import type { Exchange } from './exchange.ts';
import * as limits from './limits.ts';
import * as records from './records.ts';
import type { Rereading } from './rereads.ts';
import type { ToServer } from './to-server.ts';
import { aboutOf, askedIn, broughtBy, progressOf, strayFrom, subscriptionOf, toldTask } from './whose.ts';

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
  readonly #said = new limits.Unasked();
  readonly #noise = new limits.Noise();
  /** An answer that is being judged on another thread: what its server says after it has to wait. Null once that server is gone. */
  judging: Promise<Judged<Response>> | null = null;
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
    const told = this.#noise.told(why);
    if (told !== null) this.#x.note(records.unbound(this.#x.scribe, 'to-client', told));
  }

  take(message: Message): void {
    if (message.kind === 'response' || message.kind === 'error') return this.answer(message);
    if (message.kind === 'notification') return this.#notice(message);
    this.#request(message);
  }

  /** 13 bound to its request, its content judged; 14 noted, 15 answered; lists without what is not locked. */
  answer(message: Response | wire.Unread): void {
    const x = this.#x;
    const { link, state } = x;
    const pending = boundTo(message, x.fromClient);
    if (!pending || message.id === null || !link || !state) return this.#unasked(message);
    const known = { key: wire.idKey(message.id), live: state.live, hello: link.hello };
    const { user } = x.scribe.caller;
    const small = message.kind !== 'unread' && message.bytes.length < wire.LARGE_BYTES;
    const judging = small ? x.content.answer(message, pending) : x.content.large(message, pending, user);
    const answered = (judged: Judged<Response>): void =>
      this.#answered(
        { pending, known, judged },
        small ? message : { ...judged.message, bytes: message.bytes },
      );
    if (!(judging instanceof Promise)) return answered(judging);
    this.judging = judging;
    const letGo = link.peer.hold();
    const told = judging.then((judged) => {
      if (this.judging !== judging) return this.unheard('an answer of a server that is gone');
      this.judging = null;
      // Meanwhile it may have been cancelled, given up or revoked, and is recorded so.
      if (x.fromClient.get(known.key) === pending && !x.sealedTo(message)) answered(judged);
      else this.#unasked(message);
      this.#judged();
    });
    // What cannot be handled ends this session, and none beside it.
    void told.catch((thrown: unknown) => x.fail(asLockkeeperError(thrown))).finally(letGo);
  }

  /** `message`: as it came. */
  #answered({ pending, known, judged }: Answered, message: Response): void {
    const x = this.#x;
    const said = judged.message;
    const result = said.kind === 'response' ? said.result : undefined;
    const misbound = result === undefined ? null : judgeTaskAnswer(result, pending, x.tasks);
    const error = judged.error ?? misbound ?? askedInVain(result, pending, x.state);
    x.fromClient.delete(known.key);
    x.finished(pending, records.endOf(message, error));
    this.#flag(judged, pending);
    if (error) {
      x.missed(pending);
      x.tasks.keptBack(pending, message, error);
      x.toClient(wire.refusalOf(pending.id, error), known.key);
    } else this.#pass(said, pending, known);
    x.settled();
  }

  #pass(message: Response, pending: Pending, known: Known & { key: string }): void {
    const x = this.#x;
    const { rule, method, wish, call } = pending;
    if (wish && message.kind === 'response') x.wishes.answered({ method, params: wish });
    const { policy } = x.state ?? {};
    const shows = { ...seeing(pending, x.state), owns: (id: Json) => this.#owns(id), tasks: x.state?.tasks };
    const { bytes, drifts, strangers = 0 } = answerFor(message, rule, { ...known, ...shows });
    // Heard once it is judged by what was before.
    const item = broughtBy(pending);
    if (item !== undefined) policy?.heard(call, item);
    for (const drift of drifts) x.note(records.drifted(x.scribe, drift));
    if (strangers > 0) this.unheard(`${strangers} tasks in a list that are not this client’s`);
    x.tasks.answered(pending, message);
    x.toClient(bytes, known.key);
  }

  /** Of this client, and its call would be permitted now. */
  #owns(id: Json): boolean {
    const { state, tasks } = this.#x;
    const task = typeof id === 'string' ? tasks.of(id) : null;
    if (!task || state?.live.standing('tools', task.maker.target) !== 'locked') return false;
    return !judgeTaskPolicy('tasks/get', task, state)?.error;
  }

  #flag(judged: Judged<Message>, of: Pick<Pending, 'method'> & Partial<Pending>): void {
    const { method, call, target } = of;
    const at = { direction: 'to-client', method, target, ...(call === undefined ? {} : { call }) } as const;
    if (judged.found.length > 0) this.#x.note(records.flagged(this.#x.scribe, judged, at));
  }

  #unasked(message: Pick<Response, 'id' | 'bytes'>): void {
    const late = message.id !== null && this.#over.delete(wire.idKey(message.id));
    if (!late && !(this.#noise.take() && this.#said.read(message.bytes)))
      return this.#x.fail(limits.TOO_LOUD);
    const why = `an answer to nothing the client asked: id ${quote(String(message.id), 60)}`;
    this.#x.note(records.unbound(this.#x.scribe, 'to-client', why));
  }

  #request(message: Request): void {
    const x = this.#x;
    const key = wire.idKey(message.id);
    const during = x.during.get(key) ?? askedIn(message, x) ?? x.scribe.session;
    x.during.delete(key);
    if (!x.state || !x.link) return;
    if (!this.#said.take(message)) return x.fail(limits.TOO_LOUD);
    const { peer } = x.link;
    const verdict = judgeToClient(message, x.state, x.fromServer);
    if (!verdict.allow) {
      const { error } = verdict;
      return x.record(records.refused(x.scribe, message, { direction: 'to-client', error }), () =>
        peer.send(wire.notFoundOf(message.id, error)),
      );
    }
    const judged = x.content.said(message);
    const unsaid = verdict.rule.capability === 'sampling' ? x.state.policy?.unsaid(message.method) : null;
    const error = judged.error ?? unsaid;
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
      x.aside(judged.message.bytes, aboutOf(message, x)),
    );
  }

  #notice(message: Notification): void {
    const x = this.#x;
    if (!x.state || !x.link) return;
    if (!this.#said.take(message)) return x.fail(limits.TOO_LOUD);
    const verdict = judgeToClient(message, x.state, x.fromServer);
    if (!verdict.allow) {
      return x.note(records.refused(x.scribe, message, { direction: 'to-client', error: verdict.error }));
    }
    const stray = this.#stray(message);
    const about =
      message.method === 'notifications/progress' ? progressOf(message.params.progressToken, x) : null;
    if (about) about.heard = performance.now();
    if (stray) return this.unheard(stray);
    const task = toldTask(message, x);
    // To judge it here would hold up whoever else is served; as an answer it is judged on another thread.
    const untold = task && (message.bytes.length >= wire.LARGE_BYTES || !this.#owns(task.id));
    if (untold) return this.unheard(limits.UNTOLD);
    const judged = x.content.said(message, task?.maker.target);
    const error = judged.error ?? (task ? askedInVain(message.params, task.maker, x.state) : null);
    this.#flag(judged, message);
    if (error) {
      if (task && judged.error) x.tasks.refused(task, message, error);
      return x.note(records.refused(x.scribe, message, { direction: 'to-client', error }));
    }
    this.#read(message);
    if (task) x.tasks.told(task, judged.message);
    const stale = STALE_BY[message.method];
    if (stale) return this.#rereading.begin(stale, judged.message, subscriptionOf(message.params));
    x.note(records.forwarded(x.scribe, message, { direction: 'to-client' }));
    x.aside(judged.message.bytes, aboutOf(message, x));
  }

  #stray(message: Notification): string | null {
    const { method, params } = message;
    if (method === 'notifications/cancelled' && !this.#takenBack(params.requestId))
      return 'a question taken back that the server has not asked';
    return strayFrom(message, this.#x);
  }

  /** A notice in words brings what its call does (that of its token, or all in flight), and what is unheard. */
  #read(message: Notification): void {
    const { method, params } = message;
    const x = this.#x;
    const progress = method === 'notifications/progress' && params.message !== undefined;
    const task = toldTask(message, x);
    if (!progress && !task && method !== 'notifications/message') return;
    const own = task?.maker ?? (progress ? progressOf(params.progressToken, x) : null);
    for (const { call, rule, target } of [...(own ? [own] : x.fromClient.during()), ...x.unheard.values()])
      if (rule.item && target !== undefined)
        x.state?.policy?.heard(call, { section: rule.item.section, name: target });
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
}
