/** The gateway’s socket: who is too slow is let go, and what is no HTTP is answered and told of like any refusal. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { asLockkeeperError, type LockkeeperError, quote } from '../../schemas/errors.ts';
import { http, https } from '../lazy.ts';
import type { GatewayOptions } from './ports.ts';
import { badRequest, HttpRefusal } from './refusals.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_CONNECTIONS = 20_000;
/** How often is looked for who is too slow, ms. */
const CHECKED_MS = 1000;
const KEEP_ALIVE_MS = 65_000;

export interface Listening {
  readonly options: Pick<GatewayOptions, 'host' | 'port' | 'tls' | 'limits'>;
  readonly take: (request: IncomingMessage, response: ServerResponse) => void;
  readonly refused: (error: LockkeeperError) => void;
}

/** Throws SYSTEM where it cannot listen. */
export async function listen({ options, take, refused }: Listening): Promise<Server> {
  const { tls, host, port, limits } = options;
  const settings = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECKED_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    noDelay: true,
    insecureHTTPParser: false,
    // What is asked of the Host header is asked in one place.
    requireHostHeader: false,
  };
  const turnAway = turningAway(refused);
  const heard = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const refusal = misframed(request);
    if (refusal) turnAway.now(socket, refusal);
    else if (turnAway.hears(socket, response)) take(request, response);
  };
  const server: Server = tls
    ? https().createServer(
        {
          ...{ ...settings, handshakeTimeout: limits.headersMs, minVersion: 'TLSv1.2' as const },
          ...{ key: tls.key, cert: tls.cert, ...(tls.client ?? {}) },
        },
        heard,
      )
    : http().createServer(settings, heard);
  server.maxConnections = Math.min(MAX_CONNECTIONS, Math.floor(openFiles() / 2));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const refusal = refusalOf(error, limits);
    if (refusal && socket.writable) turnAway.now(socket as Socket, refusal);
    else socket.destroy();
  });
  server.on('connect', (request: IncomingMessage, socket) => {
    socket.on('error', () => undefined);
    turnAway.now(socket as Socket, refusal405(request.method));
  });
  server.on('checkExpectation', ({ socket, headers: { expect = '' } }: IncomingMessage) => {
    const error = badRequest('Expect: 100-continue, or none', quote(expect, 60), 'Leave it out');
    turnAway.now(socket, new HttpRefusal(417, error));
  });
  await new Promise<void>((resolve, reject) => {
    // Also later on: a connection that cannot be taken is lost, and nothing else.
    server.on('error', (error) => reject(asLockkeeperError(error)));
    server.listen(port, host, resolve);
  });
  return server;
}

/** Files that this process may have open: connections leave half of them for the journal and for servers. */
function openFiles(): number {
  try {
    const [, most] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(most ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

interface TurnAway {
  /** Answers with this and hangs up: nothing more is heard on this connection. */
  now(socket: Socket, refusal: HttpRefusal): void;
  /** False once it was hung up on, whatever of it was read already. */
  hears(socket: Socket, response: ServerResponse): boolean;
}

function turningAway(refused: Listening['refused']): TurnAway {
  const answering = new WeakMap<Socket, ServerResponse[]>();
  const over = new WeakSet<Socket>();
  return {
    now: (socket, refusal) => {
      if (over.has(socket)) return;
      over.add(socket);
      const [one, other] = answering.get(socket) ?? [];
      if (!one) refused(refusal.error);
      // Of several requests, the first one's client would take this for its answer.
      if (other || one?.headersSent || one?.req.complete) return void socket.destroy();
      socket.write(wholeAnswer(refusal));
      socket.destroySoon();
    },
    hears: (socket, response) => {
      if (over.has(socket)) return false;
      const open = answering.get(socket) ?? [];
      if (open.push(response) === 1) answering.set(socket, open);
      response.on('close', () => open.splice(open.indexOf(response), 1));
      return true;
    },
  };
}

/** How long a body is, is said in one way that every reader before us understands alike. */
function misframed({ headers, httpVersion }: IncomingMessage): HttpRefusal | null {
  const coding = headers['transfer-encoding'];
  if (coding === undefined || (coding.toLowerCase() === 'chunked' && httpVersion === '1.1')) return null;
  const found = `${quote(coding, 60)} in HTTP/${httpVersion}`;
  const next = 'Send Content-Length';
  return new HttpRefusal(400, badRequest('Transfer-Encoding: chunked alone, in HTTP/1.1', found, next));
}

/** For a method that no address has. */
export function refusal405(method: string | undefined): HttpRefusal {
  const error = badRequest('POST, GET or DELETE', quote(method ?? ''), 'Use one of them');
  return new HttpRefusal(405, error, { headers: { allow: 'POST, GET, DELETE' } });
}

/** Null of a client that only went away. */
function refusalOf(
  { code = '' }: NodeJS.ErrnoException,
  { headersMs, requestMs }: Pick<GatewayOptions['limits'], 'headersMs' | 'requestMs'>,
): HttpRefusal | null {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const expected = `headers within ${headersMs / 1000} s and the whole request within ${requestMs / 1000} s`;
    return new HttpRefusal(408, badRequest(expected, 'a slower one', 'Send it at once'));
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    const expected = `headers of at most ${MAX_HEADER_BYTES} bytes`;
    return new HttpRefusal(431, badRequest(expected, 'more', 'Send fewer or shorter ones'));
  }
  if (!code.startsWith('HPE_')) return null;
  return new HttpRefusal(
    400,
    badRequest('HTTP/1.1 as its grammar says', quote(code, 60), 'Correct the sender'),
  );
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
};

function wholeAnswer(refusal: HttpRefusal): Buffer {
  const body = refusal.body(null);
  const headers = {
    ...refusal.headers,
    'content-type': 'application/json',
    'content-length': String(body.length),
    connection: 'close',
  };
  const head = [
    `HTTP/1.1 ${refusal.status} ${REASONS[refusal.status] ?? ''}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}
