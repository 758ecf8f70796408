/**
 * A way out that leads nowhere, in the place of the egress proxy: whatever is asked for is written down with what came
 * first, and refused. No name is resolved and no connection is made.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { helloOf } from '../../runtime/egress/sni.ts';
import { wishOf } from '../../runtime/egress/tunnel.ts';
import { isObject } from '../../runtime/wire/message.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { Authority } from './authority.ts';

/** One thing that was asked for. */
export interface Attempt {
  readonly host: string;
  readonly port: number;
  /** `proxy`: asked of us; `report`: tried without us, as told from inside; `kernel`: as the kernel counted it. */
  readonly via: 'proxy' | 'report' | 'kernel';
  /** What came with it so far: the head of a request, its body, the first bytes. */
  readonly said: () => string;
}

export interface Sinkhole {
  close(): Promise<void>;
}

interface Options {
  readonly socketPath: string;
  /** The user that servers run as, who alone may connect. */
  readonly owner?: number;
  /** Believed inside, so that TLS can be read. */
  readonly authority: Pick<Authority, 'contextFor'>;
  readonly onAttempt: (attempt: Attempt) => void;
}

const MAX_SAID = 262_144;
/** How long a connection is listened to, ms. */
const HEARD_MS = 5000;
const TLS_HANDSHAKE = 22;
const MAX_CONNECTIONS = 64;
const PARSER = {
  insecureHTTPParser: false,
  maxHeaderSize: 65_536,
  headersTimeout: 5000,
  requestTimeout: 10_000,
};

export async function openSinkhole({ socketPath, owner, authority, onAttempt }: Options): Promise<Sinkhole> {
  await rm(socketPath, { force: true });
  const sockets = new Set<Duplex>();
  /** What was said so far, by the connection inside TLS. */
  const inside = new WeakMap<Duplex, Said>();
  const server = createServer(PARSER, (incoming, outgoing) => {
    const said = inside.get(incoming.socket);
    const isReport = said === undefined && incoming.method === 'POST' && incoming.url === '/report';
    const done = isReport
      ? report(incoming, outgoing, onAttempt)
      : request({ incoming, outgoing, said }, onAttempt);
    void done.catch(() => outgoing.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
  });
  const unwrap = (socket: Socket, host: string, said: Said): void => {
    try {
      const opened = new TLSSocket(socket, { isServer: true, secureContext: authority.contextFor(host) });
      inside.set(opened, said);
      server.emit('connection', opened);
    } catch {
      // A name that no certificate can be for.
      socket.destroy();
    }
  };
  server.on('connect', ({ url = '' }, socket, head) => {
    tunnel({ url, head, socket: socket as Socket, unwrap }, onAttempt);
  });
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

type Told = Options['onAttempt'];

/** Text of one connection, as far as it is kept. */
interface Said {
  add(text: string): void;
  text(): string;
}

function nothingSaid(): Said {
  let text = '';
  return {
    add: (more) => {
      text += more.slice(0, Math.max(0, MAX_SAID - text.length));
    },
    text: () => text,
  };
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Of the TLS connection that it came in; without one it is told of as a connection of its own. */
  readonly said: Said | undefined;
}

/** A request that can be read: all of it is kept, and it is refused. */
async function request({ incoming, outgoing, said }: Exchange, told: Told): Promise<void> {
  const { method = '', url = '', rawHeaders, headers } = incoming;
  const kept = said ?? nothingSaid();
  kept.add([method, url, ...rawHeaders, ''].join('\n'));
  if (said === undefined) {
    const target = URL.canParse(url) ? new URL(url) : null;
    const host = target === null || target.hostname === '' ? (headers.host ?? '(none)') : target.hostname;
    const port = Number(target?.port || (target?.protocol === 'https:' ? 443 : 80));
    told({ host: host.toLowerCase().slice(0, 253), port, via: 'proxy', said: kept.text });
  }
  const body = await bodyOf(incoming);
  kept.add(body.toString('latin1'));
  kept.add(unpacked(body, headers['content-encoding']));
  outgoing.writeHead(403, { 'content-type': 'text/plain', connection: 'close' });
  outgoing.end('Lockkeeper refused it: nothing is reached while a server is scanned\n');
}

/** The beginning of a body; the rest goes by. */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    if (size < MAX_SAID) chunks.push(chunk.subarray(0, MAX_SAID - size));
    size += chunk.length;
  }
  return Buffer.concat(chunks);
}

/** Empty where it is not packed, or cannot be unpacked. */
function unpacked(body: Buffer, encoding: string | undefined): string {
  const unpack = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync }[encoding ?? ''];
  try {
    return unpack?.(body, { maxOutputLength: MAX_SAID }).toString('latin1') ?? '';
  } catch {
    return '';
  }
}

interface Tunnel {
  readonly url: string;
  readonly head: Buffer;
  readonly socket: Socket;
  readonly unwrap: (socket: Socket, host: string, said: Said) => void;
}

/** CONNECT is accepted, and nobody is there: inside TLS we answer ourselves, and anything else is heard and not answered. */
function tunnel({ url, head, socket, unwrap }: Tunnel, told: Told): void {
  const { host, port } = wishOf(url);
  const said = nothingSaid();
  said.add(`${url}\n`);
  told({ host: host.slice(0, 253), port, via: 'proxy', said: said.text });
  const timer = setTimeout(() => socket.destroy(), HEARD_MS);
  socket.on('close', () => clearTimeout(timer));
  if (head.length > 0) socket.unshift(head);
  socket.once('data', (first: Buffer) => {
    said.add(first.toString('latin1'));
    if (first[0] !== TLS_HANDSHAKE) return void setImmediate(() => socket.destroy());
    const { name } = helloOf(first);
    if (name !== null && name !== host) told({ host: name, port, via: 'proxy', said: said.text });
    socket.pause();
    socket.unshift(first);
    unwrap(socket, name ?? host, said);
  });
  socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
}

/** A direct attempt that the sandbox's own network refused, as told from inside. */
async function report(incoming: IncomingMessage, outgoing: ServerResponse, told: Told): Promise<void> {
  const value = parseStrict(await bodyOf(incoming), { maxBytes: 4096, maxDepth: 2 });
  if (!isObject(value)) throw new Error('a report that is none');
  const host = String(value.host).toLowerCase().slice(0, 253);
  told({ host, port: Number(value.port) || 0, via: 'report', said: () => '' });
  outgoing.writeHead(204).end();
}
