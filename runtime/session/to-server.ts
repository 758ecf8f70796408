/** What a client says, on its way to the server: judged, recorded, forwarded as it was judged. */
import type { JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';
import { boundTo, judgeToServer, type Pending, type Verdict } from '../gate/gate.ts';
import { judgeRate } from '../gate/permitted.ts';
import { duplicateId } from '../gate/refusals.ts';
import { judgeAnswer } from '../gate/tasks.ts';
import type { Message, Notification, Response } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import { splice } from '../wire/splice.ts';
import { answerFor } from './answers.ts';
import { Asking } from './asking.ts';
import type { Exchange } from './exchange.ts';
import { knownResult } from './known.ts';
import * as limits from './limits.ts';
import * as records from './records.ts';
import { broughtBy } from './whose.ts';

export class ToServer {
  readonly #x: Exchange;
  readonly #surface: Surface;
  readonly #asking: Asking;
  #calls = 0;
  /** Cancelled requests whose answers may still come. */
  readonly over = new limits.Recent();

  constructor(exchange: Exchange, surface: Surface) {
    this.#x = exchange;
    this.#surface = surface;
    this.#asking = new Asking(exchange, ({ message, pending, verdict }) => {
      // Its server hears of it now: how long people took is no part of what it may take.
      const { giveUp: _, ...asked } = { ...pending, heard: performance.now() };
      this.#send(message, asked, verdict);
    });
  }

  /** True when a message needs no server: it is refused, or the lock alone answers it. */
  answered(message: Message): boolean {
    const { state, scribe, wishes } = this.#x;
    if (!state || message.kind === 'response' || message.kind === 'error') return false;
    const verdict = judgeToServer(message, state);
    if (!verdict.allow) {
      this.refuse(message, verdict.error, verdict);
      return true;
    }
    if (message.kind === 'notification') return false;
    const result = knownResult(message, verdict.rule, { surface: this.#surface, era: state.era });
    if (!result) return false;
    wishes.answered(message);
    const bytes = wire.encode({ jsonrpc: '2.0', id: message.id, result });
    const response = { kind: 'response', id: message.id, result, bytes } as const;
    const rule = verdict.rule.lists ? verdict.rule : {};
    this.#x.note(records.answeredFromLock(scribe, message));
    this.#x.toClient(
      answerFor(response, rule, { live: state.live, hello: {}, sees: state.policy?.sees }).bytes,
      wire.idKey(message.id),
    );
    return true;
  }

  /** Steps 4 to 12 for one message. The session is greeted and its server there. */
  take(message: Message): void {
    if (message.kind === 'response' || message.kind === 'error') return this.#answer(message);
    const { state } = this.#x;
    if (!state) return;
    if (message.kind === 'notification' && this.#asking.cancelled(message)) return;
    // 3 the answer to a cancelled request may still come, and would be taken for this one's
    if (message.kind === 'request' && this.over.has(wire.idKey(message.id)))
      return this.refuse(message, duplicateId(message));
    const verdict = judgeToServer(message, state);
    if (!verdict.allow) return this.refuse(message, verdict.error, verdict);
    if (message.kind === 'notification') return this.#notify(message);
    const asked = message.params.inputResponses === undefined ? message : this.#withAnswers(message, verdict);
    if (!asked) return;
    judgeRate(message, verdict.rule, { state, count: true });
    const pending = this.#pendingOf(asked, verdict);
    // 9 people, where the policy asks for them
    if (verdict.ask) this.#asking.begin({ message: asked, pending, verdict });
    else this.#send(asked, pending, verdict);
  }

  /** What a client answers in a request is judged as what it answers to one. Null: it is refused. */
  #withAnswers(message: wire.Request, at: Extract<Verdict, { allow: true }>): wire.Request | null {
    const { scribe, content } = this.#x;
    const { id, method, params } = message;
    const result = params.inputResponses ?? null;
    const bytes = wire.encode({ jsonrpc: '2.0', id, result });
    const judged = content.told({ kind: 'response', id, result, bytes });
    const { message: told, found, error } = judged;
    if (found.length > 0)
      this.#x.note(records.flagged(scribe, judged, { direction: 'to-server', method, target: at.target }));
    if (error) this.refuse(message, error, at);
    if (error || told.kind === 'error') return null;
    if (!judged.hidden) return message;
    const change = { path: ['params', 'inputResponses'], value: told.result };
    const inputResponses = told.result;
    return { ...message, params: { ...params, inputResponses }, bytes: splice(message.bytes, [change]) };
  }

  /** `at`: what the gate knew of it. */
  refuse(
    message: Message,
    error: LockkeeperError,
    at: Omit<records.Refusal, 'direction' | 'error'> = {},
  ): void {
    const { scribe } = this.#x;
    const named = message.kind === 'request' || message.kind === 'notification' ? message : null;
    const { target, decision, detail } = at;
    const refusal = { direction: 'to-server', error, target, decision, detail } as const;
    this.#x.record(records.refused(scribe, named, refusal), () => {
      if (message.kind === 'request') this.#x.toClient(this.#refusal(message, error), wire.idKey(message.id));
    });
  }

  #refusal({ id, method, params }: wire.Request, error: LockkeeperError): Buffer {
    const { state } = this.#x;
    const missing = method === 'resources/read' && error.code === 'TOOL_REFUSED';
    return state && missing && typeof params.uri === 'string'
      ? wire.noResourceOf(id, params.uri, { era: state.era, error })
      : wire.refusalOf(id, error);
  }

  /** Said to a server that does not run: there is nothing that it could be about. */
  unserved(message: Message): void {
    const what = message.kind === 'notification' ? message.method : 'an answer';
    this.#x.note(
      records.unbound(this.#x.scribe, 'to-server', `${what.slice(0, 80)}, to a server that rests`),
    );
  }

  /** A cancelled request is over for us: its slot is free, and what still comes for it answers nothing. */
  #cancelled({ params }: Notification): void {
    const { requestId } = params;
    const key = typeof requestId === 'string' || typeof requestId === 'number' ? wire.idKey(requestId) : '';
    const pending = this.#x.fromClient.get(key);
    if (!pending) return;
    this.#x.fromClient.delete(key);
    this.over.add(key);
    this.#x.lost(pending, 'cancelled by the client');
    this.#x.settled();
  }

  #notify(message: Notification): void {
    const x = this.#x;
    x.record(records.forwarded(x.scribe, message, { direction: 'to-server' }), () => {
      if (x.sealed) return;
      x.link?.peer.send(message.bytes);
      if (message.method === 'notifications/cancelled') this.#cancelled(message);
    });
  }

  #pendingOf(
    message: wire.Request,
    { rule, target, making, task }: Extract<Verdict, { allow: true }>,
  ): Pending {
    const { id, method, params } = message;
    const call = `${this.#x.scribe.session}/${++this.#calls}`;
    const asked = { id, method, rule, target, call, since: performance.now() };
    const tasked = { ...(making ? { making } : {}), ...(task ? { task } : {}) };
    return { ...asked, ...tokenOf(params), ...declaredIn(params), ...wishOf(message), ...tasked };
  }

  /** 11 the record, durable; 12 the very bytes that were judged. */
  #send(message: wire.Request, pending: Pending, { decision }: Extract<Verdict, { allow: true }>): void {
    const x = this.#x;
    const { id, call, target, task } = pending;
    const key = wire.idKey(id);
    x.fromClient.set(key, pending);
    const item = broughtBy(pending);
    if (item !== undefined) x.state?.policy?.asks(call, item);
    const failed = (error: LockkeeperError): void => {
      // Nothing was written of it yet, and the journal can be.
      if (error.code === 'FLOWS_BROKEN')
        x.note(records.refused(x.scribe, message, { direction: 'to-server', error, target, decision }));
      if (x.fromClient.delete(key)) x.toClient(wire.refusalOf(id, error), key);
      x.settled();
    };
    // Revoked while its record was on the way to the disk: it was not forwarded, and the journal says so.
    const effect = (): void => {
      if (!x.sealed) {
        x.called();
        return x.link?.peer.send(message.bytes);
      }
      if (x.fromClient.has(key)) x.lost(pending, 'revoked before it was sent');
      failed(x.sealed.error);
    };
    const at = { direction: 'to-server', call, target, decision, task } as const;
    x.record(records.forwarded(x.scribe, message, at), effect, failed);
  }

  #answer(message: Response): void {
    const x = this.#x;
    const pending = boundTo(message, x.fromServer);
    if (!pending || message.id === null) {
      return x.note(records.unbound(x.scribe, 'to-server', 'an answer to nothing the server asked'));
    }
    const { id } = message;
    x.fromServer.delete(wire.idKey(id));
    const judged = x.content.told(message);
    const { found } = judged;
    const error = judged.error ?? judgeAnswer(message, x.tasks);
    const { method, call } = pending;
    if (found.length > 0) x.note(records.flagged(x.scribe, judged, { direction: 'to-server', method, call }));
    const end = records.finished(x.scribe, pending, records.endOf(message, error));
    x.record(end, () => x.link?.peer.send(error ? wire.refusalOf(id, error) : judged.message.bytes));
  }
}

function tokenOf(params: wire.Request['params']): { token?: wire.Id } {
  const token = wire.isObject(params._meta) ? params._meta.progressToken : undefined;
  return typeof token === 'string' || typeof token === 'number' ? { token } : {};
}

function declaredIn({ _meta }: wire.Request['params']): { declared?: JsonObject } {
  const declared = wire.isObject(_meta) ? _meta['io.modelcontextprotocol/clientCapabilities'] : undefined;
  return wire.isObject(declared) ? { declared } : {};
}

const WISHES = new Set([
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
]);

function wishOf({ method, params }: wire.Request): { wish?: wire.Request['params'] } {
  return WISHES.has(method) ? { wish: params } : {};
}
