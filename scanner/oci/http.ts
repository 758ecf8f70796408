/** Bytes over HTTP from a container registry and from where it leads: bounded, and never to an address of a machine's own. */
import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { readBounded } from '../../runtime/fetched.ts';
import { mayReach } from '../../runtime/remote/address.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { openDispatcher } from '../proxies.ts';
import { incomplete } from '../tree.ts';
import type { OciOptions } from './options.ts';

/** For one answer, ms. A layer of half a gigabyte has to come in this time. */
const WHOLE_MS = 300_000;
const STALL_MS = 30_000;
const MAX_HOPS = 5;

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  /** Where it says that the rest is; null without a redirection. */
  readonly location: string | null;
  /** How it wants to be signed in to; null where it does not say. */
  readonly challenge: string | null;
  /** Where a list goes on; null at its end. */
  readonly next: string | null;
  /** What it calls these bytes: an ETag, or when they changed, as the next request may say. Null where it does not say. */
  readonly mark: Mark | null;
  /** Digest that a container registry says a manifest has. */
  readonly digest: string | null;
}

/** Name and value of the header that asks for these bytes only if they are others now. */
export type Mark = readonly ['if-none-match' | 'if-modified-since', string];

export interface Want {
  readonly accept: string;
  readonly maxBytes: number;
  /** For sentences. */
  readonly what: string;
  /** Ask for no bytes at all. */
  readonly headOnly?: true;
  /** Ask for the bytes only if they are not those of this mark; status 304 if they are. */
  readonly unless?: Mark | null;
}

export interface Carrier {
  /** Scheme and host of the registry. */
  readonly base: string;
  /** One request, no redirection followed. Throws SOURCE_UNREACHABLE, CLOSURE_INCOMPLETE for more than is wanted. */
  get(url: string, want: Want, authorization?: string): Promise<Answer>;
  /** Follows up to five redirections, without credentials and never from https to http. */
  follow(location: string, from: string, want: Want): Promise<Answer>;
  close(): Promise<void>;
}

/** Registries on this machine alone are spoken to without TLS, as Docker does. */
const LOOPBACK = /^(?:localhost|127(?:[.][0-9]{1,3}){3})(?::[0-9]+)?$/;
/** Where Docker's own registry really is. */
const HUB = 'registry-1.docker.io';

export function openCarrier(host: string, { environment }: OciOptions): Carrier {
  const local = LOOPBACK.test(host);
  const dispatcher = dispatcherOf(environment, local);
  const get: Carrier['get'] = (url, want, authorization) =>
    once(addressOf(url, want.what), want, { dispatcher, local, ...(authorization ? { authorization } : {}) });
  return {
    base: `${local ? 'http' : 'https'}://${host === 'docker.io' ? HUB : host}`,
    get,
    follow: async (location, from, want) => {
      let [at, next] = [from, location];
      for (let hop = 0; hop < MAX_HOPS; hop++) {
        const to = addressOf(URL.canParse(next, at) ? new URL(next, at).href : next, want.what);
        if (new URL(at).protocol === 'https:' && to.protocol !== 'https:')
          throw unreachable(want.what, `a way from https to ${to.protocol}//`);
        const answer = await get(to.href, want);
        if (answer.location === null) return answer;
        [at, next] = [to.href, answer.location];
      }
      throw unreachable(want.what, `more than ${MAX_HOPS} redirections`);
    },
    close: () => dispatcher.close(),
  };
}

function dispatcherOf(environment: OciOptions['environment'], local: boolean): Dispatcher {
  const timeouts = { bodyTimeout: STALL_MS, headersTimeout: STALL_MS };
  if (local) return new Agent({ connect: { lookup }, ...timeouts });
  return openDispatcher({ environment, ...timeouts, direct: { connect: { lookup: lookupOutside } } });
}

/**
 * A company's registry may stand in its own network; this machine itself, link-local and metadata addresses are nowhere
 * that a registry, its token service or its storage is.
 */
const lookupOutside: LookupFunction = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, '', 0);
    const bad = addresses.find(({ address }) => isLoopback(address) || !mayReach(address, 'private'));
    const [first] = addresses;
    if (bad || !first) return done(new Error(`${host} leads to ${bad?.address ?? 'nowhere'}`), '', 0);
    if (options.all) return done(null, addresses);
    return done(null, first.address, first.family);
  });
};

function isLoopback(address: string): boolean {
  return /^127[.]/.test(address) || /^(?:::1|::ffff:127[.].*)$/i.test(address);
}

/** Of the web, without a password in it. */
function addressOf(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw unreachable(what, `${quote(text, 200)}, which is no address of the web`);
  if (url.username !== '' || url.password !== '') throw unreachable(what, 'an address with a password in it');
  return url;
}

async function once(
  url: URL,
  { accept, maxBytes, what, headOnly, unless }: Want,
  { dispatcher, local, authorization }: { dispatcher: Dispatcher; local: boolean; authorization?: string },
): Promise<Answer> {
  const bare = url.hostname.replace(/^\[|\]$/g, '');
  const headers = {
    ...{ accept, 'user-agent': 'lockkeeper' },
    ...(authorization ? { authorization } : {}),
    ...(unless ? { [unless[0]]: unless[1] } : {}),
  };
  try {
    if (isIP(bare) !== 0 && ((!local && isLoopback(bare)) || !mayReach(bare, 'private')))
      throw unreachable(what, `${bare}, where nothing of a registry is`);
    const answer = await request(url, {
      method: headOnly ? 'HEAD' : 'GET',
      dispatcher,
      headers,
      signal: AbortSignal.timeout(WHOLE_MS),
    });
    const { statusCode: status } = answer;
    const header = (name: string): string | null => {
      const value = answer.headers[name];
      return typeof value === 'string' ? value : null;
    };
    const location = status >= 300 && status < 400 ? header('location') : null;
    const rest = {
      status,
      location,
      type: header('content-type') ?? '',
      challenge: header('www-authenticate'),
      next: nextIn(header('link')),
      mark: markOf(header('etag'), header('last-modified')),
      digest: header('docker-content-digest'),
    };
    if (status === 200 && !headOnly) {
      const body = await readBounded(answer.body, maxBytes);
      if (body === null) throw incomplete(`${what} in at most ${maxBytes} bytes`, 'more');
      return { ...rest, body };
    }
    await answer.body.dump({ limit: 65_536 });
    return { ...rest, body: Buffer.alloc(0) };
  } catch (cause) {
    if (cause instanceof LockkeeperError) throw cause;
    throw unreachable(what, quote((cause as Error).message, 200), cause);
  }
}

/** Of a length and a form that may be sent back. */
function markOf(etag: string | null, modified: string | null): Mark | null {
  if (etag !== null && /^(?:W\/)?"[\x21\x23-\x7e]{1,500}"$/.test(etag)) return ['if-none-match', etag];
  return modified !== null && /^[A-Za-z0-9,: +-]{1,60}$/.test(modified)
    ? ['if-modified-since', modified]
    : null;
}

/** `<address>; rel="next"`. */
function nextIn(link: string | null): string | null {
  return /<([^>]*)>\s*;[^,]*rel="?next"?/i.exec(link ?? '')?.[1] ?? null;
}

export function unreachable(what: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('SOURCE_UNREACHABLE', {
    expected: `${what} from the container registry`,
    found,
    next: 'Check the name; if it takes a sign-in, run docker login on the machine that scans; then try again',
    cause,
  });
}
