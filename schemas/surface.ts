/**
 * The surface: everything of a server that a model can see or policy can read. Kept as the raw JSON that was on the
 * wire, keyed by name or URI. Digests are taken over that raw JSON, with values recorded as volatile masked.
 */
import { AnyObject, Closed, Digest, type Json, type JsonObject } from './common.ts';
import { digestOf } from './json.ts';
import { type Static, Type } from './type.ts';

export const Era = Type.Union([Type.Literal('session'), Type.Literal('stateless')], {
  description: 'session: initialize handshake, up to 2025-11-25; stateless: 2026-07-28',
});
export type Era = Static<typeof Era>;

const Keyed = Type.Record(Type.String(), AnyObject);

/** How the surface was taken; the runtime presents exactly this to the server. */
export const Capture = Closed({
  protocolVersion: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }),
  eras: Type.Array(Era, { minItems: 1, maxItems: 2, uniqueItems: true }),
  clientCapabilities: AnyObject,
});
export type Capture = Static<typeof Capture>;

export const Surface = Closed({
  capture: Capture,
  serverInfo: AnyObject,
  capabilities: AnyObject,
  instructions: Type.Union([Type.Null(), Type.String()]),
  tools: Keyed,
  prompts: Keyed,
  resources: Keyed,
  resourceTemplates: Keyed,
  /** JSON pointers into this object whose values differed between two captures. */
  volatile: Type.Array(Type.String({ pattern: '^/' })),
});
export type Surface = Static<typeof Surface>;

export const SECTIONS = ['tools', 'prompts', 'resources', 'resourceTemplates'] as const;
export type Section = (typeof SECTIONS)[number];

/** Which member of a listed object is its key. */
export const KEY_OF: Readonly<Record<Section, string>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
};

const ItemDigests = Type.Record(
  Type.String(),
  Closed({ digest: Digest, fields: Type.Record(Type.String(), Digest) }),
);

/** The surface as the lock pins it: one digest for all, one per item, one per field of an item. */
export const SurfacePins = Closed({
  digest: Digest,
  capture: Capture,
  server: Type.Record(Type.String(), Digest),
  tools: ItemDigests,
  prompts: ItemDigests,
  resources: ItemDigests,
  resourceTemplates: ItemDigests,
  volatile: Type.Array(Type.String({ pattern: '^/' })),
});
export type SurfacePins = Static<typeof SurfacePins>;
export type ItemPin = { digest: string; fields: Record<string, string> };

const MASK = '\u0000volatile';

/** The item with its volatile members masked. `at` is the pointer of the item in its surface. */
export function maskItem(item: JsonObject, at: string, volatile: readonly string[]): JsonObject {
  const below = volatile.filter((pointer) => pointer === at || pointer.startsWith(`${at}/`));
  if (below.length === 0) return item;
  const copy = structuredClone(item);
  for (const pointer of below) setAt(copy, pointerParts(pointer.slice(at.length)), MASK);
  return copy;
}

export function pointerParts(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

export function pointerOf(...parts: readonly string[]): string {
  return parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function setAt(target: Json, parts: string[], value: Json): void {
  let at = target;
  for (const part of parts.slice(0, -1)) {
    if (at === null || typeof at !== 'object') return;
    // Own members alone: a pointer is made of names that a server chose.
    if (!Object.hasOwn(at, part)) return;
    at = (Array.isArray(at) ? at[Number(part)] : at[part]) ?? null;
  }
  const last = parts.at(-1);
  if (last === undefined || at === null || typeof at !== 'object') return;
  if (Object.hasOwn(at, last)) Object.defineProperty(at, last, { value });
}

/** Digest of one item and of each of its fields, masked. */
export function pinItem(item: JsonObject, at: string, volatile: readonly string[]): ItemPin {
  const masked = maskItem(item, at, volatile);
  const fields: Record<string, string> = Object.create(null);
  for (const key of Object.keys(masked).sort()) fields[key] = digestOf(masked[key]);
  return { digest: digestOf(masked), fields };
}

function pinSection(surface: Surface, section: Section): Record<string, ItemPin> {
  const pins: Record<string, ItemPin> = Object.create(null);
  for (const key of Object.keys(surface[section]).sort()) {
    const item = surface[section][key] as JsonObject;
    pins[key] = pinItem(item, pointerOf(section, key), surface.volatile);
  }
  return pins;
}

/** All pins of a surface. Pure and deterministic: the same raw JSON gives the same pins everywhere. */
export function pinSurface(surface: Surface): SurfacePins {
  const { volatile, capture } = surface;
  const info = maskItem(
    {
      serverInfo: surface.serverInfo,
      capabilities: surface.capabilities,
      instructions: surface.instructions,
    },
    '',
    volatile.filter((pointer) => /^\/(serverInfo|capabilities|instructions)(\/|$)/.test(pointer)),
  );
  const pins = {
    capture,
    server: pinItem(info, '', []).fields,
    tools: pinSection(surface, 'tools'),
    prompts: pinSection(surface, 'prompts'),
    resources: pinSection(surface, 'resources'),
    resourceTemplates: pinSection(surface, 'resourceTemplates'),
    volatile: [...volatile].sort(),
  };
  return { digest: digestOf(pins), ...pins };
}
