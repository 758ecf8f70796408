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
import { Backpressure } from './backpressure.ts';
import { close } from './closing.ts';
import { eraOf, helloFor, notFirst, overtaken } from './era.ts';
import { gateStateOf } from './greeting.ts';
import { helloOf } from './known.ts';
import type { Link } from './link.ts';
import * as milestones from './milestones.ts';
import type { ClientPort, Keeping, SessionEnd, SessionOptions } from './options.ts';
import { CALL_MS } from './overdue.ts';
import { quarantine } from './quarantine.ts';
import * as records from './records.ts';
import { Relay } from './relay.ts';
import { HANDSHAKE_MS, held, serverSide } from './server-side.ts';

export class Conversation {
  readonly id = randomUUID();
  readonly #o: SessionOptions;
  readonly #client: ClientPort;
  readonly #keeping: Keeping;
  readonly #scribe: records.Scribe;
  readonly #relay: Relay;
  readonly #backpressure: Backpressure;
  readonly #server: Supervisor<Link>;
  readonly #live: ReturnType<typeof liveSurface>;
  readonly #done: Promise<SessionEnd>;
  #finish: (end: SessionEnd) => void = () => undefined;
  #era: Era | null = null;
  /** What the client began with. */
  #first: wire.Request | null = null;
  /** It has asked for nothing but which eras there are. */
  #asksEra = false;
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
    this.#backpressure = new Backpressure(client, fail);
    this.#relay = new Relay({
      scribe: this.#scribe,
      toClient: (bytes, about) => this.#toClient(bytes, about),
      aside: (bytes, about) => client.aside(bytes, about, this.#server.process?.stdout),
      relistMs: options.handshakeMs ?? HANDSHAKE_MS,
      callMs: options.callMs ?? CALL_MS,
      say,
      fail,
      assertGood: async () => client.assertGood?.(),
      called: () => options.onCall?.(),
      busy: (busy) => this.#busy(busy),
      wake: () => void this.#wake(),
      ...{ surface: options.surface, content: contentJudge(options) },
      telemetry: options.telemetry ?? [],
    });
    this.#server = serverSide(options, this.#keeping, {
      ...{ scribe: this.#scribe, relay: this.#relay, backpressure: this.#backpressure, live: this.#live },
      era: () => this.#spoken,
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
    const ended = await this.#done.finally(() => unwatch?.());
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

  /** One message of the client. The first request decides the era; one that only asked which there are may be overtaken. */
  take(message: Message): void {
    if (this.#revoked || message.kind !== 'request') return this.#relay.clientMessage(message);
    if (this.#era === null) return this.#begins(message);
    if (this.#asksEra && message.method === 'initialize') return this.#anew(message);
    this.#asksEra &&= message.method === 'server/discover' || message.method === 'ping';
    this.#relay.clientMessage(message);
  }

  /** What came from the client is no message. */
  refuseLine(error: LockkeeperError): void {
    this.#refuse(null, error);
  }

  end(reason: SessionEnd['reason'], error: LockkeeperError | null = null): void {
    this.#finish({ reason, error });
  }

  /** Nothing more is said by the client; what it asked is still answered. */
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
    const { needed } = this.#relay.exchange;
    this.#server.busy = busy || needed || this.#bridged?.bridge.isWaiting === true;
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

  #begins(message: wire.Request): void {
    const era = eraOf(message);
    if (era !== null) return this.#greet(era, message, Promise.resolve());
    const { id, method } = message;
    if (method === 'ping')
      return this.#toClient(wire.encode({ jsonrpc: '2.0', id, result: {} }), wire.idKey(id));
    this.#refuse(message, notFirst(method));
  }

  /** `after`: what has to be over before. */
  #greet(era: Era, first: wire.Request, after: Promise<unknown>): void {
    [this.#era, this.#first, this.#asksEra] = [era, first, first.method === 'server/discover'];
    this.#bridged = bridgeFor(era, this.#o, {
      exchange: this.#relay.exchange,
      heard: (said) => this.#relay.serverMessage(said),
      idle: () => this.#busy(!this.#relay.isIdle),
    });
    this.#greeting = after
      .then(() => this.#begin(era, first))
      .catch((error: unknown) => this.#refuseSession(first, asLockkeeperError(error)));
  }

  /** A client that did not wait to be told which eras there are begins a session: its server is spoken to in its own. */
  #anew(first: wire.Request): void {
    const [before, asked] = [this.#spoken, this.#first];
    const starting = ['COLD', 'STARTING'].includes(this.#server.state);
    this.#bridged?.bridge.over();
    if (this.#relay.exchange.state) this.#relay.anew(overtaken());
    else if (asked) this.#refuse(asked, overtaken());
    const rested = this.#greeting.then(async () => {
      if (!starting || this.#spoken !== before) await this.#server.rest('its client speaks the other era');
    });
    this.#greet('session', first, rested);
  }

  get #spoken(): Era {
    return this.#bridged?.era ?? this.#era ?? 'session';
  }

  #refuse(message: wire.Request | null, error: LockkeeperError): void {
    const record = records.refused(this.#scribe, message, { direction: 'to-server', error });
    const answer = wire.refusalOf(message?.id ?? null, error);
    this.#relay.exchange.record(record, () => this.#toClient(answer, message && wire.idKey(message.id)));
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
    const { exchange } = this.#relay;
    const link = this.#keeping.onDemand ? null : await this.#server.want();
    if (this.#first !== first) return;
    const { rules: content } = exchange.content;
    const begun = { era, serverEra: this.#spoken, content, process: this.#server.process };
    await journal.append(milestones.began(this.#scribe, first, begun));
    this.#started = true;
    if (this.#first !== first) return;
    if (link) this.#relay.link(link);
    if (era === 'session')
      this.#toClient(helloFor(first, link?.hello ?? helloOf(surface)), wire.idKey(first.id));
    const state = gateStateOf(first, this.#o, { era, live: this.#live, exchange });
    this.#relay.open(state, era === 'stateless' ? first : null);
  }

  #refuseSession(first: wire.Request, thrown: LockkeeperError): void {
    if (this.#first !== first) return;
    const error = this.#revoked ?? thrown;
    const record = milestones.turnedAway(this.#scribe, first, error);
    this.#relay.exchange.record(record, () => {
      this.#toClient(wire.refusalOf(first.id, error), wire.idKey(first.id));
      this.#finish({ reason: 'refused', error });
    });
  }

  #toClient(bytes: Buffer, about: string | null): void {
    this.#client.send(bytes, about, this.#server.process?.stdout);
  }

  #close(end: SessionEnd): Promise<void> {
    return close(end, {
      ...{ relay: this.#relay, server: this.#server, backpressure: this.#backpressure, scribe: this.#scribe },
      ...{ bridge: this.#bridged?.bridge, greeting: this.#greeting, started: () => this.#started },
      say: this.#o.say,
    });
  }
}
