/** Patches of real surfaces: whether the gate sees each, how it is classed, and whether the new text is known for what it is. */
import { readFileSync } from 'node:fs';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { diffSurfaces, highestRisk, type RiskClass } from '../../schemas/diff.ts';
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
    Array.isArray(manifest[section]) ? (manifest[section] as JsonObject[]) : [];
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

/** RFC 6902 as far as the patches use it: add, remove, replace. */
export function patched(manifest: Manifest, patch: PatchRecord['patch']): Manifest {
  const copy = structuredClone(manifest);
  for (const { op, path, value } of patch) {
    const parts = pointerParts(path);
    const last = parts.pop() ?? '';
    const target = parts.reduce<Json>((at, part) => (at as JsonObject)[part] ?? null, copy);
    if (Array.isArray(target)) {
      const index = last === '-' ? target.length : Number(last);
      if (op === 'remove') target.splice(index, 1);
      else target.splice(index, op === 'add' ? 0 : 1, value ?? null);
    } else if (op === 'remove') delete (target as JsonObject)[last];
    else (target as JsonObject)[last] = value ?? null;
  }
  return copy;
}
