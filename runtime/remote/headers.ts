/** What the transport says in HTTP headers of a message: always from the message itself. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { mcpNameOf } from '../gate/methods.ts';
import { isObject } from '../wire/message.ts';

const VERSION_META = 'io.modelcontextprotocol/protocolVersion';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Values beyond this are not repeated, as their transport says. */
const MAX_VALUE = 8192;

/** The tools of a locked surface, whose schemas say which arguments are repeated as headers. */
export type Tools = Readonly<Record<string, JsonObject>>;

/** The version that a message of the stateless era names; null for one of the session era. */
export function statelessVersion(params: JsonObject): string | null {
  const version = isObject(params._meta) ? params._meta[VERSION_META] : undefined;
  return typeof version === 'string' && /^[0-9-]{1,20}$/.test(version) ? version : null;
}

/** The headers of the stateless era (Mcp-Method, Mcp-Name, Mcp-Param-*), in small letters. */
export function messageHeaders(method: string, params: JsonObject, tools: Tools): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-method': headerValue(method) };
  const name = mcpNameOf(method, params);
  if (name !== undefined) headers['mcp-name'] = headerValue(name);
  if (method !== 'tools/call' || name === undefined || !Object.hasOwn(tools, name)) return headers;
  const args = isObject(params.arguments) ? params.arguments : {};
  repeat(tools[name]?.inputSchema, args, headers);
  return headers;
}

/** Walks the properties that a schema marks with `x-mcp-header`, and the arguments beside them. */
function repeat(schema: Json | undefined, args: JsonObject, headers: Record<string, string>): void {
  if (!isObject(schema) || !isObject(schema.properties)) return;
  for (const [key, property] of Object.entries(schema.properties)) {
    if (!isObject(property) || !Object.hasOwn(args, key)) continue;
    const value = args[key];
    const name = property['x-mcp-header'];
    const text = textOf(value);
    if (typeof name === 'string' && TOKEN.test(name) && text !== null) {
      const said = headerValue(text);
      if (said.length <= MAX_VALUE) headers[`mcp-param-${name.toLowerCase()}`] = said;
    }
    if (isObject(value)) repeat(property, value, headers);
  }
}

function textOf(value: Json | undefined): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  return null;
}

/** A value as it may stand in a header: as it is, or in the transport's form of base64 where it could be misread. */
export function headerValue(value: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value);
  return plain && !value.startsWith('=?base64?')
    ? value
    : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}
