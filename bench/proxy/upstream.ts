/**
 * A hand-written server over HTTP that answers at once, both eras; argv[2] and argv[3] name a key and a certificate. It
 * listens twice, plainly and over TLS, and tells both ports as one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ECHO_TOOL, INFO } from './words.ts';

interface Asked {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly message?: string } };
}

const META = { 'io.modelcontextprotocol/serverInfo': INFO };
const CAPABILITIES = { tools: {} };

function resultOf({ method, params }: Asked): object {
  if (method === 'initialize')
    return { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo: INFO };
  if (method === 'server/discover')
    return { supportedVersions: ['2026-07-28'], capabilities: CAPABILITIES, _meta: META };
  if (method === 'tools/list') return { tools: [ECHO_TOOL] };
  return { content: [{ type: 'text', text: params?.arguments?.message ?? '' }] };
}

function take(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Asked;
    if (asked.id === undefined) return void response.writeHead(202).end();
    const answer = { jsonrpc: '2.0', id: asked.id, result: resultOf(asked) };
    const body = Buffer.from(JSON.stringify(answer));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    response.writeHead(200, headers).end(body);
  });
}

const [key, cert] = process.argv.slice(2, 4).map((path) => readFileSync(path));
const settings = { keepAliveTimeout: 60_000, noDelay: true };
const plain = createServer(settings, take).listen(0, '127.0.0.1');
const tls = createTlsServer({ ...settings, key, cert }, take).listen(0, '127.0.0.1');
await Promise.all([plain, tls].map((server) => new Promise((resolve) => server.once('listening', resolve))));
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
process.stdout.write(`${JSON.stringify({ plain: portOf(plain), tls: portOf(tls) })}\n`);
