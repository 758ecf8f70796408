/** One client, one locked server: start, greet, relay, close. */
import { randomUUID } from 'node:crypto';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import { argumentCheck } from '../gate/schema.ts';
import { liveSurface } from '../gate/surface.ts';
import type { SandboxedProcess } from '../ports.ts';
import type { Revoked } from '../trust/revocations.ts';
import * as wire from '../wire/message.ts';
import { ClientSide } from './client.ts';
import { eraOf, helloFor, notFirst } from './era.ts';
import { assertSurface } from './handshake.ts';
import type { SessionEnd, SessionOptions } from './options.ts';
import { openPeer, type Peer } from './peer.ts';
import { Pressure } from './pressure.ts';
import { quarantine, RECORD_MS, within } from './quarantine.ts';
import * as records from './records.ts';
import { Relay } from './relay.ts';

const HANDSHAKE_MS = 30_000;
const STOP_GRACE_MS = 2000;
const DRAIN_MS = 30_000; // for answers after the client closed

/** Runs until the client closes, the server ends or something is refused for good. Leaves no process behind. */
export function serveSession(options: SessionOptions): Promise<SessionEnd> {
  return new Session(options).run();
}

class Session {
  readonly #o: SessionOptions;
  readonly #scribe: records.Scribe;
  readonly #relay: Relay;
  readonly #client: ClientSide;
  readonly #pressure: Pressure;
  readonly #done: Promise<SessionEnd>;
  #finish: (end: SessionEnd) => void = () => undefined;
  #peer: Peer | null = null;
  #process: SandboxedProcess | null = null;
  #greeted = false;
  #started = false;
  #ended = false;
  #revoked: LockkeeperError | null = null;
  #quarantine: Promise<SessionEnd> | null = null;
  /** The greeting, until it is answered or refused. */
  #greeting: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#o = options;
    const { journal, user, subject, say } = options;
    this.#scribe = { journal, session: randomUUID(), user, subject };
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#client = new ClientSide(options.client);
    this.#pressure = new Pressure(options.client.input, (error) =>
      this.#finish({ reason: 'refused', error }),
    );
    this.#relay = new Relay({
      scribe: this.#scribe,
      toClient: (bytes) => this.#toClient(bytes),
      relistMs: options.handshakeMs ?? HANDSHAKE_MS,
      say,
      idle: () => this.#finishWhenIdle(),
      fail: (error) => this.#finish({ reason: 'refused', error }),
    });
  }

  async run(): Promise<SessionEnd> {
    const refused = (error: unknown): SessionEnd => ({ reason: 'refused', error: asLockkeeperError(error) });
    const unwatch = this.#o.watch?.((what) => {
      this.#quarantine = this.#isolate(what);
    });
    const ended = await this.#serve().catch(refused);
    unwatch?.();
    // However it ended in the meantime: a revoked session ends as one, its record first.
    const end = (await this.#quarantine) ?? ended;
    this.#o.client.input.pause();
    await this.#close(end);
    return end;
  }

  async #serve(): Promise<SessionEnd> {
    const { journal, start } = this.#o;
    const inFlight = this.#relay.fromClient;
    this.#process = await start(async (event) => {
      await journal.append(records.egress(this.#scribe, event, inFlight.values()));
    });
    this.#peer = openPeer(this.#process, {
      message: (message) => this.#relay.serverMessage(message),
      badLine: (error) => journal.note(records.unbound(this.#scribe, 'to-client', error.message)),
      gone: (error) => this.#finish({ reason: 'server ended', error }),
      full: () => this.#pressure.full(),
      drained: () => this.#pressure.drained(),
    });
    this.#o.stop?.addEventListener('abort', () => this.#finish({ reason: 'stopped', error: null }));
    this.#readClient();
    return this.#done;
  }

  #readClient(): void {
    this.#client.read({
      message: (message) => {
        if (!this.#greeted && !this.#revoked && message.kind === 'request') this.#firstMessage(message);
        else this.#relay.clientMessage(message);
      },
      badLine: (error) => this.#refuseLine(error),
      broken: (error) => this.#finish({ reason: 'refused', error }),
      ended: () => this.#clientEnded(),
      deaf: () => this.#finish({ reason: 'client closed', error: null }),
    });
  }

  async #isolate(what: Revoked): Promise<SessionEnd> {
    this.#revoked = what.error;
    const { onRevoke: on = 'end', say } = this.#o;
    await quarantine(what, { relay: this.#relay, scribe: this.#scribe, on, say });
    const end = { reason: 'revoked', error: what.error } as const;
    this.#finish(end);
    return end;
  }

  /** A client that only sent its requests and closed still gets its answers, for a while. */
  #clientEnded(): void {
    this.#ended = true;
    const timer = setTimeout(() => this.#finish({ reason: 'client closed', error: null }), DRAIN_MS);
    void this.#done.then(() => clearTimeout(timer));
    this.#finishWhenIdle();
  }

  #finishWhenIdle(): void {
    if (!this.#ended || (this.#greeted && !this.#relay.isIdle)) return;
    void this.#relay.tail.then(() => this.#finish({ reason: 'client closed', error: null }));
  }

  #refuseLine(error: LockkeeperError): void {
    const record = records.refused(this.#scribe, null, { direction: 'to-server', error });
    this.#relay.record(record, () => this.#toClient(wire.refusalOf(null, error)));
  }

  /** The first request decides the era of the session. */
  #firstMessage(message: wire.Request): void {
    const { eras } = this.#o.entry.surface.capture;
    const era = eraOf(message);
    if (era !== null && eras.includes(era)) {
      this.#greeted = true;
      this.#greeting = this.#begin(era, message).catch((error: unknown) =>
        this.#refuseSession(message, asLockkeeperError(error)),
      );
      return;
    }
    if (message.method === 'ping')
      return this.#toClient(wire.encode({ jsonrpc: '2.0', id: message.id, result: {} }));
    const error = notFirst(eras, message.method);
    // A stateless client takes "method not found" as the sign to fall back to initialize.
    const answer =
      era === 'stateless' ? wire.notFoundOf(message.id, error) : wire.refusalOf(message.id, error);
    this.#relay.record(records.refused(this.#scribe, message, { direction: 'to-server', error }), () =>
      this.#toClient(answer),
    );
  }

  async #begin(era: Era, first: wire.Request): Promise<void> {
    const { entry, journal, surface, lockExpires, handshakeMs = HANDSHAKE_MS } = this.#o;
    const peer = this.#peer;
    if (!peer) return;
    const live = liveSurface(entry);
    const { hello, drifts } = await assertSurface(peer, { entry, era, live, timeoutMs: handshakeMs });
    for (const drift of drifts) journal.note(records.drifted(this.#scribe, drift));
    const detail = {
      era,
      node: process.version,
      client: first.params.clientInfo ?? null,
      isolation: { ...this.#process?.isolation },
    };
    await journal.append(
      records.sessionRecord(this.#scribe, 'session.started', { method: first.method, outcome: 'ok', detail }),
    );
    this.#started = true;
    const declared = first.params.capabilities;
    const state = {
      entry,
      era,
      live,
      lockExpires,
      checkArguments: argumentCheck(surface),
      clientCapabilities: wire.isObject(declared) ? declared : {},
      now: Date.now,
      fromClient: this.#relay.fromClient,
    };
    if (era === 'session') this.#toClient(helloFor(first, hello));
    this.#relay.open({ state, peer, hello }, era === 'stateless' ? first : null);
  }

  #refuseSession(first: wire.Request, thrown: LockkeeperError): void {
    const error = this.#revoked ?? thrown;
    const { code, message } = error;
    const refusal = { method: first.method, outcome: 'refused', code, message } as const;
    this.#relay.record(records.sessionRecord(this.#scribe, 'session.refused', refusal), () => {
      this.#toClient(wire.refusalOf(first.id, error));
      this.#finish({ reason: 'refused', error });
    });
  }

  #toClient(bytes: Buffer): void {
    this.#client.send(bytes, this.#process?.stdout);
  }

  /** Whatever waits on the disk goes out first; a revoked server is not waited for. */
  async #stop(end: SessionEnd): Promise<void> {
    if (end.reason !== 'revoked') {
      await this.#relay.tail;
      await this.#process?.stop(STOP_GRACE_MS);
      return;
    }
    await this.#process?.stop(0);
    await within(
      this.#greeting.then(() => this.#relay.tail),
      RECORD_MS,
    );
  }

  /** The server stops; then what stayed unanswered is told. */
  async #close(end: SessionEnd): Promise<void> {
    const { journal, say } = this.#o;
    this.#pressure.over();
    await this.#stop(end);
    for (const [key, pending] of this.#relay.fromClient) {
      const lost = { outcome: 'lost', bytes: 0, message: end.reason } as const;
      journal.note(records.finished(this.#scribe, pending, lost));
      const id = key.startsWith('n') ? Number(key.slice(1)) : key.slice(1);
      if (end.error) this.#toClient(wire.refusalOf(id, end.error));
    }
    if (!this.#started && !end.error) return;
    const error = end.error ? { code: end.error.code, message: end.error.message } : {};
    const rest = { outcome: end.error ? 'error' : 'ok', detail: end.reason, ...error } as const;
    const kind = this.#started ? 'session.ended' : 'session.refused';
    await journal
      .append(records.sessionRecord(this.#scribe, kind, rest))
      .catch((thrown: unknown) => say(asLockkeeperError(thrown).message));
  }
}
