/** How one era says what the other says otherwise: single members of a message, every other byte as it came. */
import type { JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Surface } from '../../schemas/surface.ts';
import { EXTENSION } from '../gate/task-terms.ts';
import { RELATED } from '../gate/tasks.ts';
import { statelessMeta } from '../session/capture.ts';
import { told } from '../session/known.ts';
import {
  encode,
  type Id,
  isObject,
  type Message,
  NO_RESOURCE,
  type Notification,
  parseMessage,
  type Request,
  type Response,
  refusalOf,
} from '../wire/message.ts';
import { insert, splice, textAt } from '../wire/splice.ts';

const ERA = 'io.modelcontextprotocol/';
export const SUBSCRIPTION = `${ERA}subscriptionId`;
const LEVEL = `${ERA}logLevel`;
const CAPABILITIES = `${ERA}clientCapabilities`;
/** Members of `_meta` that the stateless era alone has. */
const ENVELOPE = new Set([`${ERA}protocolVersion`, CAPABILITIES, `${ERA}clientInfo`, LEVEL]);
/** What a retried request carries, and no other. */
const RETRY = ['inputResponses', 'requestState'] as const;
/** Methods whose server may ask its client before it answers. */
export const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** What a request of the stateless era says of its client. */
export interface Envelope {
  readonly capabilities: JsonObject;
  readonly level: string | null;
}

export function envelopeOf({ params }: Request): Envelope {
  const meta = isObject(params._meta) ? params._meta : {};
  const { [CAPABILITIES]: capabilities, [LEVEL]: level } = meta;
  return {
    capabilities: isObject(capabilities) ? capabilities : {},
    level: typeof level === 'string' ? level : null,
  };
}

/** The locked capabilities that this client has as well: what a server is shown is never more than was reviewed. */
export function sharedCapabilities(
  locked: JsonObject,
  declared: Readonly<Record<string, unknown>>,
): JsonObject {
  return Object.fromEntries(Object.entries(locked).filter(([name]) => declared[name] !== undefined));
}

/** The `_meta` of a request to a stateless server. */
export function envelope(capabilities: JsonObject, level: string | null): JsonObject {
  return { ...statelessMeta(capabilities), ...(level === null ? {} : { [LEVEL]: level }) };
}

/** The same envelope of a client that knows tasks as well. */
export function declaring(meta: JsonObject): JsonObject {
  const own = isObject(meta[CAPABILITIES]) ? meta[CAPABILITIES] : {};
  const extensions = { ...(isObject(own.extensions) ? own.extensions : {}), [EXTENSION]: {} };
  return { ...meta, [CAPABILITIES]: { ...own, extensions } };
}

/** A request that has an envelope already, with what that says of a client that knows tasks. */
export function declared(bytes: Buffer, meta: JsonObject): Buffer {
  const value = declaring(meta)[CAPABILITIES] ?? {};
  return splice(bytes, [{ path: ['params', '_meta', CAPABILITIES], value }]);
}

/** The request without any envelope of its client, and with this one. */
export function enveloped({ bytes, params }: Pick<Request, 'bytes' | 'params'>, added: JsonObject): Buffer {
  const { _meta } = params;
  const own = isObject(_meta) ? Object.entries(_meta).filter(([key]) => !ENVELOPE.has(key)) : [];
  const next = { ...Object.fromEntries(own), ...added };
  if (_meta !== undefined) return splice(bytes, [{ path: ['params', '_meta'], value: next }]);
  if (Object.keys(next).length === 0) return bytes;
  const isThere = textAt(bytes, ['params']) !== null;
  return isThere
    ? insert(bytes, ['params'], { _meta: next })
    : insert(bytes, [], { params: { _meta: next } });
}

/** Without what only a retry of the stateless era has; the same request where there is nothing of it. */
export function withoutRetry(message: Request): Request {
  if (RETRY.every((name) => message.params[name] === undefined)) return message;
  const { inputResponses: _answers, requestState: _state, ...params } = message.params;
  const { id, method } = message;
  return { ...message, params, bytes: encode({ jsonrpc: '2.0', id, method, params }) };
}

/** An answer as the stateless era has it: it says that it is one, and lists say how long they may be kept. */
export function statelessAnswer(
  answer: Response,
  { id, method, surface }: { readonly id: Id; readonly method: string; readonly surface: Surface },
): Response {
  const named = splice(answer.bytes, [{ path: ['id'], value: id }]);
  if (answer.kind === 'error') return statelessError(answer, id, named);
  const { result } = answer;
  if (!isObject(result)) return { ...answer, id, bytes: named };
  const { added, info } = membersOf(method, surface);
  // What a server of sessions says in these members is not what this era takes them for.
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...own } = result;
  const clash = Object.keys(own).length < Object.keys(result).length;
  const bytes = clash
    ? encode({ jsonrpc: '2.0', id, result: { ...added, ...own } })
    : insert(named, ['result'], added);
  const { _meta = {} } = result;
  if (!isObject(_meta)) return { ...answer, id, result: { ...added, ...own }, bytes };
  // A client of this era is told of no task of the other one.
  const { [RELATED]: _task, ...rest } = _meta;
  const meta = { ...rest, ...info };
  const whole =
    result._meta === undefined
      ? insert(bytes, ['result'], { _meta: meta })
      : splice(bytes, [{ path: ['result', '_meta'], value: meta }]);
  return { ...answer, id, result: { ...added, ...own, _meta: meta }, bytes: whole };
}

function membersOf(method: string, surface: Surface): { added: JsonObject; info: JsonObject } {
  const { resultType = null, ttlMs = 0, cacheScope = null, _meta } = told('stateless', {}, surface);
  const info = isObject(_meta) ? _meta : {};
  if (method.endsWith('/list')) return { added: { resultType, ttlMs, cacheScope }, info };
  return method === 'resources/read'
    ? { added: { resultType, ttlMs: 0, cacheScope }, info }
    : { added: { resultType }, info };
}

function statelessError(answer: Extract<Response, { kind: 'error' }>, id: Id, named: Buffer): Response {
  if (answer.error.code !== NO_RESOURCE.session) return { ...answer, id, bytes: named };
  const code = NO_RESOURCE.stateless;
  const bytes = splice(named, [{ path: ['error', 'code'], value: code }]);
  return { ...answer, id, error: { ...answer.error, code }, bytes };
}

export function response(id: Id, result: JsonObject): Message {
  return { kind: 'response', id, result, bytes: encode({ jsonrpc: '2.0', id, result }) };
}

export function failure(id: Id, error: LockkeeperError): Message {
  return parseMessage(refusalOf(id, error), true);
}

export function request(id: Id, method: string, params: JsonObject): Request {
  return { kind: 'request', id, method, params, bytes: encode({ jsonrpc: '2.0', id, method, params }) };
}

export function notice(method: string, params: JsonObject): Notification {
  return { kind: 'notification', method, params, bytes: encode({ jsonrpc: '2.0', method, params }) };
}

/** The subscription that a notice is for; null: it names none. */
export function subscriptionOf({ params }: Notification): Id | null {
  const id = isObject(params._meta) ? params._meta[SUBSCRIPTION] : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}

/** The same notice for one subscription, or for none. */
export function tagged({ method, params }: Notification, subscription: Id | null): Notification {
  const { [SUBSCRIPTION]: _, ...meta } = isObject(params._meta) ? params._meta : {};
  const next = subscription === null ? meta : { ...meta, [SUBSCRIPTION]: subscription };
  const { _meta, ...rest } = params;
  return notice(method, Object.keys(next).length === 0 ? rest : { ...rest, _meta: next });
}

/** What progress of a request is known by. */
export function tokenOf({ params }: Request): Id | null {
  const token = isObject(params._meta) ? params._meta.progressToken : undefined;
  return typeof token === 'string' || typeof token === 'number' ? token : null;
}

/** The same message without the task that it belongs to. */
export function withoutRelated<M extends Request | Notification>(message: M): M {
  const { _meta, ...rest } = message.params;
  const { [RELATED]: _, ...meta } = isObject(_meta) ? _meta : {};
  const params = Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
  const { method } = message;
  const said = message.kind === 'request' ? { id: message.id, method, params } : { method, params };
  return { ...message, params, bytes: encode({ jsonrpc: '2.0', ...said }) };
}
