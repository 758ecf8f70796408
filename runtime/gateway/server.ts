/** The gateway’s HTTP face: each request is looked at, its caller proved, its message handed to what it is for. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import type { Identified } from '../identity/identified.ts';
import { isRelayed } from '../identity/shown.ts';
import { type Id, type Message, parseMessage } from '../wire/message.ts';
import { Attendance } from './attendance.ts';
import { Budget } from './budget.ts';
import { assertEnvelope, isStateless } from './envelope.ts';
import {
  assertAccepts,
  assertMeant,
  assertPost,
  assertVersion,
  hostsOf,
  readBody,
  sessionId,
} from './guard.ts';
import { listen, refusal405 } from './listen.ts';
import { type Door, type GatewayOptions, ownerOf, type Plain, personOf } from './ports.ts';
import { HttpRefusal } from './refusals.ts';
import { type At, Table } from './table.ts';

/** How long a refused request may go on, ms. */
const LINGER_MS = 1000;

export interface Gateway {
  readonly url: string;
  /** Sessions and stateless callers that are remembered. */
  readonly sessions: number;
  /** Puts other doors in the place of those that were there; what went through a changed one ends. */
  replace(doors: ReadonlyMap<string, Door>): Promise<void>;
  /** Takes nothing more, ends every session, settles when no server runs. */
  close(): Promise<void>;
}

/** Throws SYSTEM where it cannot listen. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const face = new Face(options);
  const server = await listen({
    options,
    take: (request, response) => void face.take(request, response),
    refused: (error) => options.refused(error, null),
  });
  const at = server.address() as AddressInfo;
  const shown = at.family === 'IPv6' ? `[${at.address}]` : at.address;
  return {
    url: `${options.tls ? 'https' : 'http'}://${shown}:${at.port}`,
    get sessions() {
      return face.table.sessions;
    },
    replace: (doors) => face.replace(doors),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await face.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

class Face {
  readonly table: Table;
  readonly #o: GatewayOptions;
  readonly #isHost: (value: string) => boolean;
  /** Bytes of requests that are read or wait for their answer. */
  readonly #held: Budget;
  readonly #present: Attendance;
  #doors: ReadonlyMap<string, Door>;

  constructor(options: GatewayOptions) {
    this.#o = options;
    this.#doors = options.doors;
    this.#isHost = hostsOf(options);
    const { limits } = options;
    this.#held = new Budget({ all: limits.heldBytes, each: limits.heldBytesEach });
    this.table = new Table(options);
    this.#present = new Attendance(options, () => this.table.endFallen(options.refused));
  }

  async close(): Promise<void> {
    this.#present.close();
    await this.table.end('all');
  }

  async replace(doors: ReadonlyMap<string, Door>): Promise<void> {
    const gone = [...this.#doors].filter(([path, door]) => doors.get(path) !== door).map(([path]) => path);
    this.#doors = doors;
    await this.table.end(new Set(gone));
  }

  async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen: { caller: Caller | null; id: Id | null } = { caller: null, id: null };
    response.on('error', () => undefined);
    try {
      await this.#route(request, response, seen);
    } catch (thrown) {
      const refusal = thrown instanceof HttpRefusal ? thrown : failed(thrown);
      this.#o.refused(refusal.error, seen.caller);
      if (response.headersSent || response.destroyed) return void response.destroy();
      const body = refusal.body(seen.id);
      const headers = {
        'content-type': 'application/json',
        'content-length': body.length,
        ...refusal.headers,
      };
      response.writeHead(refusal.status, headers).end(body);
      letGo(request);
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    seen: { caller: Caller | null; id: Id | null },
  ): Promise<void> {
    assertMeant(request, this.#isHost, this.#o.origins);
    const [path = ''] = (request.url ?? '').split('?', 1);
    const plain = request.method === 'GET' ? this.#plain(request, path) : null;
    if (plain) return void response.writeHead(plain.status, { 'content-type': plain.type }).end(plain.body);
    // 3 who calls: before anything is told about what there is
    const who = await this.#o.identify(request);
    if ('refusal' in who) {
      const { status, error, headers } = who.refusal;
      throw new HttpRefusal(status, error, { headers });
    }
    seen.caller = who.caller;
    const door = this.#door(path, who);
    if (!this.#present.add({ request, response, who }) && request.method !== 'DELETE') return;
    const at = { path, door, who, owner: ownerOf(who) };
    if (request.method === 'POST') return this.#post(request, response, { at, seen });
    if (request.method === 'GET') return this.#listen(request, response, at);
    if (request.method === 'DELETE') {
      this.table.session(sessionId(request), at).end('client closed');
      return void response.writeHead(204).end();
    }
    throw refusal405(request.method);
  }

  /** What the lock of now leads to. Throws HttpRefusal 404, or what a closed door says. */
  #door(path: string, who: Identified): Door {
    const door = this.#doors.get(path);
    if (!door || !reaches(who, door)) {
      const paths = [...this.#doors].filter(([, each]) => reaches(who, each)).map(([each]) => each);
      throw new HttpRefusal(404, nothingThere(path, paths));
    }
    if (door.closed) throw door.closed;
    return door;
  }

  #plain(request: IncomingMessage, path: string): Plain | null {
    // Behind a proxy, everybody seems to be on this machine.
    return this.#o.plain(path, isRelayed(request) ? undefined : request.socket.remoteAddress);
  }

  async #post(
    request: IncomingMessage,
    response: ServerResponse,
    { at: asked, seen }: { at: At; seen: { id: Id | null } },
  ): Promise<void> {
    assertPost(request);
    const body = await this.#read(request, response, personOf(asked.who));
    // While it was read, the lock may have become another one: nothing begins under the one before.
    const at = { ...asked, door: this.#door(asked.path, asked.who) };
    const message = parsed(body);
    if (message.kind === 'request') seen.id = message.id;
    if (
      isStateless(message, request.headers) &&
      (message.kind === 'request' || message.kind === 'notification')
    ) {
      assertEnvelope(message, request.headers, (tool) => at.door.mirrored(tool));
      return this.table.shared(at).take(message, response);
    }
    const begins = message.kind === 'request' && message.method === 'initialize';
    const session = begins ? this.table.begin(at) : this.table.session(sessionId(request), at);
    const version = request.headers['mcp-protocol-version'];
    assertVersion(begins ? undefined : version);
    await session.take(message, response, typeof version === 'string' ? version : undefined);
  }

  /** What is read of a caller counts until it is answered. */
  #read(request: IncomingMessage, response: ServerResponse, person: string): Promise<Buffer> {
    const share = this.#held.of(person);
    let held = 0;
    response.on('close', () => share.give(held));
    return readBody(request, this.#o.limits.messageBytes, (bytes) => {
      if (response.closed || !share.take(bytes)) return false;
      held += bytes;
      return true;
    });
  }

  #listen(request: IncomingMessage, response: ServerResponse, at: At): void {
    assertAccepts(request.headers.accept, ['text/event-stream']);
    const after = request.headers['last-event-id'];
    this.table
      .session(sessionId(request), at)
      .listen(response, typeof after === 'string' ? after : undefined);
  }
}

/** What is still sent of a refused request is not kept; who goes on sending is cut off, once the answer can be read. */
function letGo(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  const cut = setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(cut));
}

/** Throws HttpRefusal 400 with JSON-RPC’s own number for what cannot be read. */
function parsed(body: Buffer): Message {
  try {
    return parseMessage(body);
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    throw new HttpRefusal(400, error, { rpc: error.code === 'JSON_INVALID' ? -32700 : -32600 });
  }
}

/** Whether what the caller came with is for this door. */
function reaches({ servers }: Identified, { alias }: Door): boolean {
  return servers === null || alias === null || servers.includes(alias);
}

function nothingThere(path: string, paths: readonly string[]): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: `one of ${paths.join(', ') || '(nothing)'}`,
    found: quote(path),
    next: 'Ask for the server with lk add, then lk lock',
  });
}

function failed(thrown: unknown): HttpRefusal {
  const error = asLockkeeperError(thrown);
  return new HttpRefusal(error.status, error);
}
