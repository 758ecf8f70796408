/** A session's messages: what has to wait, waits here; what may go on, goes one of two ways. */
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { GateState } from '../gate/gate.ts';
import type { SessionTelemetry } from '../telemetry/observed.ts';
import type { Message, Request, Unread } from '../wire/message.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';
import * as limits from './limits.ts';
import type { Link } from './link.ts';
import { Overdue } from './overdue.ts';
import type { OnRevoke } from './quarantine.ts';
import { Rereading } from './rereads.ts';
import { ToClient } from './to-client.ts';
import { ToServer } from './to-server.ts';

export interface RelayOptions extends Omit<ExchangeOptions, 'settled'> {
  readonly relistMs: number;
  readonly callMs: number;
  /** Nothing is in flight or waiting any more, or something is again. */
  readonly busy: (busy: boolean) => void;
  /** A message that may pass found no server: `link` or `unlinked` is to follow. */
  readonly wake: () => void;
  /** The texts that answer what the lock alone can answer. */
  readonly surface: Surface;
  readonly telemetry: readonly SessionTelemetry[];
}

export class Relay {
  readonly exchange: Exchange;
  readonly #o: RelayOptions;
  /** While above zero, messages wait: the surface is not known to be the locked one. */
  #held = 1;
  #waking = false;
  readonly #waitingClient = new limits.Waiting();
  readonly #waitingServer = new limits.Waiting<Message | Unread>();
  /** What the server said after an answer that is still being judged. */
  readonly #behind = new limits.Waiting<Message | Unread>();
  readonly #overdue: Overdue;
  readonly #toServer: ToServer;
  readonly #toClient: ToClient;

  constructor(options: RelayOptions) {
    this.#o = options;
    this.exchange = new Exchange({ ...options, settled: () => this.#settled() });
    this.#toServer = new ToServer(this.exchange, options.surface);
    const { over } = this.#toServer;
    this.#overdue = new Overdue(this.exchange, { callMs: options.callMs, over });
    const rereading = new Rereading(this.exchange, {
      relistMs: options.relistMs,
      hold: () => this.#held++,
      release: () => this.#release(),
    });
    const judged = (): void => {
      for (const message of this.#behind.take()) this.serverMessage(message);
    };
    this.#toClient = new ToClient(this.exchange, this.#toServer, { rereading, judged });
  }

  get isIdle(): boolean {
    return this.exchange.fromClient.size === 0 && this.#waitingClient.length === 0 && this.#held === 0;
  }

  #settled(): void {
    if (this.isIdle) this.#o.busy(false);
  }

  /** The client is greeted: what waited goes first, and before it `first`, if the server is to see it. */
  open(state: GateState, first: Request | null): void {
    this.exchange.state = state;
    if (first) this.#waitingClient.unshift(first);
    this.#release();
  }

  /** The server is there and the locked one. */
  link(link: Link): void {
    this.exchange.link = link;
    this.#waking = false;
    if (this.exchange.state && this.#held === 0) this.#flush();
  }

  /** The server is gone, or did not come: whoever waited or asked is told why. */
  unlinked(error: LockkeeperError | null): void {
    this.exchange.link = null;
    this.#waking = false;
    this.#waitingServer.take();
    this.#behind.take();
    this.#toClient.judging = null;
    this.exchange.tasks.lose(error?.message ?? 'its server was stopped');
    if (!error) return;
    this.exchange.abandon(error.message, error);
    for (const message of this.#waitingClient.take()) this.#toServer.refuse(message, error);
    this.#settled();
  }

  /** From now on nothing new passes, either way: only what was asked before may be answered, where it may `finish`. */
  seal(error: LockkeeperError, on: OnRevoke): void {
    this.exchange.sealed = { error, on };
    for (const message of this.#waitingClient.take()) this.#toServer.refuse(message, error);
  }

  /** The client begins anew, as it has asked for nothing yet: what comes waits, what it is owed is refused. */
  anew(error: LockkeeperError): void {
    const { exchange } = this;
    if (!exchange.state) return;
    this.#held++;
    exchange.state = exchange.link = null;
    this.#behind.take();
    this.#toClient.judging = null;
    exchange.abandon(error.message, error);
    for (const message of this.#waitingClient.take()) this.#toServer.refuse(message, error);
  }

  /** It is over: nothing of it is looked after any more. */
  end(): void {
    this.#behind.take();
    this.#overdue.end();
  }

  #release(): void {
    if (--this.#held > 0) return;
    this.#flush();
    this.#settled();
  }

  #flush(): void {
    const [server, client] = [this.#waitingServer.take(), this.#waitingClient.take()];
    for (const message of server) this.serverMessage(message);
    for (const message of client) this.clientMessage(message);
  }

  clientMessage(message: Message): void {
    // 4 not revoked
    const revoked = this.exchange.sealedTo(message);
    if (revoked) return this.#toServer.refuse(message, revoked);
    if (this.#held > 0 || !this.exchange.state) return this.#wait(message);
    if (message.kind === 'notification' && message.method === 'notifications/initialized') return;
    this.#o.busy(true);
    if (!this.exchange.link) return this.#unserved(message);
    for (const telemetry of this.#o.telemetry) telemetry.received();
    this.#toServer.take(message);
    this.#overdue.watch();
    for (const telemetry of this.#o.telemetry) telemetry.judged();
    this.#settled();
  }

  #wait(message: Message): void {
    if (!this.#waitingClient.push(message)) this.#toServer.refuse(message, limits.CLIENT_WAITS);
  }

  /** No server runs: what is refused, known from the lock or of use to a running server alone does not start one. */
  #unserved(message: Message): void {
    if (this.#toServer.answered(message)) return this.#settled();
    if (message.kind === 'request' || this.#waking) {
      this.#wait(message);
      if (!this.#waking) this.#o.wake();
      this.#waking = true;
    } else this.#toServer.unserved(message);
    this.#settled();
  }

  serverMessage(message: Message | Unread): void {
    if (this.exchange.sealedTo(message)) return this.#toClient.unheard();
    if (this.#toClient.judging) {
      if (!this.#behind.push(message)) this.exchange.fail(limits.SERVER_WAITS);
      return;
    }
    if (message.kind !== 'request' && message.kind !== 'notification') return this.#toClient.answer(message);
    const { state, link } = this.exchange;
    if (state && link && (this.#held === 0 || message.kind === 'notification'))
      return this.#toClient.take(message);
    if (!this.#waitingServer.push(message)) this.exchange.fail(limits.SERVER_WAITS);
  }
}
