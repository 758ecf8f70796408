/**
 * The stateless era over HTTP (2026-07-28): each request carries its own envelope, and headers repeat what of the body
 * others may decide by. What headers and body say differently is refused (-32020). Order as in the protocol's transport
 * page: version, envelope, method, name, parameters.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { mcpNameOf } from '../gate/methods.ts';
import { STATELESS_VERSION } from '../session/capture.ts';
import { isObject, type Message, type Notification, type Request } from '../wire/message.ts';
import type { Mirrored } from './ports.ts';
import { badRequest, HttpRefusal } from './refusals.ts';

const META = 'io.modelcontextprotocol/';
const VERSION_KEY = `${META}protocolVersion`;
const CAPABILITIES_KEY = `${META}clientCapabilities`;
const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;
const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;

/** Does this message belong to the stateless era? Its own envelope says so, or for a notice its header. */
export function isStateless(message: Message, headers: IncomingHttpHeaders): boolean {
  if (message.kind !== 'request' && message.kind !== 'notification') return false;
  const named = header(headers, 'mcp-protocol-version') === STATELESS_VERSION;
  return named || versionOf(message) !== undefined;
}

/** Throws HttpRefusal 400 where envelope and headers do not hold together. */
export function assertEnvelope(
  message: Request | Notification,
  headers: IncomingHttpHeaders,
  mirrored: (tool: string) => readonly Mirrored[],
): void {
  const version = header(headers, 'mcp-protocol-version');
  const method = header(headers, 'mcp-method');
  const claimed = versionOf(message);
  // Requests of this era share one conversation: nobody may begin the other one in it.
  if (message.method === 'initialize') throw noSuchMethod();
  if (version !== undefined && claimed !== undefined && version !== claimed)
    throw mismatch('MCP-Protocol-Version', textOf(claimed), version);
  if (message.kind === 'request' || claimed !== undefined) assertMeta(message, version);
  if (method !== undefined && method !== message.method) throw mismatch('Mcp-Method', message.method, method);
  if (message.kind === 'notification') return;
  if (version === undefined) throw mismatch('MCP-Protocol-Version', STATELESS_VERSION, undefined);
  if (method === undefined) throw mismatch('Mcp-Method', message.method, undefined);
  assertName(message, headers);
  if (message.method === 'tools/call' && typeof message.params.name === 'string')
    for (const each of mirrored(message.params.name)) assertParameter(message, headers, each);
}

function noSuchMethod(): HttpRefusal {
  const error = new LockkeeperError('METHOD_REFUSED', {
    expected: `a method of protocol version ${STATELESS_VERSION}`,
    found: 'initialize',
    next: 'Begin a session without that version, or leave initialize out',
  });
  return new HttpRefusal(404, error, { rpc: METHOD_NOT_FOUND });
}

function versionOf({ params }: Request | Notification): Json | undefined {
  return isObject(params._meta) ? params._meta[VERSION_KEY] : undefined;
}

function assertMeta({ params }: Request | Notification, version: string | undefined): void {
  const meta = isObject(params._meta) ? params._meta : {};
  const claimed = meta[VERSION_KEY];
  const missing = [VERSION_KEY, CAPABILITIES_KEY].filter((key) => meta[key] === undefined);
  if (missing.length > 0 || typeof claimed !== 'string' || !isObject(meta[CAPABILITIES_KEY])) {
    const error = badRequest(
      `${VERSION_KEY} and ${CAPABILITIES_KEY} in params._meta of each request`,
      missing.length > 0 ? `no ${missing.join(' and no ')}` : 'values of another kind',
      'Send both, or begin with initialize',
    );
    throw new HttpRefusal(400, error, { rpc: INVALID_PARAMS, data: { envelope: { missing } } });
  }
  if (claimed === STATELESS_VERSION) return;
  const error = badRequest(
    `protocol version ${STATELESS_VERSION}`,
    quote(claimed, 40),
    'Use a supported one',
  );
  const data = { supported: [STATELESS_VERSION], requested: version ?? claimed };
  throw new HttpRefusal(400, error, { rpc: UNSUPPORTED_VERSION, data });
}

function assertName({ method, params }: Request, headers: IncomingHttpHeaders): void {
  const value = mcpNameOf(method, params);
  if (value === undefined) return;
  const given = header(headers, 'mcp-name');
  if (given === undefined || decoded(given) !== value) throw mismatch('Mcp-Name', value, given);
}

/** An argument that is given has its header; one that is not has none. */
function assertParameter(
  { params }: Request,
  headers: IncomingHttpHeaders,
  { header: name, path }: Mirrored,
): void {
  let value: Json | undefined = params.arguments;
  for (const part of path) value = isObject(value) ? value[part] : undefined;
  const given = header(headers, `mcp-param-${name.toLowerCase()}`);
  if (value === undefined || value === null) {
    if (given !== undefined) throw mismatch(`Mcp-Param-${name}`, 'no such argument', given);
    return;
  }
  const found = given === undefined ? null : decoded(given);
  const same =
    typeof value === 'number'
      ? found !== null && found !== '' && Number(found) === value
      : found === textOf(value);
  if (!same) throw mismatch(`Mcp-Param-${name}`, textOf(value), given);
}

/** As a header would have it; an object is none that a header could have, and is shown as it came. */
function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Optional whitespace around a header is no part of it (RFC 9110 5.5). */
function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  const one = Array.isArray(value) ? value.join(', ') : value;
  return one?.replace(/^[ \t]+|[ \t]+$/g, '');
}

/** What a header means: itself, or what its Base64 form holds; null where that form is broken. */
function decoded(value: string): string | null {
  const [, inside] = /^=\?base64\?(.*)\?=$/.exec(value) ?? [];
  if (inside === undefined) return value;
  const bytes = Buffer.from(inside, 'base64');
  return bytes.toString('base64') === inside ? bytes.toString('utf8') : null;
}

function mismatch(name: string, body: string, given: string | undefined): HttpRefusal {
  const found = given === undefined ? 'no such header' : quote(given, 80);
  const error = new LockkeeperError('HEADER_MISMATCH', {
    expected: `the header ${name} to say what the body says, ${quote(body, 80)}`,
    found,
    next: 'Send header and body of one request',
  });
  const data = { mismatch: { header: name, body: body.slice(0, 200) } };
  return new HttpRefusal(400, error, { rpc: HEADER_MISMATCH, data });
}
