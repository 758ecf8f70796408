/** One client's conversation with one locked server, whatever carries it: greeted, relayed, revoked, closed. */
import { randomUUID } from 'node:crypto';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import { type Bridged, bridgeFor } from '../bridge/bridge.ts';
import { contentJudge } from '../gate/results.ts';
import { liveSurface } from '../gate/surface.ts';
import type { Supervisor } from '../lifecycle/supervisor.ts';
import type { Revoked } from '../trust/revocations.ts';
import type { Message } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import { clientOf, eraOf, helloFor, notFirst } from './era.ts';
import { gateStateOf } from './greeting.ts';
import { helloOf } from './known.ts';
import type { Link } from './link.ts';
import type { ClientPort, Keeping, SessionEnd, SessionOptions } from './options.ts';
import { Deafness } from './pressure.ts';
import { quarantine, RECORD_MS, within } from './quarantine.ts';
import * as records from './records.ts';
import { Relay } from './relay.ts';
import { HANDSHAKE_MS, held, serverSide } from './server-side.ts';

const STOP_GRACE_MS = 2000;

export class Conversation {
  readonly id = randomUUID();
  readonly #o: SessionOptions;
  readonly #client: ClientPort;
  readonly #keeping: Keeping;
  readonly #scribe: records.Scribe;
  readonly #relay: Relay;
  readonly #deafness: Deafness;
  readonly #server: Supervisor<Link>;
  readonly #live: ReturnType<typeof liveSurface>;
  readonly #done: Promise<SessionEnd>;
  #finish: (end: SessionEnd) => void = () => undefined;
  #era: Era | null = null;
  /** Where the server speaks another era than its client: that one, and what stands between. */
  #bridged: Bridged | null = null;
  #started = false;
  #ended = false;
  #revoked: LockkeeperError | null = null;
  #quarantine: Promise<SessionEnd> | null = null;
  /** The greeting, until it is answered or refused. */
  #greeting: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions, client: ClientPort) {
    this.#o = options;
    this.#client = client;
    this.#keeping = options.keeping ?? held();
    const { journal, caller, subject, say, entry } = options;
    this.#live = liveSurface(entry);
    this.#scribe = { journal, session: this.id, caller, subject };
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const fail = (error: LockkeeperError): void => this.end('refused', error);
    this.#deafness = new Deafness(client, fail);
    this.#relay = new Relay({
      scribe: this.#scribe,
      toClient: (bytes, about) => this.#toClient(bytes, about),
      aside: (bytes, about) => client.aside(bytes, about, this.#server.process?.stdout),
      relistMs: options.handshakeMs ?? HANDSHAKE_MS,
      say,
      fail,
      called: () => options.onCall?.(),
      busy: (busy) => this.#busy(busy),
      wake: () => void this.#wake(),
      surface: options.surface,
      content: contentJudge(options),
      telemetry: options.telemetry ?? [],
    });
    this.#server = serverSide(options, this.#keeping, {
      scribe: this.#scribe,
      relay: this.#relay,
      deafness: this.#deafness,
      live: this.#live,
      era: () => this.#bridged?.era ?? this.#era ?? 'session',
      bridge: () => this.#bridged?.bridge ?? null,
      lost: (error) => this.#lost(error),
    });
  }

  /** Runs until the client closes, the server ends for good or something is refused. Leaves no process behind. */
  async run(): Promise<SessionEnd> {
    const unwatch = this.#o.watch?.((what) => {
      this.#quarantine = this.#isolate(what);
    });
    this.#o.stop?.addEventListener('abort', () => this.end('stopped'));
    if (!this.#keeping.onDemand)
      this.#server.launch().catch((error: unknown) => this.end('refused', asLockkeeperError(error)));
    const ended = await this.#done;
    unwatch?.();
    // However it ended in the meantime: a revoked session ends as one, its record first.
    const end = (await this.#quarantine) ?? ended;
    this.#client.pause();
    await this.#close(end);
    return end;
  }

  /** Settles when the record of everything taken so far is on the disk. */
  get recorded(): Promise<unknown> {
    return this.#relay.exchange.tail;
  }

  /** One message of the client. The first request decides the era. */
  take(message: Message): void {
    if (this.#era === null && !this.#revoked && message.kind === 'request') this.#first(message);
    else this.#relay.clientMessage(message);
  }

  /** What came from the client is no message. */
  refuseLine(error: LockkeeperError): void {
    const record = records.refused(this.#scribe, null, { direction: 'to-server', error });
    this.#relay.exchange.record(record, () => this.#toClient(wire.refusalOf(null, error), null));
  }

  end(reason: SessionEnd['reason'], error: LockkeeperError | null = null): void {
    this.#finish({ reason, error });
  }

  /** The client says nothing more; what it asked is still answered. */
  endWhenIdle(): void {
    this.#ended = true;
    this.#finishWhenIdle();
  }

  #lost(error: LockkeeperError): void {
    this.#bridged?.bridge.over();
    if (this.#keeping.onDemand) this.#relay.unlinked(error);
    else this.#finish({ reason: 'server ended', error });
  }

  #busy(busy: boolean): void {
    const { wishes } = this.#relay.exchange;
    this.#server.busy = busy || wishes.subscribed || this.#bridged?.bridge.isWaiting === true;
    if (!busy) this.#finishWhenIdle();
  }

  async #isolate(what: Revoked): Promise<SessionEnd> {
    this.#revoked = what.error;
    const { onRevoke: on = 'end', say } = this.#o;
    await quarantine(what, { relay: this.#relay, scribe: this.#scribe, on, say });
    this.#server.quarantine(what.error.message);
    const end = { reason: 'revoked', error: what.error } as const;
    this.#finish(end);
    return end;
  }

  #finishWhenIdle(): void {
    if (!this.#ended || (this.#era !== null && !this.#relay.isIdle)) return;
    void this.#relay.exchange.tail.then(() => this.#finish({ reason: 'client closed', error: null }));
  }

  #first(message: wire.Request): void {
    const era = eraOf(message);
    if (era !== null) {
      this.#era = era;
      this.#bridged = bridgeFor(era, this.#o, {
        exchange: this.#relay.exchange,
        heard: (said) => this.#relay.serverMessage(said),
        idle: () => this.#busy(!this.#relay.isIdle),
      });
      this.#greeting = this.#begin(era, message).catch((error: unknown) =>
        this.#refuseSession(message, asLockkeeperError(error)),
      );
      return;
    }
    const about = wire.idKey(message.id);
    if (message.method === 'ping')
      return this.#toClient(wire.encode({ jsonrpc: '2.0', id: message.id, result: {} }), about);
    const error = notFirst(message.method);
    const record = records.refused(this.#scribe, message, { direction: 'to-server', error });
    this.#relay.exchange.record(record, () => this.#toClient(wire.refusalOf(message.id, error), about));
  }

  async #wake(): Promise<void> {
    try {
      this.#relay.link(await this.#server.want());
    } catch (error) {
      this.#relay.unlinked(this.#revoked ?? asLockkeeperError(error));
    }
  }

  async #begin(era: Era, first: wire.Request): Promise<void> {
    const { journal, surface } = this.#o;
    const link = this.#keeping.onDemand ? null : await this.#server.want();
    const detail = {
      era,
      serverEra: this.#bridged?.era ?? era,
      node: process.version,
      client: clientOf(first),
      content: this.#relay.exchange.content.rules,
      isolation: { ...this.#server.process?.isolation },
    };
    const started = { method: first.method, outcome: 'ok', detail } as const;
    await journal.append(records.sessionRecord(this.#scribe, 'session.started', started));
    this.#started = true;
    if (link) this.#relay.link(link);
    if (era === 'session')
      this.#toClient(helloFor(first, link?.hello ?? helloOf(surface)), wire.idKey(first.id));
    const { exchange } = this.#relay;
    const state = gateStateOf(first, this.#o, { era, live: this.#live, exchange });
    this.#relay.open(state, era === 'stateless' ? first : null);
  }

  #refuseSession(first: wire.Request, thrown: LockkeeperError): void {
    const error = this.#revoked ?? thrown;
    const { code, message } = error;
    const refusal = { method: first.method, outcome: 'refused', code, message } as const;
    const record = records.sessionRecord(this.#scribe, 'session.refused', refusal);
    this.#relay.exchange.record(record, () => {
      this.#toClient(wire.refusalOf(first.id, error), wire.idKey(first.id));
      this.#finish({ reason: 'refused', error });
    });
  }

  #toClient(bytes: Buffer, about: string | null): void {
    this.#client.send(bytes, about, this.#server.process?.stdout);
  }

  /** Whatever waits on the disk goes out first; a revoked server is not waited for. */
  async #stop(end: SessionEnd): Promise<void> {
    if (end.reason !== 'revoked') {
      await this.#relay.exchange.tail;
      return this.#server.end(end.reason, STOP_GRACE_MS);
    }
    await this.#server.end(end.reason, 0);
    await within(
      this.#greeting.then(() => this.#relay.exchange.tail),
      RECORD_MS,
    );
  }

  /** The server stops; then what stayed unanswered is told. */
  async #close(end: SessionEnd): Promise<void> {
    const { journal, say } = this.#o;
    this.#deafness.over();
    this.#bridged?.bridge.over();
    await this.#stop(end);
    this.#relay.exchange.abandon(end.reason, end.error);
    if (!this.#started && !end.error) return;
    const error = end.error ? { code: end.error.code, message: end.error.message } : {};
    const rest = { outcome: end.error ? 'error' : 'ok', detail: end.reason, ...error } as const;
    const kind = this.#started ? 'session.ended' : 'session.refused';
    await journal
      .append(records.sessionRecord(this.#scribe, kind, rest))
      .catch((thrown: unknown) => say(asLockkeeperError(thrown).message));
  }
}
