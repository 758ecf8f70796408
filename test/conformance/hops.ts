/** What stands between the suite and the server: nothing, a hop that changes nothing, or one that loses something. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Certified } from '../helpers/certificates.ts';

export const FIXTURE = join(import.meta.dirname, '../servers/conformance.mjs');

export interface Hop {
  readonly url: string;
  close(): Promise<void>;
}

/** The fixture, or another server, by itself, on a port of its own. */
export async function openFixture(file = FIXTURE): Promise<Hop> {
  const child = spawn(process.execPath, [file, 'http'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the conformance server ended with ${code} before it listened`);
  });
  const [url] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  ended.catch(() => undefined);
  return {
    url,
    close: async () => {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** What a hop does to the headers of a request and to the text of an answer. */
export interface Loss {
  headers?(headers: NodeJS.Dict<string | string[]>): void;
  /** Has the whole body of a request. */
  body?(body: string): string;
  status?(status: number): number;
  text?(text: string): string;
}

export interface Passthrough {
  readonly loss?: Loss;
  /** Listens with TLS, as `localhost`. */
  readonly tls?: Certified;
}

/** Bytes in, the same bytes out, as they come; and what a loss makes of them. */
export async function openPassthrough(target: string, { loss = {}, tls }: Passthrough = {}): Promise<Hop> {
  const take = (req: IncomingMessage, res: ServerResponse): void => forward(req, res, { target, loss });
  const server = tls ? createTlsServer({ key: tls.key, cert: tls.cert }, take) : createServer(take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}${new URL(target).pathname}`,
    close: async () => {
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
}

function forward(
  req: IncomingMessage,
  res: ServerResponse,
  { target, loss }: { target: string; loss: Loss },
): void {
  const headers = { ...req.headers };
  loss.headers?.(headers);
  if (loss.body) delete headers['content-length'];
  const upstream = request(target, { method: req.method ?? 'GET', headers, setHost: false }, (answer) => {
    const status = answer.statusCode ?? 502;
    const { 'content-length': _length, ...rest } = answer.headers;
    res.writeHead(loss.status?.(status) ?? status, loss.text ? rest : answer.headers);
    res.flushHeaders();
    answer.on('data', (chunk: Buffer) => {
      // The fixture writes one message at a time, so a chunk is never half of one.
      res.write(loss.text ? loss.text(chunk.toString()) : chunk);
    });
    answer.on('end', () => res.end());
    answer.on('error', () => res.destroy());
  });
  upstream.on('error', () => res.destroy());
  res.on('close', () => upstream.destroy());
  const { body } = loss;
  if (!body) return void req.pipe(upstream);
  const parts: Buffer[] = [];
  req.on('data', (part: Buffer) => void parts.push(part));
  req.on('end', () => upstream.end(body(Buffer.concat(parts).toString())));
}
