/** Which protocol era a client speaks, and which version of it. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Era } from '../../schemas/surface.ts';
import { encode, isObject, type Request } from '../wire/message.ts';
import { SESSION_VERSION } from './capture.ts';

const KNOWN_VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', SESSION_VERSION];

/** The era of a first request; null when it belongs to neither's beginning. */
export function eraOf({ method, params }: Request): Era | null {
  if (method === 'initialize') return 'session';
  const meta = params._meta;
  const named = isObject(meta) && meta['io.modelcontextprotocol/protocolVersion'] !== undefined;
  return method === 'server/discover' || named ? 'stateless' : null;
}

/** What a client says of itself in its first request; null when it says nothing. Nobody vouches for it. */
export function clientOf({ params }: Request): Json {
  const meta = isObject(params._meta) ? params._meta : {};
  return params.clientInfo ?? meta['io.modelcontextprotocol/clientInfo'] ?? null;
}

/** The version a session is answered with: the one asked for, or the newest known. */
function versionFor({ params }: Request): string {
  const asked = params.protocolVersion;
  return typeof asked === 'string' && KNOWN_VERSIONS.includes(asked) ? asked : SESSION_VERSION;
}

/** The refusal of a first request that begins no era. */
export function notFirst(method: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'initialize or server/discover first',
    found: quote(method, 80),
    next: 'Begin with one of them, or say the protocol version in _meta',
  });
}

/** The refusal of server/discover whose client began a session meanwhile. */
export function overtaken(): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'a client that waits for the answer to server/discover',
    found: 'one that began a session meanwhile',
    next: 'Go on with the session',
  });
}

/** The server's own greeting in the version that this client asked for: what was compared with the lock, and no more. */
export function helloFor(first: Request, hello: JsonObject): Buffer {
  const { capabilities = {}, serverInfo = {}, instructions } = hello;
  const said =
    instructions === undefined ? { capabilities, serverInfo } : { capabilities, serverInfo, instructions };
  return encode({ jsonrpc: '2.0', id: first.id, result: { protocolVersion: versionFor(first), ...said } });
}
