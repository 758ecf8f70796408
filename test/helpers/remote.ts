/** Remote servers on loopback, over TLS: the SDKs' own, and one whose every answer a test writes. */
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McpServer as OldServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { EgressEvent } from '../../runtime/ports.ts';
import { openRemote, type RemoteOptions, type RemoteServer } from '../../runtime/remote/open.ts';
import { spkiOf } from '../../runtime/remote/tls.ts';
import { openPeer, type Peer } from '../../runtime/session/peer.ts';
import type { Message } from '../../runtime/wire/message.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { TlsPins } from '../../schemas/remote.ts';
import { type Authority, type Certified, certify, makeAuthority } from './certificates.ts';

export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  body: string,
) => void | Promise<void>;

let shared: { authority: Authority; pair: Certified } | undefined;

export function newAuthority(): Authority {
  return makeAuthority(mkdtempSync(join(tmpdir(), 'lk-ca-')), 'authority');
}

/** A certificate for a server of this name. */
export function forServer(
  authority: Authority,
  name: string,
  more: { days?: number; key?: string; keyless?: boolean } = {},
): Certified {
  return certify(authority, { name, san: `DNS:${name}`, usage: 'serverAuth', ...more });
}

/** One authority for all tests of a file: making keys takes its time. */
export function sharedTls(): { authority: Authority; pair: Certified } {
  if (shared) return shared;
  const authority = newAuthority();
  shared = { authority, pair: forServer(authority, 'localhost') };
  return shared;
}

export interface Served {
  readonly url: string;
  readonly port: number;
  /** Every request: method, headers and body. */
  readonly seen: { method: string; headers: IncomingMessage['headers']; body: string }[];
  readonly connections: () => number;
  readonly sockets: ReadonlySet<Socket>;
  /** The next connections are answered with another certificate. */
  readonly become: (pair: Certified) => void;
  readonly close: () => Promise<void>;
}

/** Closed with the test. */
export async function serveTls(
  answer: Answer,
  { pair = sharedTls().pair, path = '/mcp' } = {},
): Promise<Served> {
  const seen: Served['seen'] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer(
    { key: pair.key, cert: pair.cert, keepAliveTimeout: 60_000 },
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        seen.push({ method: request.method ?? '', headers: request.headers, body });
        void answer(request, response, body);
      });
    },
  );
  server.on('secureConnection', (socket) => {
    count++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  onTestFinished(close);
  const become = ({ key, cert }: Certified): void => server.setSecureContext({ key, cert });
  return {
    url: `https://localhost:${port}${path}`,
    port,
    seen,
    connections: () => count,
    sockets,
    become,
    close,
  };
}

const said = (text: string) => ({ content: [{ type: 'text' as const, text }] });

/** What both SDKs serve: a tool that answers, one that tells of its progress, one that asks its client. */
function oldServer(): OldServer {
  const server = new OldServer({ name: 'remote', version: '1.0.0' }, { capabilities: { logging: {} } });
  server.registerTool(
    'echo',
    { description: 'Says it again', inputSchema: { text: z.string() } },
    ({ text }) => said(text),
  );
  server.registerTool('slow', { description: 'Tells how far it is' }, async (extra) => {
    const progressToken = extra._meta?.progressToken;
    for (let progress = 1; progress <= 3 && progressToken !== undefined; progress++)
      await extra.sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 3 },
      });
    return said('done');
  });
  server.registerTool('ask', { description: 'Asks a person' }, async (extra) => {
    const { action } = await server.server.elicitInput(
      { message: 'well?', requestedSchema: { type: 'object', properties: {} } },
      { relatedRequestId: extra.requestId },
    );
    return said(action);
  });
  return server;
}

/** The older SDK's transport of sessions. */
export async function serveSessions(json = false): Promise<Served & { forget: () => void }> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const served = await serveTls(async (request, response, body) => {
    const named = request.headers['mcp-session-id'];
    let transport = typeof named === 'string' ? transports.get(named) : undefined;
    if (named !== undefined && !transport) return void response.writeHead(404).end();
    if (!transport) {
      const made = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        enableJsonResponse: json,
        onsessioninitialized: (id) => void transports.set(id, made),
      });
      transport = made;
      await oldServer().connect(made as never);
    }
    await transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
  });
  return { ...served, forget: () => transports.clear() };
}

/** HTTP+SSE. */
export async function serveOld(): Promise<Served> {
  const transports = new Map<string, SSEServerTransport>();
  return serveTls(
    async (request, response, body) => {
      if (request.method === 'GET') {
        const transport = new SSEServerTransport('/messages', response);
        transports.set(transport.sessionId, transport);
        return oldServer().connect(transport);
      }
      const id = new URL(request.url ?? '', 'https://localhost').searchParams.get('sessionId') ?? '';
      await transports.get(id)?.handlePostMessage(request, response, JSON.parse(body));
    },
    { path: '/sse' },
  );
}

function echoTool(server: McpServer): void {
  server.registerTool(
    'echo',
    { description: 'Says it again', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => said(text),
  );
}

/** The newer SDK: both eras, or the stateless one alone. */
export async function serveBoth(
  legacy: 'stateless' | 'reject' = 'reject',
  /** Whether it answered in the server's place. */
  gate: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
  tools: (server: McpServer) => void = echoTool,
): Promise<Served> {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'remote', version: '2.0.0' });
      tools(server);
      return server;
    },
    { legacy },
  );
  return serveTls(async (request, response, body) => {
    if (gate(request, response)) return;
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers))
      if (typeof value === 'string') headers.set(name, value);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const answer = await handler.fetch(
      new Request(`https://localhost${request.url}`, {
        method: request.method ?? 'GET',
        headers,
        signal: gone.signal,
        ...(body === '' ? {} : { body }),
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) for await (const chunk of answer.body) response.write(chunk);
    response.end();
  });
}

export function pinsOf({ cert }: Certified, ca = sharedTls().authority.cert): TlsPins {
  return { leaf: [spkiOf(new X509Certificate(cert))], issuer: [], ca };
}

export interface Connected {
  readonly server: RemoteServer;
  readonly peer: Peer;
  readonly heard: Message[];
  readonly bad: LockkeeperError[];
  readonly events: EgressEvent[];
  /** Why it is gone. */
  readonly gone: Promise<LockkeeperError>;
}

/** Connected through our carrier; stopped with the test. */
export async function connectTo(
  url: string,
  {
    transport = 'streamable-http',
    tls = pinsOf(sharedTls().pair),
    ...more
  }: Partial<RemoteOptions> & { transport?: 'streamable-http' | 'http-sse'; tls?: TlsPins } = {},
): Promise<Connected> {
  const events: EgressEvent[] = [];
  const server = await openRemote({
    launch: { url, transport, reach: 'private', tls },
    record: async (event) => void events.push(event),
    ...more,
  });
  onTestFinished(async () => void (await server.stop(0)));
  const heard: Message[] = [];
  const bad: LockkeeperError[] = [];
  let end: (error: LockkeeperError) => void = () => undefined;
  const gone = new Promise<LockkeeperError>((resolve) => {
    end = resolve;
  });
  const peer = openPeer(server, {
    message: (message) => void heard.push(message),
    badLine: (error) => void bad.push(error),
    gone: (error) => end(error),
  });
  return { server, peer, heard, bad, events, gone };
}
