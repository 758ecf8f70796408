/** Bytes to a gateway as no client library would send them, and what comes back. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly statuses: readonly number[];
  readonly text: string;
  /** The other side hung up. */
  readonly closed: boolean;
}

/** How long nothing may come before that is taken for all, ms. */
const QUIET_MS = 700;

export async function rawSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends these bytes on a connection of their own and reads until it is closed, or quiet. */
export async function raw(url: string, bytes: string | Buffer, quietMs = QUIET_MS): Promise<RawAnswer> {
  const socket = await rawSocket(url);
  const parts: Buffer[] = [];
  let closed = false;
  let last = performance.now();
  socket.on('data', (part: Buffer) => {
    parts.push(part);
    last = performance.now();
  });
  socket.on('close', () => {
    closed = true;
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  while (!closed && performance.now() - last < quietMs)
    await new Promise((resolve) => setTimeout(resolve, 10));
  socket.destroy();
  const text = Buffer.concat(parts).toString('utf8');
  return {
    statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)),
    text,
    closed,
  };
}

export interface RawRequest {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** Whole header lines, in the place of or beside the usual ones. */
  readonly lines?: readonly string[];
  /** Usual headers that are left out. */
  readonly without?: readonly string[];
  readonly body?: string | Buffer;
}

/** A request as it should be, but for what is said. Its connection ends with it. */
export function rawRequest(url: string, request: RawRequest = {}): Buffer {
  const { method = 'POST', version = 'HTTP/1.1', lines = [], without = [], body = '' } = request;
  const { host, pathname } = new URL(url);
  const bytes = Buffer.from(body);
  const usual: Record<string, string> = {
    host,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(bytes.length),
    connection: 'close',
  };
  const said = new Set([
    ...without,
    ...lines.map((line) => line.split(':', 1)[0]?.trim().toLowerCase() ?? ''),
  ]);
  const headers = Object.entries(usual).filter(([name]) => !said.has(name));
  const head = [
    `${method} ${request.target ?? pathname} ${version}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...lines,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}
