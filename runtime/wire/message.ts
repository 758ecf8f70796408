/** One JSON-RPC 2.0 message, parsed once and strictly. What is forwarded later are the bytes it was parsed from. */
import type { ResultSummary } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { Era } from '../../schemas/surface.ts';
import { strangeMember, strangeParameter } from './names.ts';

export type Id = string | number;

export type Message =
  | {
      readonly kind: 'request';
      readonly id: Id;
      readonly method: string;
      readonly params: JsonObject;
      readonly bytes: Buffer;
    }
  | {
      readonly kind: 'notification';
      readonly method: string;
      readonly params: JsonObject;
      readonly bytes: Buffer;
    }
  | (Said & { readonly kind: 'response'; readonly id: Id; readonly result: Json })
  | (Said & { readonly kind: 'error'; readonly id: Id | null; readonly error: JsonObject });
interface Said {
  readonly bytes: Buffer;
  /** Of an answer that another thread read: only a part of it is here. */
  readonly summary?: { readonly whole: ResultSummary; readonly inside?: ResultSummary };
}
/** An answer that is large: nobody has read more of it than which request it is to. */
export interface Unread {
  readonly kind: 'unread';
  readonly id: Id;
  readonly bytes: Buffer;
}
export type Request = Extract<Message, { kind: 'request' }>;
export type Notification = Extract<Message, { kind: 'notification' }>;
export type Response = Extract<Message, { kind: 'response' | 'error' }>;

/** Bytes of a message from which on reading it may hold up whoever else is served: some 10 ms. */
export const LARGE_BYTES = 256 * 1024;
/** Members and items of such a message that is read all the same: some 100 ms. */
export const LARGE_PARTS = 128 * 1024;
const DEPTH = 64;
const CARRIAGE_RETURN = 13;

/**
 * Throws JSON_INVALID or FRAME_INVALID; batches are refused by name. `lenient` as in `parseStrict`: for answers. Of a large one
 * no more than `maxParts` are read, as everybody may wait for that.
 */
export function parseMessage(bytes: Buffer, lenient = false, maxParts = LARGE_PARTS): Message {
  // Many readers take a carriage return for the end of a line: what is judged as one message would be several to them.
  if (bytes.includes(CARRIAGE_RETURN)) throw invalid('one line', 'a carriage return inside of it');
  const bound = bytes.length < LARGE_BYTES ? {} : { maxParts };
  const value = parseStrict(bytes, { maxDepth: DEPTH, maxBytes: bytes.length, lenient, ...bound });
  if (Array.isArray(value))
    throw invalid('one message a line', 'a batch, which only protocol 2025-03-26 had');
  if (value === null || typeof value !== 'object') throw invalid('an object', typeof value);
  assertRead(strangeMember(value));
  if (value.jsonrpc !== '2.0')
    throw invalid('"jsonrpc": "2.0"', quote(JSON.stringify(value.jsonrpc ?? null), 40));
  if (value.method !== undefined) return call(value, bytes);
  if (value.result !== undefined && value.error === undefined)
    return { kind: 'response', id: idOf(value.id), result: value.result, bytes };
  if (value.error !== undefined && value.result === undefined && isObject(value.error)) {
    return {
      kind: 'error',
      id: value.id === null || value.id === undefined ? null : idOf(value.id),
      error: value.error,
      bytes,
    };
  }
  throw invalid('a method, a result or an error', 'none of them, or several');
}

function call(value: JsonObject, bytes: Buffer): Message {
  const { method, params = {}, id } = value;
  if (typeof method !== 'string' || method.length > 200)
    throw invalid('a method name', quote(JSON.stringify(method), 60));
  if (!isObject(params))
    throw invalid('params as an object', Array.isArray(params) ? 'an array' : typeof params);
  assertRead(strangeParameter(params));
  if (value.result !== undefined || value.error !== undefined)
    throw invalid('a call or an answer', 'both in one message');
  return id === undefined
    ? { kind: 'notification', method, params, bytes }
    : { kind: 'request', id: idOf(id), method, params, bytes };
}

function assertRead(strange: string | null): void {
  if (strange !== null) throw invalid('names in the letters of the protocol', quote(strange, 60));
}

function idOf(id: Json | undefined): Id {
  if (typeof id === 'string' && id.length <= 256) return id;
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  throw invalid('an id that is a string or an integer', quote(JSON.stringify(id ?? null), 60));
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value !== null && value !== undefined && typeof value === 'object' && !Array.isArray(value);
}

function invalid(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('FRAME_INVALID', { expected, found, next: 'Correct the sender' });
}

/** Map key of an id: 1 and "1" are different ids. */
export function idKey(id: Id): string {
  return typeof id === 'number' ? `n${id}` : `s${id}`;
}

/** JSON-RPC error code of a refusal; outside the ranges that JSON-RPC and the protocol reserve. */
export const REFUSED = 4030;
/**
 * The protocol's own numbers, where a peer goes on by them: for a method that is not there for it, a task that it does not
 * have, and a capability that it has to declare.
 */
const NUMBERS: Readonly<Record<string, number>> = {
  METHOD_REFUSED: -32601,
  TASK_UNKNOWN: -32602,
  TASK_UNDECLARED: -32021,
};
const TASKS = { requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } };

export function refusalOf(id: Id | null, error: LockkeeperError): Buffer {
  const { code, expected, found, next, told, retryAfterMs } = error;
  const more = code === 'TASK_UNDECLARED' ? TASKS : retryAfterMs === undefined ? {} : { retryAfterMs };
  return encode({
    jsonrpc: '2.0',
    id,
    error: {
      code: NUMBERS[code] ?? REFUSED,
      message: `Lockkeeper: ${told}`,
      data: { code, expected, found, next, ...more },
    },
  });
}

/** The protocol's own numbers for a resource that is not there; they name it. */
export const NO_RESOURCE = { session: -32002, stateless: -32602 } as const;

/** To who reads a resource that the lock does not have: for them there is none. */
export function noResourceOf(
  id: Id,
  uri: string,
  { era, error }: { era: Era; error: LockkeeperError },
): Buffer {
  const { code, expected, found, next, told } = error;
  const data = { uri, code, expected, found, next };
  return encode({
    jsonrpc: '2.0',
    id,
    error: { code: NO_RESOURCE[era], message: `Lockkeeper: ${told}`, data },
  });
}

/** The protocol's own "method not found", which tells a peer to do without, or to fall back. */
export function notFoundOf(id: Id, { message }: LockkeeperError): Buffer {
  return encode({ jsonrpc: '2.0', id, error: { code: -32601, message: `Method not found. ${message}` } });
}

export function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
