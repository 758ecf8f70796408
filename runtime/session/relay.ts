/** Both directions of a session whose server is known to be the locked one. */
import { randomUUID } from 'node:crypto';
import type { AuditBody } from '../../schemas/audit.ts';
import { asLockkeeperError, type LockkeeperError, quote } from '../../schemas/errors.ts';
import { boundTo, judgeToClient, judgeToServer, type Pending } from '../gate/gate.ts';
import { STALE_BY } from '../gate/methods.ts';
import type { Message, Notification, Request, Response } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import { answerFor } from './answers.ts';
import * as limits from './limits.ts';
import type { Link } from './link.ts';
import type { OnRevoke } from './quarantine.ts';
import * as records from './records.ts';
import { Rereading } from './rereads.ts';

export interface RelayOptions {
  readonly scribe: records.Scribe;
  readonly toClient: (bytes: Buffer) => void;
  readonly relistMs: number;
  readonly say: (line: string) => void;
  /** Nothing is in flight or waiting any more. */
  readonly idle: () => void;
  /** The session cannot go on. */
  readonly fail: (error: LockkeeperError) => void;
}

export class Relay {
  readonly fromClient = new Map<string, Pending>();
  readonly fromServer = new Map<string, Pending>();
  readonly #o: RelayOptions;
  #link: Link | null = null;
  /** While above zero, messages wait: the surface is not known to be the locked one. */
  #held = 1;
  #waitingClient = new limits.Waiting();
  #waitingServer = new limits.Waiting();
  readonly #rereading: Rereading;
  readonly #notices = new limits.Rate(limits.MAX_NOTICES, limits.WINDOW_MS);
  readonly #noise = new limits.Rate(limits.MAX_NOISE, limits.WINDOW_MS);
  #sealed: { readonly error: LockkeeperError; readonly on: OnRevoke } | null = null;
  #calls = 0;
  /** Cancelled requests whose answers may still come. */
  readonly #over = new limits.Recent();
  /** Settles when every record asked for so far is on the disk and its effect done. */
  tail: Promise<unknown> = Promise.resolve();

  constructor(options: RelayOptions) {
    this.#o = options;
    this.#rereading = new Rereading({
      ...options,
      hold: () => this.#held++,
      release: () => this.#release(),
    });
  }

  get isIdle(): boolean {
    return this.fromClient.size === 0 && this.#waitingClient.length === 0 && this.#held === 0;
  }

  /** The handshake is done: what waited goes first, and before it `first`, if the server is to see it. */
  open(link: Link, first: Request | null): void {
    this.#link = link;
    if (first) this.#waitingClient.unshift(first);
    this.#release();
  }

  /** From now on nothing new passes, either way: only what was asked before may be answered, where it may `finish`. */
  seal(error: LockkeeperError, on: OnRevoke): void {
    this.#sealed = { error, on };
    for (const message of this.#waitingClient.take()) this.#refuse(message, error);
  }

  /** What a sealed session does not let through; null when it may pass. */
  #sealedTo(message: Message): LockkeeperError | null {
    const answers = message.kind === 'response' || message.kind === 'error';
    return this.#sealed && !(answers && this.#sealed.on === 'finish') ? this.#sealed.error : null;
  }

  #release(): void {
    if (--this.#held > 0) return;
    const [server, client] = [this.#waitingServer.take(), this.#waitingClient.take()];
    for (const message of server) this.serverMessage(message);
    for (const message of client) this.clientMessage(message);
    if (this.isIdle) this.#o.idle();
  }

  clientMessage(message: Message): void {
    // 4 not revoked
    const revoked = this.#sealedTo(message);
    if (revoked) return this.#refuse(message, revoked);
    if (this.#held > 0 || !this.#link) {
      if (!this.#waitingClient.push(message)) this.#refuse(message, limits.CLIENT_WAITS);
      return;
    }
    if (message.kind === 'response' || message.kind === 'error') return this.#answerToServer(message);
    if (message.method === 'notifications/initialized') return;
    const verdict = judgeToServer(message, this.#link.state);
    if (verdict.allow) return this.#forward(message, verdict);
    this.#refuse(message, verdict.error, verdict.target);
  }

  #refuse(message: Message, error: LockkeeperError, target?: string): void {
    const named = message.kind === 'request' || message.kind === 'notification' ? message : null;
    this.record(records.refused(this.#o.scribe, named, { direction: 'to-server', error, target }), () => {
      if (message.kind === 'request') this.#o.toClient(wire.refusalOf(message.id, error));
    });
  }

  /** A cancelled request is over for us: its slot is free, and what still comes for it answers nothing. */
  #cancelled({ params }: Notification): void {
    const { requestId } = params;
    const key = typeof requestId === 'string' || typeof requestId === 'number' ? wire.idKey(requestId) : '';
    const pending = this.fromClient.get(key);
    if (!pending) return;
    this.fromClient.delete(key);
    this.#over.add(key);
    this.note(
      records.finished(this.#o.scribe, pending, {
        outcome: 'lost',
        bytes: 0,
        message: 'cancelled by the client',
      }),
    );
    if (this.isIdle) this.#o.idle();
  }

  /** 11 the record, durable; 12 the very bytes that were judged. */
  #forward(message: Request | Notification, { rule, target }: Pick<Pending, 'rule' | 'target'>): void {
    const { scribe } = this.#o;
    const send = (): void => this.#link?.peer.send(message.bytes);
    if (message.kind === 'notification') {
      return this.record(records.forwarded(scribe, message, { direction: 'to-server' }), () => {
        if (this.#sealed) return;
        send();
        if (message.method === 'notifications/cancelled') this.#cancelled(message);
      });
    }
    const call = `${scribe.session}/${++this.#calls}`;
    const key = wire.idKey(message.id);
    const pending = { method: message.method, rule, target, call, since: performance.now() };
    this.fromClient.set(key, pending);
    const failed = (error: LockkeeperError): void => {
      this.fromClient.delete(key);
      this.#o.toClient(wire.refusalOf(message.id, error));
    };
    // Revoked while its record was on the way to the disk: it was not forwarded, and the journal says so.
    const effect = (): void => {
      if (!this.#sealed) return send();
      const lost = { outcome: 'lost', bytes: 0, message: 'revoked before it was sent' } as const;
      this.note(records.finished(scribe, pending, lost));
      failed(this.#sealed.error);
    };
    this.record(records.forwarded(scribe, message, { direction: 'to-server', call, target }), effect, failed);
  }

  /** The record first; only when it is on the disk, the effect. */
  record(
    body: AuditBody,
    effect: () => void,
    failed: (error: LockkeeperError) => void = (error) => this.#o.fail(error),
  ): void {
    this.tail = this.#o.scribe.journal.append(body).then(effect, (thrown: unknown) => {
      const error = asLockkeeperError(thrown);
      this.#o.say(error.message);
      failed(error);
    });
  }

  note(body: AuditBody): void {
    this.#o.scribe.journal.note(body);
  }

  #answerToServer(message: Response): void {
    const pending = boundTo(message, this.fromServer);
    if (!pending || message.id === null) {
      return this.note(records.unbound(this.#o.scribe, 'to-server', 'an answer to nothing the server asked'));
    }
    this.fromServer.delete(wire.idKey(message.id));
    const end = records.finished(this.#o.scribe, pending, records.endOf(message));
    this.record(end, () => this.#link?.peer.send(message.bytes));
  }

  serverMessage(message: Message): void {
    if (this.#sealedTo(message)) {
      const why = 'said by the server of a revoked release';
      if (this.#noise.take()) this.note(records.unbound(this.#o.scribe, 'to-client', why));
      return;
    }
    if (message.kind === 'response' || message.kind === 'error') return this.#answerToClient(message);
    if (!this.#link || (this.#held > 0 && message.kind === 'request')) {
      if (!this.#waitingServer.push(message)) this.#o.fail(limits.SERVER_WAITS);
      return;
    }
    if (message.kind === 'notification') this.#noticeToClient(message, this.#link);
    else this.#requestToClient(message, this.#link);
  }

  /** 13 bound to its request, 14 its outcome noted, 15 answered; lists without what is not in the lock. */
  #answerToClient(message: Response): void {
    const { scribe, toClient } = this.#o;
    const pending = boundTo(message, this.fromClient);
    if (!pending || message.id === null || !this.#link) {
      const late = message.id !== null && this.#over.delete(wire.idKey(message.id));
      if (!late && !this.#noise.take()) return this.#o.fail(limits.TOO_LOUD);
      const why = `an answer to nothing the client asked: id ${quote(String(message.id), 60)}`;
      return this.note(records.unbound(scribe, 'to-client', why));
    }
    this.fromClient.delete(wire.idKey(message.id));
    this.note(records.finished(scribe, pending, records.endOf(message)));
    const { bytes, drifts } = answerFor(message, pending.rule, {
      live: this.#link.state.live,
      hello: this.#link.hello,
    });
    for (const drift of drifts) this.note(records.drifted(scribe, drift));
    toClient(bytes);
    if (this.isIdle) this.#o.idle();
  }

  #requestToClient(message: Request, { state, peer }: Link): void {
    const { scribe, toClient } = this.#o;
    const verdict = judgeToClient(message, state, this.fromServer);
    if (!verdict.allow) {
      const { error } = verdict;
      return this.record(records.refused(scribe, message, { direction: 'to-client', error }), () =>
        peer.send(wire.notFoundOf(message.id, error)),
      );
    }
    const call = `${scribe.session}/s-${randomUUID()}`;
    const { method } = message;
    const pending = { method, rule: verdict.rule, target: undefined, call, since: performance.now() };
    this.fromServer.set(wire.idKey(message.id), pending);
    this.record(records.forwarded(scribe, message, { direction: 'to-client', call }), () =>
      toClient(message.bytes),
    );
  }

  #noticeToClient(message: Notification, link: Link): void {
    const { scribe, toClient } = this.#o;
    if (!this.#notices.take()) return this.#o.fail(limits.TOO_LOUD);
    const verdict = judgeToClient(message, link.state, this.fromServer);
    if (!verdict.allow) {
      return this.note(records.refused(scribe, message, { direction: 'to-client', error: verdict.error }));
    }
    const stale = STALE_BY[message.method];
    if (stale) return this.#rereading.begin(link, stale, message);
    this.note(records.forwarded(scribe, message, { direction: 'to-client' }));
    toClient(message.bytes);
  }
}
