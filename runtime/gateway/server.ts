/** The gateway’s HTTP face: each request is looked at, its caller proved, its message handed to what it is for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import type { Identified } from '../identity/identified.ts';
import { type Id, type Message, parseMessage } from '../wire/message.ts';
import { assertEnvelope, isStateless } from './envelope.ts';
import { assertAccepts, assertMeant, assertPost, hostsOf, readBody } from './guard.ts';
import type { Door, GatewayOptions } from './ports.ts';
import { badRequest, HttpRefusal } from './refusals.ts';
import { type At, Table } from './table.ts';

/** Slow senders are let go: headers within 10 s, the whole request within 30 s. */
const TIMES = { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 65_000 };
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 20_000;

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
  const settings = { ...TIMES, maxHeaderSize: MAX_HEADER_BYTES, noDelay: true, insecureHTTPParser: false };
  const take = (request: IncomingMessage, response: ServerResponse): void =>
    void face.take(request, response);
  const { tls, host, port } = options;
  const server: Server = tls
    ? createTlsServer(
        {
          ...settings,
          key: tls.key,
          cert: tls.cert,
          minVersion: 'TLSv1.2',
          ...(tls.client ?? {}),
        },
        take,
      )
    : createServer(settings, take);
  server.maxConnections = MAX_CONNECTIONS;
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(asLockkeeperError(error)));
    server.listen(port, host, resolve);
  });
  const at = server.address() as AddressInfo;
  const shown = at.family === 'IPv6' ? `[${at.address}]` : at.address;
  return {
    url: `${tls ? 'https' : 'http'}://${shown}:${at.port}`,
    get sessions() {
      return face.table.sessions;
    },
    replace: (doors) => face.replace(doors),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await face.table.end('all');
      server.closeAllConnections();
      await closed;
    },
  };
}

class Face {
  readonly table: Table;
  readonly #o: GatewayOptions;
  readonly #isHost: (value: string) => boolean;
  #doors: ReadonlyMap<string, Door>;

  constructor(options: GatewayOptions) {
    this.#o = options;
    this.#doors = options.doors;
    this.#isHost = hostsOf(options);
    this.table = new Table(options);
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
      request.resume();
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    seen: { caller: Caller | null; id: Id | null },
  ): Promise<void> {
    assertMeant(request, this.#isHost, this.#o.origins);
    const [path = ''] = (request.url ?? '').split('?', 1);
    const plain = request.method === 'GET' ? this.#o.plain(path, request.socket.remoteAddress) : null;
    if (plain) return void response.writeHead(plain.status, { 'content-type': plain.type }).end(plain.body);
    // 3 who calls: before anything is told about what there is
    const who = await this.#o.identify(request);
    if ('refusal' in who) {
      const { status, error, headers } = who.refusal;
      throw new HttpRefusal(status, error, { headers });
    }
    seen.caller = who.caller;
    const door = this.#doors.get(path);
    if (!door || !reaches(who, door)) {
      const paths = [...this.#doors].filter(([, each]) => reaches(who, each)).map(([each]) => each);
      throw new HttpRefusal(404, nothingThere(path, paths));
    }
    const at = { path, door, who };
    if (request.method === 'POST') return this.#post(request, response, { at, seen });
    if (request.method === 'GET') return this.#listen(request, response, at);
    if (request.method === 'DELETE') {
      this.table.session(sessionId(request), at).end('client closed');
      return void response.writeHead(204).end();
    }
    const error = badRequest('POST, GET or DELETE', quote(request.method ?? ''), 'Use one of them');
    throw new HttpRefusal(405, error, { headers: { allow: 'POST, GET, DELETE' } });
  }

  async #post(
    request: IncomingMessage,
    response: ServerResponse,
    { at, seen }: { at: At; seen: { id: Id | null } },
  ): Promise<void> {
    assertPost(request);
    const message = parsed(await readBody(request, this.#o.limits.messageBytes));
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

  #listen(request: IncomingMessage, response: ServerResponse, at: At): void {
    assertAccepts(request.headers.accept, ['text/event-stream']);
    const after = request.headers['last-event-id'];
    this.table
      .session(sessionId(request), at)
      .listen(response, typeof after === 'string' ? after : undefined);
  }
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

const VERSIONS = ['2025-03-26', '2025-06-18', '2025-11-25'];

function assertVersion(version: string | string[] | undefined): void {
  if (version === undefined || VERSIONS.includes(String(version))) return;
  const expected = `MCP-Protocol-Version ${VERSIONS.join(', ')}`;
  throw new HttpRefusal(
    400,
    badRequest(expected, quote(String(version), 40), 'Send the version that was agreed on'),
  );
}

function sessionId(request: IncomingMessage): string {
  const id = request.headers['mcp-session-id'];
  if (typeof id === 'string') return id;
  const error = badRequest(
    'the header Mcp-Session-Id',
    'none',
    'Begin with initialize, and send what it gives',
  );
  throw new HttpRefusal(400, error);
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
