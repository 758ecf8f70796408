/** What a carrier says to this side, and how it reads what passes. */
import type { JsonObject } from '../../schemas/common.ts';
import { type Code, LockkeeperError, quote } from '../../schemas/errors.ts';
import { Rate, WINDOW_MS } from '../session/limits.ts';
import { SERVER_LINE_BYTES } from '../session/peer.ts';
import { type Id, idKey, isObject } from '../wire/message.ts';
import { answeredBy } from '../wire/peek.ts';
import { MAX_CONNECTIONS } from './channel.ts';
import type { Tools } from './headers.ts';

export interface Outlet {
  /** One message of the server, or a refusal in its place. */
  readonly line: (bytes: Buffer) => void;
  /** The server can be spoken to no more. */
  readonly die: (error: LockkeeperError) => void;
  /** For a person who asks what went on last. */
  readonly note: (text: string) => void;
  /** Nothing waits any more. */
  readonly free: () => void;
  readonly tools: Tools;
  readonly limits: Limits;
  /** Lines of its streams that are no message, nor part of one. */
  readonly asides: Rate;
}

export interface Limits {
  /** Longest message of the server, bytes. */
  readonly bytes: number;
  /** Bytes of answers that are not whole yet: of one server, and of all in this process. */
  readonly heldBytes: number;
  readonly heldByAll: number;
  /** How long a JSON text, or one event, may take from its first byte to its last, ms. */
  readonly wholeMs: number;
  /** How long the server may take to take a notice, or to name the address to post to, ms. */
  readonly takenMs: number;
  /** How often is looked for what stalls, ms. */
  readonly sweepMs: number;
}

const MIB = 1024 * 1024;
export const LIMITS: Limits = {
  bytes: SERVER_LINE_BYTES,
  heldBytes: 128 * MIB,
  heldByAll: 512 * MIB,
  wholeMs: 60_000,
  takenMs: 30_000,
  sweepMs: 1000,
};

/** In ten seconds, of all streams of one server together: some ten milliseconds of reading. */
const MAX_ASIDES = 50_000;
export const asides = (): Rate => new Rate(MAX_ASIDES, WINDOW_MS);
export const TOO_MANY_ASIDES = new LockkeeperError('RATE_LIMITED', {
  expected: `streams with at most ${MAX_ASIDES} lines in ${WINDOW_MS / 1000} s that are no message`,
  found: 'more',
  next: 'The server floods; tell its operator',
});

/** A message of ours, read for what its headers have to say. */
export interface Said {
  readonly id?: Id;
  readonly method?: string;
  readonly params: JsonObject;
  readonly bytes: Buffer;
}

/** Requests at once whose answers are not there yet: some connections are left for notices and streams. */
export const MAX_ASKED = MAX_CONNECTIONS - 8;

export const TOO_MANY = new LockkeeperError('RATE_LIMITED', {
  expected: `at most ${MAX_ASKED} requests to a remote server at once`,
  found: 'one more',
  next: 'Wait for answers',
});

/** The bytes were judged before: strict they are, and may be read by anybody. */
export function saidOf(bytes: Buffer): Said {
  const { id, method, params } = JSON.parse(bytes.toString('utf8')) as JsonObject;
  return {
    ...(typeof id === 'string' || typeof id === 'number' ? { id } : {}),
    ...(typeof method === 'string' ? { method } : {}),
    params: isObject(params) ? params : {},
    bytes,
  };
}

/** The key of the request that a line answers; null for what is no answer. Only whether a stream is done hangs on it. */
export function answerOf(bytes: Buffer): string | null {
  const id = answeredBy(bytes);
  return id === null ? null : idKey(id);
}

const FATAL: ReadonlySet<Code> = new Set([
  'REMOTE_UNREACHABLE',
  'TLS_UNTRUSTED',
  'TLS_IDENTITY_CHANGED',
  'EGRESS_REFUSED',
  'JOURNAL_BROKEN',
]);

/** Does it concern the server as a whole, and not one request? */
export function isFatal({ code }: LockkeeperError): boolean {
  return FATAL.has(code);
}

/** What an HTTP status says, where the protocol says nothing. */
export function failureAt(status: number, text: string): LockkeeperError {
  return new LockkeeperError(status >= 500 ? 'SERVER_DIED' : 'REMOTE_INVALID', {
    expected: 'an answer',
    found: `HTTP ${status}`,
    words: text === '' ? undefined : quote(text, 300),
    next: 'Check the address and its transport, or tell the operator of the server',
  });
}
