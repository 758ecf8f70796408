/** Patches of real surfaces: whether the gate sees each, how it is classed, and whether the new text is known for what it is. */
import { readFileSync } from 'node:fs';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { diffSurfaces, highestRisk, type RiskClass } from '../../schemas/diff/surfaces.ts';
import { pinSurface, pointerParts, type Surface } from '../../schemas/surface.ts';
import { saidOf, surfaceWith, type Verdict, verdictOf } from './judged.ts';
import { type PatchRecord, unknownQuality } from './records.ts';

export interface PatchVerdict {
  readonly record: PatchRecord;
  readonly risk: RiskClass | null;
  /** The pins differ and the difference is more than cosmetic. */
  readonly seen: boolean;
  /** What the checks of texts say about what is new. */
  readonly texts: Verdict;
}

type Manifest = JsonObject;

export async function verdictOfPatch(record: PatchRecord): Promise<PatchVerdict> {
  const manifest = readManifest(record.manifest);
  const [before, after] = [surfaceOf(manifest), surfaceOf(patched(manifest, record.patch))];
  const risk = highestRisk(diffSurfaces(before, after));
  const pinned = pinSurface(before).digest !== pinSurface(after).digest;
  const said = await saidOf(after, { before });
  const texts = verdictOf(said.filter(({ finding }) => finding.check.startsWith('LK-TXT-')));
  return { record, risk, seen: pinned && risk !== null && risk !== 'cosmetic', texts };
}

const manifests = new Map<string, Manifest>();

export function readManifest(path: string): Manifest {
  const known = manifests.get(path);
  if (known) return known;
  try {
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    manifests.set(path, manifest);
    return manifest;
  } catch (error) {
    throw unknownQuality(`the manifest ${path}`, (error as Error).message);
  }
}

/** A manifest as it was probed, in the form that a scan knows. */
export function surfaceOf(manifest: Manifest): Surface {
  const list = (section: string): JsonObject[] =>
    (Array.isArray(manifest[section]) ? (manifest[section] as JsonObject[]) : []).map(asOnTheWire);
  const keyed = (section: string, key: string): Surface['tools'] =>
    Object.fromEntries(list(section).map((item) => [String(item[key]), item]));
  return {
    ...surfaceWith([]),
    serverInfo: (manifest.serverInfo ?? {}) as JsonObject,
    capabilities: (manifest.capabilities ?? {}) as JsonObject,
    instructions: typeof manifest.instructions === 'string' ? manifest.instructions : null,
    tools: keyed('tools', 'name'),
    prompts: keyed('prompts', 'name'),
    resources: keyed('resources', 'uri'),
    resourceTemplates: keyed('resourceTemplates', 'uriTemplate'),
  };
}

/** Catalogues list what a tool takes as names with types; on the wire it is a schema. */
function asOnTheWire(item: JsonObject): JsonObject {
  const { arguments: taken, ...rest } = item;
  if (!Array.isArray(taken) || 'inputSchema' in item || !taken.some((one) => isObject(one) && 'type' in one))
    return item;
  const named = taken.filter(isObject);
  const properties = Object.fromEntries(
    named.map(({ name, required: _, optional: __, ...schema }) => [String(name), schema]),
  );
  const required = named.filter((one) => one.required === true).map(({ name }) => String(name));
  return { ...rest, inputSchema: { type: 'object', properties, ...(required.length > 0 && { required }) } };
}

/** RFC 6902 whole. Throws QUALITY_UNKNOWN for a patch that does not fit its manifest: what was not judged is never seen. */
export function patched(manifest: Manifest, patch: PatchRecord['patch']): Manifest {
  const copy = structuredClone(manifest);
  for (const { op, path, from = '', value } of patch) {
    if (op === 'add' || op === 'replace' || op === 'remove') put(copy, { op, path, value: value ?? null });
    else if (op === 'copy' || op === 'move') {
      const moved = structuredClone(at(copy, pointerParts(from)));
      if (op === 'move') put(copy, { op: 'remove', path: from, value: null });
      put(copy, { op: 'add', path, value: moved });
    } else if (op !== 'test') throw unknownQuality('operations of RFC 6902', op);
  }
  return copy;
}

function at(manifest: Manifest, parts: readonly string[]): Json {
  return parts.reduce<Json>((value, part) => {
    const inner = value !== null && typeof value === 'object' ? (value as JsonObject)[part] : undefined;
    if (inner === undefined) throw unknownQuality(`a place /${parts.join('/')} in the manifest`, 'none');
    return inner;
  }, manifest);
}

interface Put {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value: Json;
}

function put(manifest: Manifest, { op, path, value }: Put): void {
  const parts = pointerParts(path);
  const last = parts.pop() ?? '';
  const target = at(manifest, parts);
  if (Array.isArray(target)) {
    const index = last === '-' ? target.length : Number(last);
    if (op === 'remove') target.splice(index, 1);
    else target.splice(index, op === 'add' ? 0 : 1, value);
  } else if (target === null || typeof target !== 'object')
    throw unknownQuality(`a list or an object at ${path}`, String(target));
  else if (op === 'remove') delete target[last];
  else Object.defineProperty(target, last, { value, enumerable: true, configurable: true, writable: true });
}
