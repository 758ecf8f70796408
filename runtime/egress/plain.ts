/** A request by plain HTTP, in the form that proxies are asked in: the whole address, scheme and all (RFC 9112 3.2.2). */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { http } from '../lazy.ts';
import type { Desk, Wish } from './decide.ts';
import { IDLE_MS } from './tunnel.ts';

/** What is between two neighbours and goes no further (RFC 9110 7.6.1), and what is for us. */
const HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Bytes of the head of a request, and of an answer. */
export const MAX_HEAD = 16_384;

interface Target {
  readonly wish: Wish;
  readonly path: string;
  /** Host and port as the address named them. */
  readonly named: string;
}

function targetOf({ url = '', headers, rawHeaders }: IncomingMessage): Target {
  const target = URL.canParse(url) ? new URL(url) : null;
  if (target === null || target.hostname === '') {
    const host = (headers.host ?? '(none)').toLowerCase();
    return {
      wish: { host, port: 0, refused: 'not the whole address of what is asked for' },
      path: '',
      named: '',
    };
  }
  const { protocol, hostname, username, password, pathname, search, host: named } = target;
  const port = Number(target.port || (protocol === 'https:' ? 443 : 80));
  const wish = { host: hostname.toLowerCase(), port };
  const rest = { path: pathname + search, named };
  if (protocol !== 'http:') return { wish: { ...wish, refused: 'plain requests are http alone' }, ...rest };
  if (username !== '' || password !== '')
    return { wish: { ...wish, refused: 'a target with credentials' }, ...rest };
  if (port === 443) return { wish: { ...wish, refused: 'TLS alone goes to 443' }, ...rest };
  if (hostsOf(rawHeaders).length > 1) return { wish: { ...wish, refused: 'Host is there twice' }, ...rest };
  return { wish, ...rest };
}

/** Every Host that was sent. One that names another host than the address is replaced by it (RFC 9112 3.2.2). */
function hostsOf(raw: readonly string[]): string[] {
  return raw.filter((_, index) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === 'host');
}

export async function plain(incoming: IncomingMessage, outgoing: ServerResponse, desk: Desk): Promise<void> {
  const { wish, path, named } = targetOf(incoming);
  const { address, reason } = await desk.decide(wish);
  if (address === null) {
    outgoing.writeHead(403, { 'content-type': 'text/plain', connection: 'close' });
    outgoing.end(`Lockkeeper refused ${wish.host}:${wish.port}: ${reason}\n`);
    return;
  }
  const outside = http().request(
    {
      // One connection to each request: no other request's, and no proxy of whoever started us.
      agent: false,
      host: address,
      port: wish.port,
      method: incoming.method,
      path,
      timeout: IDLE_MS,
      insecureHTTPParser: false,
      maxHeaderSize: MAX_HEAD,
      headers: { ...onwards(incoming.headers), ...framingOf(incoming.headers), host: named },
    },
    (answer) => {
      answer.on('error', () => outgoing.destroy());
      if (begun(answer, outgoing)) answer.pipe(outgoing);
      else outside.destroy();
    },
  );
  outside.on('timeout', () => outside.destroy());
  outside.on('error', () => outgoing.destroy());
  // An answer to a request for another protocol, which was not passed on.
  outside.on('upgrade', () => outside.destroy());
  outgoing.on('close', () => outside.destroy());
  incoming.pipe(outside);
}

/** False for a head that nobody may send on, such as one of the status 099: it is refused by an exception. */
function begun({ statusCode = 502, headers }: IncomingMessage, outgoing: ServerResponse): boolean {
  try {
    outgoing.writeHead(statusCode, onwards(headers));
    return true;
  } catch {
    outgoing.destroy();
    return false;
  }
}

/** A body of a GET would go out without a frame of its own, and be read as the next request. */
function framingOf(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' };
}

/** Without what ends here, and what `connection` says ends here. */
function onwards(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP.has(name) && !named.includes(name)),
  );
}
