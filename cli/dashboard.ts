/**
 * The dashboard on a reviewer's own machine: page and signing come from this installation, facts from the registry. The
 * registry never gets to run code beside the key.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBounded, whyUnanswered } from '../runtime/fetched.ts';
import type { ApprovalView } from '../schemas/api.ts';
import type { CallView } from '../schemas/call.ts';
import { Closed, Environment, Version } from '../schemas/common.ts';
import { asLockkeeperError, CODES, LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { CallShown, type LocalView } from '../schemas/local.ts';
import { problemOf } from '../schemas/problem.ts';
import { Type } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import { PAGE_HEADERS, type PageFile, pageFiles } from '../web/files.ts';
import type { Wish } from './approval.ts';

export interface DashboardOptions {
  /** Zero takes a free port. */
  readonly port: number;
  readonly registry: string;
  /** The person's token; it stays in this process. */
  readonly token: string;
  readonly view: LocalView;
  /** Signs with the person's own key. */
  readonly approve: (release: string, wish: Wish) => Promise<ApprovalView>;
  readonly approveCall: (shown: CallShown) => Promise<CallView>;
}

export interface Dashboard {
  /** With the secret that lets a browser in; for this person's eyes. */
  readonly url: string;
  close(): Promise<void>;
}

/** POST /local/approvals/:id */
const WishBody = Closed({
  environments: Type.Array(Environment, { minItems: 1, maxItems: 32, uniqueItems: true }),
  accepts: Type.Record(
    Type.String({ pattern: '^LK-[A-Z]+-[0-9]{2}$' }),
    Type.String({ minLength: 3, maxLength: 500 }),
  ),
  days: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 3650 })]),
  deltaFrom: Type.Union([Type.Null(), Version]),
});

const BODY_BYTES = 1024 * 1024;
const TIMEOUT_MS = 30_000;
const LOOPBACK = '127.0.0.1';

interface Place extends DashboardOptions {
  readonly secret: Buffer;
  readonly files: ReturnType<typeof pageFiles>;
}

/** Listens on the loopback alone. Throws CONFIG_INVALID when the port is taken. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const secret = randomBytes(24).toString('base64url');
  const place: Place = { ...options, secret: Buffer.from(secret), files: pageFiles() };
  const server = createServer((request, response) => {
    answer(request, response, place).catch((error: unknown) => sendProblem(response, error));
  });
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${LOOPBACK}:${port}/#/open/${secret}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new LockkeeperError('CONFIG_INVALID', {
          expected: `port ${port} of ${LOOPBACK} to be free`,
          found: cause.code ?? cause.message,
          next: 'Choose another with: lk dashboard --port PORT',
          cause,
        }),
      ),
    );
    server.listen(port, LOOPBACK, () => resolve());
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
  const url = request.url ?? '/';
  assertHere(request);
  const file = url === '/' ? place.files.page : place.files.assets.get(url);
  if (file) return sendFile(request, response, file);
  if (!url.startsWith('/v1/') && !url.startsWith('/local')) throw notFound(url);
  assertLetIn(request, place.secret);
  if (url.startsWith('/v1/')) return forward(request, response, place);
  if (url === '/local' && request.method === 'GET') return sendJson(response, place.view);
  if (request.method !== 'POST') throw notFound(url);
  sendJson(response, await signed(url, request, place));
}

async function signed(url: string, request: IncomingMessage, place: Place): Promise<unknown> {
  const [, release] = /^\/local\/approvals\/([1-9][0-9]{0,15})$/.exec(url) ?? [];
  if (release === undefined && url !== '/local/calls') throw notFound(url);
  const body = parseStrict(await bodyOf(request));
  if (release === undefined)
    return place.approveCall(assertValid(CallShown, body, 'the call', 'REQUEST_INVALID'));
  return place.approve(release, assertValid(WishBody, body, 'the approval', 'REQUEST_INVALID'));
}

/** A page of another site, or a name that was made to point here, is not this person's browser tab. */
function assertHere(request: IncomingMessage): void {
  const here = `${LOOPBACK}:${request.socket.localPort}`;
  const { host, origin } = request.headers;
  if (host === here && (origin === undefined || origin === `http://${here}`)) return;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `a request of a page at http://${here}`,
    found: quote(origin ?? host ?? 'none'),
    next: 'Open the address that lk dashboard printed',
  });
}

function assertLetIn(request: IncomingMessage, secret: Buffer): void {
  const given = Buffer.from((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (given.length === secret.length && timingSafeEqual(given, secret)) return;
  throw new LockkeeperError('UNAUTHENTICATED', {
    expected: 'the secret that lk dashboard printed with its address',
    found: given.length > 0 ? 'another one' : 'none',
    next: 'Open the whole address that lk dashboard printed',
  });
}

/** To the registry with the person's token; the answer as it is. */
async function forward(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
  const { registry, token } = place;
  const url = new URL(registry.replace(/\/+$/, '') + (request.url ?? '/'));
  if (!url.pathname.startsWith(`${new URL(registry).pathname.replace(/\/+$/, '')}/v1/`))
    throw notFound(url.pathname);
  const init: RequestInit = {
    method: request.method ?? 'GET',
    headers: { accept: 'application/json', authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'error',
  };
  if (request.method === 'POST') {
    init.body = new Uint8Array(await bodyOf(request));
    init.headers = { ...init.headers, 'content-type': 'application/json' };
  }
  const answered = await fetch(url, init).catch((cause: Error) => {
    throw new LockkeeperError('REGISTRY_UNREACHABLE', {
      expected: `an answer from ${registry}`,
      found: quote(whyUnanswered(cause)),
      next: 'Check that the registry runs',
      cause,
    });
  });
  const type = answered.headers.get('content-type') ?? 'application/json';
  response.writeHead(answered.status, { ...PAGE_HEADERS, 'content-type': type });
  response.end(Buffer.from(await answered.arrayBuffer()));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const bytes = await readBounded(request, BODY_BYTES);
  if (bytes !== null) return bytes;
  throw new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `a body of at most ${BODY_BYTES} bytes`,
    found: 'a larger one',
    next: 'Use the command line',
  });
}

function sendFile(request: IncomingMessage, response: ServerResponse, { type, text }: PageFile): void {
  response.writeHead(200, { ...PAGE_HEADERS, 'content-type': type });
  response.end(request.method === 'HEAD' ? '' : text);
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { ...PAGE_HEADERS, 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function sendProblem(response: ServerResponse, thrown: unknown): void {
  const error = asLockkeeperError(thrown);
  if (response.headersSent) return void response.destroy();
  response.writeHead(error.status, { ...PAGE_HEADERS, 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(problemOf(error, CODES[error.code].title)));
}

function notFound(url: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: 'a page of the dashboard',
    found: quote(url, 100),
    next: 'Go back to the start',
  });
}
