/** Our own side of a conversation with a server: asks, waits, and hands on everything that is not an answer to us. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { RunningServer } from '../ports.ts';
import { readLines } from '../wire/lines.ts';
import { encode, type Message, type Unread } from '../wire/message.ts';
import { writeTogether } from '../wire/together.ts';
import { hold } from './backpressure.ts';
import { type Asked, reader } from './reader.ts';

/** Longest line of a server, bytes. */
export const SERVER_LINE_BYTES = 32 * 1024 * 1024;
/** Lines that are no messages; servers that print more are not speaking the protocol. */
const MAX_BAD_LINES = 100;
const NEWLINE = Buffer.from('\n');
/** How long a server may live on after it closed its output, ms. */
const CLOSED_MS = 2000;

export interface PeerHandlers {
  /** A message that answers none of our own requests. */
  readonly message: (message: Message) => void;
  /**
   * A large answer to none of our own requests. Whoever takes these serves others meanwhile: no line is read here that would
   * hold them up.
   */
  readonly unread?: (answer: Unread) => void;
  /** A line that is no message; it goes nowhere. */
  readonly badLine: (error: LockkeeperError) => void;
  /** The server reads slower than it is written to; `drained` once it has caught up. */
  readonly full?: () => void;
  readonly drained?: () => void;
  /** The server can no longer be listened to. Called once. */
  readonly gone: (error: LockkeeperError) => void;
}

export interface Peer {
  ask(method: string, params: JsonObject, timeoutMs: number): Promise<JsonObject>;
  tell(method: string, params?: JsonObject): void;
  /** Sends one line as it is. */
  send(bytes: Buffer): void;
  /** Nothing more is read of what it says until what is returned is called, but for what was read already. */
  hold(): () => void;
  /** The last lines of stderr, for a person. */
  lastWords(): string;
}

/** Starts listening to a server; see the handlers for what comes back. */
export function openPeer(process: RunningServer, handlers: PeerHandlers): Peer {
  const asked = new Map<string, Asked>();
  const words = lastWordsOf(process);
  let gone: LockkeeperError | null = null;
  let isFull = false;
  const end = (error: LockkeeperError): void => {
    if (gone) return;
    gone = error;
    for (const { reject } of asked.values()) reject(error);
    asked.clear();
    handlers.gone(error);
  };
  listen(process, { asked, words, handlers, end, isGone: () => gone !== null });
  const send = (bytes: Buffer): void => {
    if (gone || process.stdin.destroyed) return;
    if (writeTogether(process.stdin, Buffer.concat([bytes, NEWLINE])) || !handlers.full) return;
    handlers.full();
    // One ear is enough, however much is sent meanwhile.
    if (!isFull)
      process.stdin.once('drain', () => {
        isFull = false;
        handlers.drained?.();
      });
    isFull = true;
  };
  const nextId = counter();
  return {
    send,
    hold: () => hold(process.stdout),
    tell: (method, params) =>
      send(encode(params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method })),
    ask: (method, params, timeoutMs) =>
      gone
        ? Promise.reject(gone)
        : question({ asked, words, send, id: nextId() }, { method, params, timeoutMs }),
    lastWords: words,
  };
}

/** Ids that no client can guess, so that no answer meant for us is taken for theirs. */
function counter(): () => string {
  const prefix = `lk-${randomBytes(4).toString('hex')}`;
  let count = 0;
  return () => `${prefix}:${++count}`;
}

interface Listening {
  readonly asked: Map<string, Asked>;
  readonly words: () => string;
  readonly handlers: PeerHandlers;
  readonly end: (error: LockkeeperError) => void;
  /** Nothing that it says is heard any more. */
  readonly isGone: () => boolean;
}

function listen(process: RunningServer, { asked, words, handlers, end, isGone }: Listening): void {
  const read = reader(asked, handlers);
  let bad = 0;
  readLines(process.stdout, SERVER_LINE_BYTES, {
    line: (bytes) => {
      if (isGone()) return;
      let take: () => void;
      try {
        take = read(bytes);
      } catch (error) {
        handlers.badLine(error as LockkeeperError);
        if (++bad > MAX_BAD_LINES)
          end(died('a server that speaks JSON-RPC', `${bad} lines that are not messages`));
        return;
      }
      // What cannot be handled ends the one session that it came to, and none beside it.
      try {
        take();
      } catch (error) {
        end(asLockkeeperError(error));
      }
    },
    end: () => {
      const said = (what: string): void => end(died('a running server', what, lastly(words())));
      const timer = setTimeout(() => said('it closed its output and went on running'), CLOSED_MS);
      void process.exited.then(({ code, signal }) => {
        clearTimeout(timer);
        said(`it ended (${signal ?? `exit ${code}`})`);
      });
    },
    error: (error) =>
      end(error instanceof LockkeeperError ? error : died('a readable server', quote(error.message))),
  });
}

function question(
  at: { asked: Map<string, Asked>; words: () => string; send: (bytes: Buffer) => void; id: string },
  { method, params, timeoutMs }: { method: string; params: JsonObject; timeoutMs: number },
): Promise<JsonObject> {
  const { asked, words, send, id } = at;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      asked.delete(id);
      reject(silent(method, timeoutMs, words()));
    }, timeoutMs);
    const done =
      <T>(finish: (value: T) => void) =>
      (value: T) => {
        clearTimeout(timer);
        finish(value);
      };
    asked.set(id, { method, resolve: done(resolve), reject: done(reject) });
    send(encode({ jsonrpc: '2.0', id, method, params }));
  });
}

function died(expected: string, found: string, words?: string): LockkeeperError {
  return new LockkeeperError('SERVER_DIED', {
    expected,
    found,
    words,
    next: 'See what it said with lk logs; if it needs a permission, publish it with that permission',
  });
}

function silent(method: string, ms: number, words: string): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `an answer to ${method} within ${ms / 1000} s`,
    found: 'none',
    words: lastly(words),
    next: 'Check whether it waits for a network, a file or a variable it was not permitted',
  });
}

function lastly(words: string): string | undefined {
  return words === '' ? undefined : `last saying ${words}`;
}

/** Keeps the last 2 KiB of stderr and drains the rest, so that a talkative server never blocks. */
function lastWordsOf(process: RunningServer): () => string {
  let tail = '';
  process.stderr.on('data', (chunk: Buffer) => {
    process.heard?.(chunk);
    tail = (tail + chunk.toString('utf8')).slice(-2048);
  });
  return () => {
    const lines = tail.trim().split('\n').slice(-6).join(' | ');
    return lines ? quote(lines, 600) : '';
  };
}
