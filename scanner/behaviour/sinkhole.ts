/**
 * A way out that leads nowhere, in the place of the egress proxy: whatever is asked for is written down with what came
 * first, and refused. No name is resolved and no connection is made.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { helloOf } from '../../runtime/egress/sni.ts';
import { wishOf } from '../../runtime/egress/tunnel.ts';
import { isObject } from '../../runtime/wire/message.ts';
import { parseStrict } from '../../schemas/json.ts';

/** One thing that was asked for. */
export interface Attempt {
  readonly host: string;
  readonly port: number;
  /** `proxy`: asked of us; `report`: tried without us, as told from inside; `kernel`: as the kernel counted it. */
  readonly via: 'proxy' | 'report' | 'kernel';
  /** What came with it: the head of a request, its body, the first bytes. */
  readonly said: () => string;
}

export interface Sinkhole {
  close(): Promise<void>;
}

interface Options {
  readonly socketPath: string;
  /** The user that servers run as, who alone may connect. */
  readonly owner?: number;
  readonly onAttempt: (attempt: Attempt) => void;
}

const MAX_SAID = 262_144;
/** How long somebody inside may take to say the first words, ms. */
const FIRST_MS = 1000;
const MAX_CONNECTIONS = 64;
const PARSER = {
  insecureHTTPParser: false,
  maxHeaderSize: 65_536,
  headersTimeout: 5000,
  requestTimeout: 10_000,
};

export async function openSinkhole({ socketPath, owner, onAttempt }: Options): Promise<Sinkhole> {
  await rm(socketPath, { force: true });
  const sockets = new Set<Duplex>();
  const server = createServer(PARSER, (incoming, outgoing) => {
    const isReport = incoming.method === 'POST' && incoming.url === '/report';
    void (isReport ? report : plain)(incoming, outgoing, onAttempt).catch(() => outgoing.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  });
  server.on('connect', ({ url = '' }, socket, head) => tunnel({ url, socket, head }, onAttempt));
  server.on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(socketPath, () => resolve());
  });
  await chmod(socketPath, owner === undefined ? 0o666 : 0o600);
  if (owner !== undefined && process.getuid?.() !== owner) await chown(socketPath, owner, owner);
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Keeps the beginning of a stream, and lets the rest go by. */
function keeping(stream: Readable, first = ''): { said: () => string } {
  const chunks: Buffer[] = [Buffer.from(first, 'latin1')];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < MAX_SAID) chunks.push(chunk.subarray(0, MAX_SAID - size));
    size += chunk.length;
  });
  return { said: () => Buffer.concat(chunks).toString('latin1') };
}

type Told = Options['onAttempt'];

/** A request by plain HTTP: all of it is there to be read. */
async function plain(incoming: IncomingMessage, outgoing: ServerResponse, told: Told): Promise<void> {
  const { method = '', url = '', rawHeaders } = incoming;
  const target = URL.canParse(url) ? new URL(url) : null;
  const { said } = keeping(incoming, [method, url, ...rawHeaders, ''].join('\n'));
  const host =
    target === null || target.hostname === '' ? (incoming.headers.host ?? '(none)') : target.hostname;
  const port = Number(target?.port || (target?.protocol === 'https:' ? 443 : 80));
  told({ host: host.toLowerCase().slice(0, 253), port, via: 'proxy', said });
  await new Promise((resolve) => incoming.once('end', resolve).once('close', resolve));
  outgoing.writeHead(403, { 'content-type': 'text/plain', connection: 'close' });
  outgoing.end('Lockkeeper refused it: nothing is reached while a server is scanned\n');
}

/** CONNECT is accepted for as long as it takes to hear whom the TLS inside asks for, or what else is said first. */
function tunnel({ url, socket, head }: { url: string; socket: Duplex; head: Buffer }, told: Told): void {
  const { host, port } = wishOf(url);
  const { said } = keeping(socket, `${url}\n${head.toString('latin1')}`);
  told({ host: host.slice(0, 253), port, via: 'proxy', said });
  const timer = setTimeout(() => socket.destroy(), FIRST_MS);
  socket.on('close', () => clearTimeout(timer));
  socket.once('data', (first: Buffer) => {
    const { name } = helloOf(first);
    if (name !== null && name !== host) told({ host: name, port, via: 'proxy', said: () => '' });
    // What comes in one breath is kept; nothing is ever answered.
    setImmediate(() => socket.destroy());
  });
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
}

/** A direct attempt that the sandbox's own network refused, as told from inside. */
async function report(incoming: IncomingMessage, outgoing: ServerResponse, told: Told): Promise<void> {
  const { said } = keeping(incoming);
  await new Promise((resolve) => incoming.once('end', resolve).once('close', resolve));
  const value = parseStrict(said(), { maxBytes: 4096, maxDepth: 2 });
  if (!isObject(value)) throw new Error('a report that is none');
  const { host, port } = value;
  told({
    host: String(host).toLowerCase().slice(0, 253),
    port: Number(port) || 0,
    via: 'report',
    said: () => '',
  });
  outgoing.writeHead(204).end();
}
