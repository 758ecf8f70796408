/** Bytes from an index: bounded in size and time, redirections followed by hand, credentials shown to the index alone. */
import { type Dispatcher, request } from 'undici';
import { readBounded } from '../../runtime/fetched.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { openDispatcher } from '../proxies.ts';
import type { PypiOptions } from './options.ts';

const WHOLE_MS = 120_000;
const MAX_HOPS = 5;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  /** Where it came from in the end. */
  readonly url: string;
}

export interface Want {
  readonly accept: string;
  readonly maxBytes: number;
  /** For sentences: the wheels of name, the versions of name. */
  readonly what: string;
}

export interface IndexClient {
  /** Throws SOURCE_UNREACHABLE. Any status is an answer. */
  get(url: string, want: Want): Promise<Answer>;
  close(): Promise<void>;
}

export function indexClient(options: PypiOptions): IndexClient {
  const dispatcher = dispatcherOf(options);
  return { get: (url, want) => get(url, want, { dispatcher, options }), close: () => dispatcher.close() };
}

function dispatcherOf({ ca, proxy, environment }: PypiOptions): Dispatcher {
  const tls = ca === null ? {} : { ca };
  return openDispatcher({ environment, proxy, connect: tls, requestTls: tls });
}

async function get(
  first: string,
  want: Want,
  { dispatcher, options }: { dispatcher: Dispatcher; options: PypiOptions },
): Promise<Answer> {
  const signal = AbortSignal.timeout(WHOLE_MS);
  let url = addressOf(first, want);
  try {
    for (let hop = 0; hop <= MAX_HOPS; hop++) {
      const headers = { accept: want.accept, 'user-agent': 'lockkeeper', ...credentialsFor(url, options) };
      const plain = new URL(url.href);
      plain.username = '';
      plain.password = '';
      const answer = await request(plain, { dispatcher, headers, signal });
      const next = answer.headers.location;
      if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof next === 'string') {
        await answer.body.dump();
        const to = addressOf(new URL(next, plain).href, want);
        if (url.protocol === 'https:' && to.protocol !== 'https:')
          throw unreachable(want, `a way from https to ${to.protocol}//`);
        url = to;
        continue;
      }
      const body = await readBounded(answer.body, want.maxBytes);
      if (body === null) throw tooLarge(want);
      const type = String(answer.headers['content-type'] ?? '');
      return { status: answer.statusCode, type, body, url: plain.href };
    }
  } catch (cause) {
    if (cause instanceof LockkeeperError) throw cause;
    throw unreachable(want, quote((cause as Error).message, 200), cause);
  }
  throw unreachable(want, `more than ${MAX_HOPS} redirections`);
}

function addressOf(text: string, want: Want): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw unreachable(want, `${quote(text, 200)}, which is no address of the web`);
}

/** Those that the index has in its address, at the same origin alone. */
function credentialsFor(url: URL, { indexes }: PypiOptions): { authorization?: string } {
  for (const index of indexes) {
    const { origin, username, password } = new URL(index);
    if (username === '' || origin !== url.origin) continue;
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
  }
  return {};
}

function tooLarge({ what, maxBytes }: Want): LockkeeperError {
  return new LockkeeperError('CLOSURE_INCOMPLETE', {
    expected: `${what} in at most ${maxBytes} bytes`,
    found: 'more',
    next: 'Such a release cannot be pinned whole; use another version or tell its maintainers',
  });
}

export function unreachable({ what }: Pick<Want, 'what'>, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('SOURCE_UNREACHABLE', {
    expected: `${what} from the package index`,
    found,
    next: 'Check the index in pip config and try again',
    cause,
  });
}
