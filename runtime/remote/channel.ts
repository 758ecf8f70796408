/** HTTP to one origin over pinned connections: requests out, answers in as they come, nothing followed or unpacked. */
import type { TLSSocket } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Dial, type Dialled, dial } from './tls.ts';

/** Connections at once: each answer that is still open holds one. */
export const MAX_CONNECTIONS = 128;
const MAX_HEADER_BYTES = 16_384;
/** How long a server may think before it begins to answer, ms. */
const HEAD_MS = 10 * 60_000;
const KEEP_MS = 30_000;
/** Interim answers (1xx) before the answer. */
const MAX_INFORMED = 16;

export interface Ask {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface Reply {
  readonly status: number;
  /** By small name; a header that came twice is refused where it matters. */
  readonly header: (name: string) => string | undefined;
}

interface ReplyHandlers {
  readonly head: (reply: Reply) => void;
  readonly data: (chunk: Buffer) => void;
  readonly end: () => void;
  /** Nothing follows. Not called after `abort`. */
  readonly failed: (error: LockkeeperError) => void;
}

/** One request on its way. */
export interface Flight {
  abort(): void;
  pause(): void;
  resume(): void;
}

export interface Channel {
  readonly first: Dialled;
  ask(ask: Ask, handlers: ReplyHandlers): Flight;
  /** Ends all requests and connections at once. */
  destroy(): Promise<void>;
}

/** Connects once, so that whoever is not the one who was reviewed is refused before anything is said. */
export async function openChannel(to: Dial): Promise<Channel> {
  const { Pool } = await import('undici');
  const first = await dial(to);
  let spare: TLSSocket | null = first.socket;
  const drop = (): void => {
    spare = null;
  };
  spare.once('close', drop).once('error', drop);
  const pool = new Pool(new URL(to.launch.url).origin, {
    connections: MAX_CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEAD_MS,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_MS,
    keepAliveMaxTimeout: 10 * KEEP_MS,
    connect: (_, done) => {
      if (spare) {
        const socket = spare;
        socket.off('close', drop).off('error', drop);
        spare = null;
        // Not before this call returns: the pool counts on that.
        return queueMicrotask(() => done(null, socket));
      }
      dial(to).then(
        ({ socket }) => done(null, socket),
        (error: Error) => done(error, null),
      );
    },
  });
  return {
    first,
    ask: (ask, handlers) => send(pool, ask, handlers),
    destroy: async () => {
      spare?.destroy();
      await pool.destroy().catch(() => undefined);
    },
  };
}

function send(pool: Pool, { method, path, headers, body }: Ask, on: ReplyHandlers): Flight {
  let controller: Dispatcher.DispatchController | null = null;
  let over = false;
  let paused = false;
  let informed = 0;
  const failed = (error: unknown): void => {
    if (over) return;
    over = true;
    on.failed(failureOf(error));
  };
  /** What a handler throws ends the request, and is told as its failure. */
  const guarded = (step: () => void): void => {
    if (over) return;
    try {
      step();
    } catch (error) {
      failed(error);
      controller?.abort(asLockkeeperError(error));
    }
  };
  pool.dispatch(
    { method, path, headers: { ...headers, 'accept-encoding': 'identity' }, body: body ?? null },
    {
      onRequestStart: (started) => {
        controller = started;
        if (over) started.abort(new Error('given up'));
        else if (paused) started.pause();
      },
      onResponseStart: (_, status, fields) =>
        guarded(() => {
          const header = (name: string): string | undefined => one(name, fields[name]);
          if (status >= 200) on.head(plain({ status, header }));
          else if (++informed > MAX_INFORMED) throw broken('an answer', `${informed} promises of one`);
        }),
      onResponseData: (_, chunk) => guarded(() => on.data(chunk)),
      onResponseEnd: () =>
        guarded(() => {
          over = true;
          on.end();
        }),
      onResponseError: (_, error) => failed(error),
    },
  );
  return {
    abort: () => {
      if (over) return;
      over = true;
      controller?.abort(new Error('given up'));
    },
    pause: () => {
      paused = true;
      controller?.pause();
    },
    resume: () => {
      paused = false;
      controller?.resume();
    },
  };
}

function one(name: string, value: string | string[] | undefined): string | undefined {
  if (!Array.isArray(value)) return value;
  throw broken(`the header ${name} once`, `${value.length} of them`);
}

/** Not sent elsewhere, not packed. */
function plain(reply: Reply): Reply {
  const { status, header } = reply;
  if (status >= 300 && status < 400) {
    throw broken(
      'an answer at the address that was reviewed',
      `a redirection (${status})`,
      'Redirections are not followed; publish the address that it leads to, if that is the server',
      `to ${quote(header('location') ?? 'nowhere', 200)}`,
    );
  }
  const encoding = header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw broken('an answer as it is, as asked for', `one packed as ${quote(encoding, 60)}`);
  return reply;
}

/** `words` as in `Detail`. */
export function broken(
  ...[expected, found, next, words]: [expected: string, found: string, next?: string, words?: string]
): LockkeeperError {
  return new LockkeeperError('REMOTE_INVALID', {
    expected,
    found,
    words,
    next: next ?? 'The server breaks its transport; tell its operator',
  });
}

const UNREADABLE: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

function failureOf(thrown: unknown): LockkeeperError {
  if (thrown instanceof LockkeeperError) return thrown;
  const { name, code = '', message } = thrown as Error & { code?: string };
  const found = quote(`${code} ${message}`.trim(), 200);
  const unreadable = name === 'HTTPParserError' || UNREADABLE.has(code);
  if (unreadable || message === 'bad upgrade') return broken('an answer in HTTP', found);
  // The connection stood, and was held to its pins: what ended is the other end.
  return new LockkeeperError('SERVER_DIED', {
    expected: 'a whole answer',
    found,
    next: 'It is not known whether the server did what it was asked: look before asking again',
    cause: thrown,
  });
}
