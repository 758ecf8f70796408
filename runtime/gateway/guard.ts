/** Is this request meant for us, and in a form that can be answered? Nothing of its body is read before. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Gathered } from '../wire/gathered.ts';
import type { GatewayOptions } from './ports.ts';
import { badRequest, HttpRefusal, tooMany } from './refusals.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Headers that decide something; sent twice, two readers could see two requests. */
const ONCE = new Set(['host', 'origin', 'authorization', 'content-type', 'content-length', 'mcp-session-id']);

/** What the Host header may say, with and without the port. */
export function hostsOf({ hosts, host }: Pick<GatewayOptions, 'hosts' | 'host'>): (value: string) => boolean {
  const own = LOOPBACK.includes(host) || host === '::1' ? LOOPBACK : [];
  const known = new Set([...own, ...hosts.map((name) => name.toLowerCase())]);
  return (value) => {
    const lower = value.toLowerCase();
    return known.has(lower) || known.has(lower.replace(/:\d{1,5}$/, ''));
  };
}

/** Throws HttpRefusal 400 or 403: another host’s name, another page’s request, a header twice. */
export function assertMeant(
  request: IncomingMessage,
  isHost: (value: string) => boolean,
  origins: readonly string[],
): void {
  const twice = sentTwice(request.rawHeaders);
  if (twice !== null) {
    throw new HttpRefusal(400, badRequest(`one ${twice} header`, 'two of them', 'Send it once'));
  }
  const { host, origin } = request.headers;
  if (host === undefined || !isHost(host)) {
    const error = new LockkeeperError('HOST_REFUSED', {
      expected: 'a Host header with a name of this gateway',
      found: host === undefined ? 'none' : quote(host),
      next: 'Use the address that the gateway printed, or add the name to hosts in its configuration',
    });
    throw new HttpRefusal(host === undefined ? 400 : 403, error);
  }
  if (origin !== undefined && !isOrigin(origin, isHost, origins)) {
    const error = new LockkeeperError('HOST_REFUSED', {
      expected: 'a request of a program, or of a web page that the configuration names',
      found: `the origin ${quote(origin)}`,
      next: 'Add the page to origins in the gateway’s configuration if it is to call',
    });
    throw new HttpRefusal(403, error);
  }
}

/** `raw`: names and values in turn. */
function sentTwice(raw: readonly string[]): string | null {
  const seen: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (!ONCE.has(name)) continue;
    if (seen.includes(name)) return name;
    seen.push(name);
  }
  return null;
}

/** A page of the gateway’s own address, or one that is named. */
function isOrigin(origin: string, isHost: (value: string) => boolean, origins: readonly string[]): boolean {
  if (origins.includes(origin)) return true;
  const [, host] = /^https?:\/\/([^/]+)$/.exec(origin) ?? [];
  return host !== undefined && isHost(host);
}

/** Few clients call, each in words of its own: headers that were found good are not taken apart again. */
const good = new Set<string>();
const MOST_GOOD = 100;
const GOOD_CHARACTERS = 300;

/** Throws HttpRefusal 406 or 415: a client that could not read the answer, or sends something else. */
export function assertPost({ headers }: IncomingMessage): void {
  const words = `${headers['content-type']}\n${headers.accept}`;
  if (headers['content-encoding'] === undefined && good.has(words)) return;
  assertReadable(headers);
  if (good.size >= MOST_GOOD) good.clear();
  if (words.length <= GOOD_CHARACTERS) good.add(words);
}

function assertReadable(headers: IncomingHttpHeaders): void {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    const found = quote(headers['content-type'] ?? 'no Content-Type');
    throw new HttpRefusal(
      415,
      badRequest('Content-Type: application/json', found, 'Send one JSON-RPC message as JSON'),
    );
  }
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    const found = quote(headers['content-encoding']);
    throw new HttpRefusal(415, badRequest('a body without Content-Encoding', found, 'Send it as it is'));
  }
  assertAccepts(headers.accept, ['application/json', 'text/event-stream']);
}

/** Whether a client names events before plain JSON: it would rather have a stream that it can come back to. */
export function prefersEvents(accept: string | undefined): boolean {
  const types = (accept ?? '').toLowerCase();
  const [events, json] = [types.indexOf('text/event-stream'), types.indexOf('application/json')];
  return events !== -1 && json !== -1 && events < json;
}

/** Throws HttpRefusal 406 unless every one of these types may be answered with. */
export function assertAccepts(accept: string | undefined, types: readonly string[]): void {
  const given = (accept ?? '').split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  const takes = (type: string): boolean =>
    given.includes(type) || given.includes('*/*') || given.includes(`${type.split('/')[0]}/*`);
  if (types.every(takes)) return;
  throw new HttpRefusal(
    406,
    badRequest(
      `Accept: ${types.join(', ')}`,
      quote(accept ?? 'no Accept'),
      'Accept both, as the protocol says',
    ),
  );
}

/**
 * The whole body, at most `limit` bytes; line ends between values become spaces, so that it is one line. `hold` counts
 * what comes, and says whether there is room for it. Throws HttpRefusal 413 or 429, or 400 when the client goes away.
 */
export async function readBody(
  request: IncomingMessage,
  limit: number,
  hold: (bytes: number) => boolean,
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const body = await wholeOf(request, limit, hold);
  for (const end of [10, 13])
    for (let at = body.indexOf(end); at !== -1; at = body.indexOf(end, at + 1)) body[at] = 32;
  return body;
}

/** What is over a bound is not held, and the connection outlives it: whoever refuses reads the rest away. */
function wholeOf(request: IncomingMessage, limit: number, hold: (bytes: number) => boolean): Promise<Buffer> {
  const held = new Gathered();
  return new Promise((resolve, reject) => {
    const refuse = (refusal: HttpRefusal): void => {
      held.clear();
      request.off('data', take);
      reject(refusal);
    };
    const take = (part: Buffer): void => {
      held.push(part);
      if (held.bytes > limit) return refuse(tooLarge(limit));
      if (!hold(part.length)) return refuse(tooMany('so many bytes of requests without an answer'));
    };
    const cut = (): void =>
      refuse(new HttpRefusal(400, badRequest('a whole body', 'a part of it', 'Send it again')));
    request.on('data', take);
    request.on('end', () => {
      request.off('close', cut);
      resolve(held.take());
    });
    request.on('error', cut);
    request.on('close', cut);
  });
}

function tooLarge(limit: number): HttpRefusal {
  const error = new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `a message of at most ${limit} bytes`,
    found: 'a longer one',
    next: 'Send less at once',
  });
  return new HttpRefusal(413, error);
}

const VERSIONS = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** Throws HttpRefusal 400 for a version of the protocol that no session speaks. */
export function assertVersion(version: string | string[] | undefined): void {
  if (version === undefined || VERSIONS.includes(String(version))) return;
  const expected = `MCP-Protocol-Version ${VERSIONS.join(', ')}`;
  throw new HttpRefusal(
    400,
    badRequest(expected, quote(String(version), 40), 'Send the version that was agreed on'),
  );
}

/** Throws HttpRefusal 400 where there is none. */
export function sessionId(request: IncomingMessage): string {
  const id = request.headers['mcp-session-id'];
  if (typeof id === 'string') return id;
  const error = badRequest(
    'the header Mcp-Session-Id',
    'none',
    'Begin with initialize, and send what it gives',
  );
  throw new HttpRefusal(400, error);
}
