/** Which arguments of a tool a stateless client repeats in headers (`x-mcp-header`, protocol 2026-07-28). */
import type { Json } from '../../schemas/common.ts';
import type { Surface } from '../../schemas/surface.ts';
import { isObject } from '../wire/message.ts';
import type { Mirrored } from './ports.ts';

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
const MAX_DEPTH = 8;

/** By tool name, from the locked schemas; read once. */
export function mirroredBy({ tools }: Pick<Surface, 'tools'>): (tool: string) => readonly Mirrored[] {
  const known = new Map(Object.entries(tools).map(([name, tool]) => [name, within(tool.inputSchema, [])]));
  return (tool) => known.get(tool) ?? [];
}

/** Only members that are reached through `properties` alone are ever there for certain. */
function within(schema: Json | undefined, path: readonly string[]): Mirrored[] {
  if (!isObject(schema) || path.length > MAX_DEPTH) return [];
  const header = schema['x-mcp-header'];
  const own = typeof header === 'string' && TOKEN.test(header) && path.length > 0 ? [{ header, path }] : [];
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : [];
  return [...own, ...properties.flatMap(([name, below]) => within(below, [...path, name]))];
}
