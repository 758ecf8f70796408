/**
 * The only way out of a sandbox: an HTTP proxy on a unix socket, one per server. Names are resolved once, here, and the
 * connection goes to that very address. Every attempt is told to `onEvent`, and waited for, before it is answered.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { http } from '../lazy.ts';
import { type Decider, type Desk, openDesk } from './decide.ts';
import { MAX_HEAD, plain } from './plain.ts';
import { tunnel } from './tunnel.ts';

export interface ProxyOptions extends Decider {
  readonly socketPath: string;
  /** The user that servers run as, who alone may connect; without it every user of the machine may. */
  readonly owner?: number;
}

export interface EgressProxy {
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 64;
/** How long the head of a request, and the whole of it, may take, ms. */
const HEAD_MS = 5000;
const REQUEST_MS = 120_000;
/** Strict whatever flags this process has: a lenient parser is how requests are smuggled. */
const PARSER = {
  insecureHTTPParser: false,
  maxHeaderSize: MAX_HEAD,
  headersTimeout: HEAD_MS,
  requestTimeout: REQUEST_MS,
  connectionsCheckingInterval: 1000,
} as const;

async function give(path: string, owner: number): Promise<void> {
  await chmod(path, 0o600);
  if (process.getuid?.() !== owner) await chown(path, owner, owner);
}

/** Starts listening; see `owner` for who may connect. */
export async function startEgressProxy(options: ProxyOptions): Promise<EgressProxy> {
  await rm(options.socketPath, { force: true });
  const sockets = new Set<Duplex>();
  const desk = openDesk(options);
  const server = http().createServer(PARSER, (incoming, outgoing) => {
    const isReport = incoming.method === 'POST' && incoming.url === '/report';
    void (isReport ? report : plain)(incoming, outgoing, desk).catch(() => outgoing.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('drop', () => {
    const reason = `more than ${MAX_CONNECTIONS} connections at a time`;
    desk.record({ ...UNNAMED, host: '(one too many)', reason }).catch(() => undefined);
  });
  server.on(
    'clientError',
    (error: NodeJS.ErrnoException, socket) =>
      void unreadable(error, socket, desk).catch(() => socket.destroy()),
  );
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  server.on(
    'connect',
    (incoming, socket, head) => void tunnel({ incoming, socket, head }, desk).catch(() => socket.destroy()),
  );
  await listen(server, options.socketPath);
  await (options.owner === undefined
    ? chmod(options.socketPath, 0o666)
    : give(options.socketPath, options.owner));
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(options.socketPath, { force: true });
    },
  };
}

const UNNAMED = { port: 0, via: 'proxy', outcome: 'refused' } as const;

/** What the parser does not take, or what did not come in time: nothing of it is read another way. */
async function unreadable(error: NodeJS.ErrnoException, socket: Duplex, desk: Desk): Promise<void> {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const reason = `no request that is read in one way alone: ${error.code ?? error.message}`;
  await desk.record({ ...UNNAMED, host: '(unreadable)', reason });
  socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

/** A direct attempt that the sandbox's own network refused, as told from inside. Evidence, never a decision. */
async function report(incoming: IncomingMessage, outgoing: ServerResponse, desk: Desk): Promise<void> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 4096) break;
    chunks.push(chunk);
  }
  try {
    const value = parseStrict(Buffer.concat(chunks), { maxBytes: 4096, maxDepth: 2 }) as {
      host?: unknown;
      port?: unknown;
    } | null;
    await desk.record({
      host: String(value?.host ?? ''),
      port: Number(value?.port) || 0,
      via: 'report',
      outcome: 'refused',
      reason: 'direct connections have no way out',
    });
    outgoing.writeHead(204).end();
  } catch (error) {
    outgoing.writeHead(asLockkeeperError(error).status).end();
  }
}
