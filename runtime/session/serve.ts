/** One client, one locked server, and the gate between them. */
import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import type { AuditSubject } from '../../schemas/audit.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Era, Section, Surface } from '../../schemas/surface.ts';
import { boundTo, type GateState, judgeToClient, judgeToServer, type Pending } from '../gate/gate.ts';
import { STALE_BY } from '../gate/methods.ts';
import { argumentCheck } from '../gate/schema.ts';
import { filterPage, liveSurface } from '../gate/surface.ts';
import type { Journal } from '../journal/journal.ts';
import type { EgressEvent, SandboxedProcess } from '../ports.ts';
import { readLines } from '../wire/lines.ts';
import { encode, idKey, type Message, type Notification, parseMessage, refusalOf, type Request, type Response } from '../wire/message.ts';
import { SESSION_VERSION } from './capture.ts';
import { assertSurface, relist } from './handshake.ts';
import { openPeer, type Peer } from './peer.ts';
import * as records from './records.ts';

export interface SessionOptions {
  readonly entry: LockEntry;
  readonly subject: AuditSubject;
  /** The locked surface's texts, whose schemas arguments are judged by. */
  readonly surface: Surface;
  readonly lockExpires: number;
  readonly user: string;
  readonly journal: Journal;
  readonly client: { readonly input: Readable; readonly output: Writable };
  /** Starts the sandbox; every connection it asks for is to be told to `record` first. */
  readonly start: (record: (event: EgressEvent) => Promise<void>) => Promise<SandboxedProcess>;
  readonly handshakeMs?: number;
  readonly say: (line: string) => void;
}

export interface SessionEnd {
  readonly reason: 'client closed' | 'server ended' | 'refused' | 'stopped';
  readonly error: LockkeeperError | null;
}

/** Longest line of a client, bytes. */
const CLIENT_LINE_BYTES = 8 * 1024 * 1024;
const MAX_BAD_LINES = 100;
const STOP_GRACE_MS = 2000;
const RELIST_DELAY_MS = 25;
/** How long answers may take after the client closed its side. */
const DRAIN_MS = 30_000;
const KNOWN_VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', SESSION_VERSION];
const NEWLINE = Buffer.from('\n');

/** Runs until the client closes, the server ends or something is refused for good. Leaves no process behind. */
export async function serveSession(options: SessionOptions): Promise<SessionEnd> {
  const session = new Session(options);
  return session.run();
}

class Session {
  readonly #o: SessionOptions;
  readonly #scribe: records.Scribe;
  readonly #fromClient = new Map<string, Pending>();
  readonly #fromServer = new Map<string, Pending>();
  readonly #done: Promise<SessionEnd>;
  #finish: (end: SessionEnd) => void = () => undefined;
  #peer: Peer | null = null;
  #process: SandboxedProcess | null = null;
  #state: GateState | null = null;
  /** While above zero, messages wait: the surface is not known to be the locked one. */
  #held = 1;
  #waitingClient: Message[] = [];
  #waitingServer: Message[] = [];
  #greeted = false;
  #stale = new Set<Section>();
  #badLines = 0;
  #ended = false;
  #calls = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#o = options;
    const { journal, user, subject } = options;
    this.#scribe = { journal, session: randomUUID(), user, subject };
    this.#done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  async run(): Promise<SessionEnd> {
    const { client, journal, start } = this.#o;
    let end: SessionEnd;
    try {
      this.#process = await start((event) => journal.append(records.egress(this.#scribe, event, this.#fromClient.values())).then(() => undefined));
      this.#peer = openPeer(this.#process, {
        message: (message) => this.#fromServerSide(message),
        badLine: (error) => journal.note(records.unbound(this.#scribe, 'to-client', error.message)),
        gone: (error) => this.#finish({ reason: 'server ended', error }),
      });
      this.#readClient();
      end = await this.#done;
    } catch (error) {
      end = { reason: 'refused', error: asLockkeeperError(error) };
    }
    client.input.pause();
    await this.#close(end);
    return end;
  }

  stop(): void {
    this.#finish({ reason: 'stopped', error: null });
  }

  #readClient(): void {
    const { client } = this.#o;
    client.output.on('error', () => this.#finish({ reason: 'client closed', error: null }));
    readLines(client.input, CLIENT_LINE_BYTES, {
      line: (bytes) => this.#clientLine(bytes),
      end: () => this.#clientEnded(),
      error: (error) => {
        const refusal = asLockkeeperError(error);
        this.#record(records.refused(this.#scribe, null, { direction: 'to-server', error: refusal }), () => this.#toClient(refusalOf(null, refusal)));
        this.#finish({ reason: 'refused', error: refusal });
      },
    });
  }

  /** A client that only sent its requests and closed still gets its answers, for a while. */
  #clientEnded(): void {
    this.#ended = true;
    const timer = setTimeout(() => this.#finish({ reason: 'client closed', error: null }), DRAIN_MS);
    void this.#done.then(() => clearTimeout(timer));
    this.#finishWhenIdle();
  }

  #finishWhenIdle(): void {
    const idle = this.#fromClient.size === 0 && this.#waitingClient.length === 0 && (this.#held === 0 || !this.#greeted);
    if (this.#ended && idle) void this.#tail.then(() => this.#finish({ reason: 'client closed', error: null }));
  }

  #clientLine(bytes: Buffer): void {
    let message: Message;
    try {
      message = parseMessage(bytes);
    } catch (thrown) {
      const error = asLockkeeperError(thrown);
      this.#record(records.refused(this.#scribe, null, { direction: 'to-server', error }), () => this.#toClient(refusalOf(null, error)));
      if (++this.#badLines > MAX_BAD_LINES) this.#finish({ reason: 'refused', error });
      return;
    }
    if (!this.#greeted && message.kind === 'request') this.#firstMessage(message);
    else if (this.#held > 0) this.#waitingClient.push(message);
    else this.#fromClientSide(message);
  }

  /** The first request decides the era of the session. */
  #firstMessage(message: Request): void {
    const { eras } = this.#o.entry.surface.capture;
    const meta = message.params._meta as JsonObject | undefined;
    const wants: Era | null =
      message.method === 'initialize' ? 'session' : message.method === 'server/discover' || meta?.['io.modelcontextprotocol/protocolVersion'] !== undefined ? 'stateless' : null;
    if (wants !== null && eras.includes(wants)) {
      this.#greeted = true;
      void this.#begin(wants, message).catch((error: unknown) => this.#refuseSession(message, asLockkeeperError(error)));
      return;
    }
    if (message.method === 'ping') return this.#toClient(encode({ jsonrpc: '2.0', id: message.id, result: {} }));
    const error = new LockkeeperError('METHOD_REFUSED', {
      expected: `${eras.includes('session') ? 'initialize' : 'server/discover'} first, as this server speaks`,
      found: quote(message.method, 80),
      next: 'Use a client that falls back to it',
    });
    // A stateless client takes "method not found" as the sign to fall back to initialize.
    const answer = wants === 'stateless' ? encode({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: `Method not found. ${error.message}` } }) : refusalOf(message.id, error);
    this.#record(records.refused(this.#scribe, message, { direction: 'to-server', error }), () => this.#toClient(answer));
  }

  async #begin(era: Era, first: Request): Promise<void> {
    const { entry, journal, surface, lockExpires, handshakeMs = 30_000 } = this.#o;
    if (!this.#peer) return;
    const live = liveSurface(entry);
    const { hello, drifts } = await assertSurface(this.#peer, { entry, era, live, timeoutMs: handshakeMs });
    for (const drift of drifts) journal.note(records.drifted(this.#scribe, drift));
    const declared = first.params.capabilities;
    this.#state = {
      entry,
      era,
      live,
      lockExpires,
      checkArguments: argumentCheck(surface),
      clientCapabilities: declared !== null && typeof declared === 'object' && !Array.isArray(declared) ? declared : {},
      now: Date.now,
      fromClient: this.#fromClient,
      fromServer: this.#fromServer,
    };
    await journal.append(
      records.sessionRecord(this.#scribe, 'session.started', {
        method: first.method,
        outcome: 'ok',
        detail: { era, node: process.version, client: first.params.clientInfo ?? null, isolation: { ...this.#process?.isolation } },
      }),
    );
    if (era === 'session') {
      const asked = first.params.protocolVersion;
      const protocolVersion = typeof asked === 'string' && KNOWN_VERSIONS.includes(asked) ? asked : SESSION_VERSION;
      this.#toClient(encode({ jsonrpc: '2.0', id: first.id, result: { ...hello, protocolVersion } }));
    } else this.#waitingClient.unshift(first);
    this.#release();
  }

  #refuseSession(first: Request, error: LockkeeperError): void {
    const record = records.sessionRecord(this.#scribe, 'session.refused', { method: first.method, outcome: 'refused', code: error.code, message: error.message });
    this.#record(record, () => {
      this.#toClient(refusalOf(first.id, error));
      this.#finish({ reason: 'refused', error });
    });
  }

  #release(): void {
    if (--this.#held > 0) return;
    const server = this.#waitingServer;
    const client = this.#waitingClient;
    this.#waitingServer = [];
    this.#waitingClient = [];
    for (const message of server) this.#fromServerSide(message);
    for (const message of client) {
      if (this.#held > 0) this.#waitingClient.push(message);
      else this.#fromClientSide(message);
    }
    this.#finishWhenIdle();
  }

  #fromClientSide(message: Message): void {
    const state = this.#state;
    if (!state) return;
    if (message.kind === 'response' || message.kind === 'error') return this.#answerToServer(message);
    if (message.method === 'notifications/initialized') return;
    const verdict = judgeToServer(message, state);
    if (!verdict.allow) {
      const { error, target } = verdict;
      return this.#record(records.refused(this.#scribe, message, { direction: 'to-server', error, target }), () => {
        if (message.kind === 'request') this.#toClient(refusalOf(message.id, error));
      });
    }
    const { target } = verdict;
    if (message.kind === 'notification') {
      return this.#record(records.forwarded(this.#scribe, message, { direction: 'to-server' }), () => this.#peer?.send(message.bytes));
    }
    const call = `${this.#scribe.session}/${++this.#calls}`;
    const key = idKey(message.id);
    this.#fromClient.set(key, { method: message.method, rule: verdict.rule, target, call, since: performance.now() });
    this.#record(
      records.forwarded(this.#scribe, message, { direction: 'to-server', call, target }),
      () => this.#peer?.send(message.bytes),
      (error) => {
        this.#fromClient.delete(key);
        this.#toClient(refusalOf(message.id, error));
      },
    );
  }

  /** The record first; only when it is on the disk, the effect. */
  #record(body: Parameters<Journal['append']>[0], effect: () => void, failed: (error: LockkeeperError) => void = () => undefined): void {
    this.#tail = this.#o.journal.append(body).then(effect, (error: unknown) => {
      this.#o.say(asLockkeeperError(error).message);
      failed(asLockkeeperError(error));
    });
  }

  #answerToServer(message: Response): void {
    const pending = boundTo(message, this.#fromServer);
    if (!pending || message.id === null) return this.#o.journal.note(records.unbound(this.#scribe, 'to-server', 'an answer to nothing the server asked'));
    this.#fromServer.delete(idKey(message.id));
    this.#o.journal.note(records.finished(this.#scribe, pending, { outcome: message.kind === 'error' ? 'error' : 'ok', bytes: message.bytes.length }));
    this.#peer?.send(message.bytes);
  }

  #fromServerSide(message: Message): void {
    if (this.#held > 0 && (message.kind === 'request' || message.kind === 'notification')) {
      if (!this.#state || message.kind === 'request') {
        if (this.#waitingServer.length < 1000) this.#waitingServer.push(message);
        return;
      }
    }
    if (message.kind === 'response' || message.kind === 'error') this.#answerToClient(message);
    else if (message.kind === 'notification') this.#noticeToClient(message);
    else this.#requestToClient(message);
  }

  #answerToClient(message: Response): void {
    const { journal } = this.#o;
    const pending = boundTo(message, this.#fromClient);
    if (!pending || message.id === null || !this.#state) {
      return journal.note(records.unbound(this.#scribe, 'to-client', `an answer to nothing the client asked: id ${quote(String(message.id), 60)}`));
    }
    this.#fromClient.delete(idKey(message.id));
    if (this.#ended) setImmediate(() => this.#finishWhenIdle());
    const failed = message.kind === 'error' || (message.result !== null && typeof message.result === 'object' && (message.result as JsonObject).isError === true);
    journal.note(records.finished(this.#scribe, pending, { outcome: failed ? 'error' : 'ok', bytes: message.bytes.length }));
    const section = pending.rule.lists;
    if (message.kind !== 'response' || section === undefined) return this.#toClient(message.bytes);
    const page = filterPage(section, message.result, this.#state.live);
    for (const drift of page.drifts) journal.note(records.drifted(this.#scribe, drift));
    this.#toClient(page.drifts.length === 0 ? message.bytes : encode({ jsonrpc: '2.0', id: message.id, result: page.result }));
  }

  #requestToClient(message: Request): void {
    const state = this.#state;
    if (!state) return;
    const verdict = judgeToClient(message, state);
    if (!verdict.allow) {
      const { error } = verdict;
      return this.#record(records.refused(this.#scribe, message, { direction: 'to-client', error }), () =>
        this.#peer?.send(encode({ jsonrpc: '2.0', id: message.id, error: { code: -32601, message: error.message } })),
      );
    }
    const call = `${this.#scribe.session}/s${++this.#calls}`;
    this.#fromServer.set(idKey(message.id), { method: message.method, rule: verdict.rule, target: undefined, call, since: performance.now() });
    this.#record(records.forwarded(this.#scribe, message, { direction: 'to-client', call }), () => this.#toClient(message.bytes));
  }

  #noticeToClient(message: Notification): void {
    const state = this.#state;
    if (!state) return;
    const verdict = judgeToClient(message, state);
    if (!verdict.allow) return this.#o.journal.note(records.refused(this.#scribe, message, { direction: 'to-client', error: verdict.error }));
    const stale = STALE_BY[message.method];
    if (stale) return this.#reread(stale, message);
    this.#o.journal.note(records.forwarded(this.#scribe, message, { direction: 'to-client' }));
    this.#toClient(message.bytes);
  }

  /** A list changed: calls wait until it is read again and judged; several notices in a row are one reading. */
  #reread(sections: readonly Section[], notice: Notification): void {
    const fresh = sections.filter((section) => !this.#stale.has(section));
    for (const section of fresh) this.#stale.add(section);
    if (fresh.length === 0) return;
    this.#held++;
    const read = async (): Promise<void> => {
      const { journal, handshakeMs = 30_000 } = this.#o;
      const state = this.#state;
      if (!state || !this.#peer) return;
      for (const section of fresh) this.#stale.delete(section);
      const drifts = await relist(this.#peer, { entry: state.entry, era: state.era, live: state.live, timeoutMs: handshakeMs }, fresh);
      for (const drift of drifts) journal.note(records.drifted(this.#scribe, drift));
      journal.note(records.forwarded(this.#scribe, notice, { direction: 'to-client' }));
      this.#toClient(notice.bytes);
      this.#release();
    };
    setTimeout(() => void read().catch((error: unknown) => this.#finish({ reason: 'refused', error: asLockkeeperError(error) })), RELIST_DELAY_MS);
  }

  #toClient(bytes: Buffer): void {
    const { output } = this.#o.client;
    if (!output.destroyed) output.write(Buffer.concat([bytes, NEWLINE]));
  }

  /** Whatever waits on the disk goes out first; then the server stops; then what stayed unanswered is told and recorded. */
  async #close(end: SessionEnd): Promise<void> {
    const { journal } = this.#o;
    await this.#tail;
    await this.#process?.stop(STOP_GRACE_MS);
    for (const pending of this.#fromClient.values()) journal.note(records.finished(this.#scribe, pending, { outcome: 'lost', bytes: 0, message: end.reason }));
    if (end.error && this.#state) for (const key of this.#fromClient.keys()) this.#toClient(refusalOf(key.startsWith('n') ? Number(key.slice(1)) : key.slice(1), end.error));
    const kind = this.#state ? 'session.ended' : 'session.refused';
    if (this.#state || end.error) {
      const detail = end.error ? { code: end.error.code, message: end.error.message } : {};
      await journal.append(records.sessionRecord(this.#scribe, kind, { outcome: end.error ? 'error' : 'ok', detail: end.reason, ...detail })).catch((error: unknown) => this.#o.say(asLockkeeperError(error).message));
    }
  }
}
