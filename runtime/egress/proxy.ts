/**
 * The only way out of a sandbox: an HTTP proxy on a unix socket, one per server. Names are resolved once, here, and the
 * connection goes to that very address. Every attempt is told to `onEvent`, and waited for, before it is answered.
 */
import { lookup } from 'node:dns/promises';
import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { EgressEvent } from '../ports.ts';
import { isInside, permits } from './rules.ts';
import { serverNameOf } from './sni.ts';

export interface ProxyOptions {
  readonly socketPath: string;
  /** `host:port` or `*.suffix:port`; empty allows nothing. */
  readonly allow: readonly string[];
  /** Must make the event durable before it resolves. A rejection refuses the connection. */
  readonly onEvent: (event: EgressEvent) => Promise<void>;
  readonly resolve?: (host: string) => Promise<string>;
  /** The user that servers run as, who alone may connect; without it every user of the machine may. */
  readonly owner?: number;
}

export interface EgressProxy {
  close(): Promise<void>;
}

const TLS_HANDSHAKE = 22;
const MAX_CONNECTIONS = 64;
const IDLE_MS = 60_000;
const resolveHost = async (host: string): Promise<string> => (await lookup(host)).address;

async function give(path: string, owner: number): Promise<void> {
  await chmod(path, 0o600);
  if (process.getuid?.() !== owner) await chown(path, owner, owner);
}

/** Starts listening; see `owner` for who may connect. */
export async function startEgressProxy(options: ProxyOptions): Promise<EgressProxy> {
  await rm(options.socketPath, { force: true });
  const sockets = new Set<Duplex>();
  const server = createServer(
    { maxHeaderSize: 16_384, requestTimeout: 30_000 },
    (incoming, outgoing) => void plain(incoming, outgoing, options).catch(() => outgoing.destroy()),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
  });
  server.on(
    'connect',
    (incoming, socket, head) =>
      void tunnel({ incoming, socket, head }, options).catch(() => socket.destroy()),
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

interface Verdict {
  readonly address: string | null;
  readonly reason: string;
}

/** Name allowed -> not an address itself -> resolved once -> outside. */
async function judge(host: string, port: number, options: ProxyOptions): Promise<Verdict> {
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return { address: null, reason: 'addresses are not names' };
  if (!permits(options.allow, host, port)) return { address: null, reason: 'not among the permitted hosts' };
  const address = await (options.resolve ?? resolveHost)(host).catch(() => null);
  if (address === null) return { address: null, reason: 'the name does not resolve' };
  if (isInside(address)) return { address: null, reason: `the name leads inside, to ${address}` };
  return { address, reason: `permitted, ${address}` };
}

async function decide(host: string, port: number, options: ProxyOptions): Promise<Verdict> {
  const verdict = await judge(host, port, options);
  const outcome = verdict.address === null ? 'refused' : 'allowed';
  await options.onEvent({
    at: new Date().toISOString(),
    host,
    port,
    via: 'proxy',
    outcome,
    reason: verdict.reason,
  });
  return verdict;
}

async function tunnel(
  at: { incoming: IncomingMessage; socket: Duplex; head: Buffer },
  options: ProxyOptions,
): Promise<void> {
  const { incoming, socket, head } = at;
  const [, host = '', port = ''] = /^(.+):([0-9]{1,5})$/.exec(incoming.url ?? '') ?? [];
  const { address, reason } = await decide(host.toLowerCase(), Number(port), options);
  if (address === null) {
    socket.end(
      `HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nLockkeeper refused ${host}:${port}: ${reason}\n`,
    );
    return;
  }
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  const first = await firstBytes(socket, head);
  const name = serverNameOf(first);
  const tls = first[0] === TLS_HANDSHAKE || Number(port) === 443;
  if (tls && name !== host.toLowerCase()) {
    await options.onEvent({
      at: new Date().toISOString(),
      host: name ?? '(no name)',
      port: Number(port),
      via: 'proxy',
      outcome: 'refused',
      reason: `TLS asks for another name than ${host}`,
    });
    socket.destroy();
    return;
  }
  const outside = connect({ host: address, port: Number(port), timeout: IDLE_MS });
  outside.on('timeout', () => outside.destroy());
  outside.on('error', () => socket.destroy());
  socket.on('error', () => outside.destroy());
  socket.on('close', () => outside.destroy());
  outside.on('close', () => socket.destroy());
  outside.write(first);
  socket.pipe(outside).pipe(socket);
}

function firstBytes(socket: Duplex, head: Buffer): Promise<Buffer> {
  if (head.length > 0) return Promise.resolve(head);
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      resolve(chunk);
    });
    socket.once('close', () => reject(new Error('closed')));
  });
}

async function plain(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: ProxyOptions,
): Promise<void> {
  if (incoming.method === 'POST' && incoming.url === '/report') return report(incoming, outgoing, options);
  const url = URL.canParse(incoming.url ?? '') ? new URL(incoming.url ?? '') : null;
  const host = url?.hostname.toLowerCase() ?? incoming.headers.host ?? '(none)';
  const port = Number(url?.port || 80);
  const { address, reason } = await decide(host, port, options);
  if (address === null || url === null) {
    outgoing.writeHead(403, { 'content-type': 'text/plain', connection: 'close' });
    outgoing.end(`Lockkeeper refused ${host}:${port}: ${reason}\n`);
    return;
  }
  const { 'proxy-connection': _, ...headers } = incoming.headers;
  const outside = request(
    {
      host: address,
      port,
      method: incoming.method,
      path: url.pathname + url.search,
      headers: { ...headers, host: url.host },
    },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    },
  );
  outside.on('error', () => outgoing.destroy());
  incoming.pipe(outside);
}

/** A direct attempt that the sandbox's own network refused, as told from inside. Evidence, never a decision. */
async function report(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  options: ProxyOptions,
): Promise<void> {
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
    const host = String(value?.host ?? '').slice(0, 253);
    await options.onEvent({
      at: new Date().toISOString(),
      host,
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
