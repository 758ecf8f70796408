import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { diffSurfaces, highestRisk } from '../../schemas/diff/surfaces.ts';
import {
  KEY_OF,
  pinSurface,
  pointerParts,
  SECTIONS,
  type Section,
  type Surface,
} from '../../schemas/surface.ts';

const fixtures = join(import.meta.dirname, '../fixtures/manifests');
type Manifest = Record<string, Json>;

const load = (name: string): Manifest => JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as Manifest;
const of = (name: string): Surface => surfaceOf(load(`npm__${name}.json`));

function surfaceOf(manifest: Manifest): Surface {
  const section = (name: Section): Record<string, JsonObject> => {
    const items = (Array.isArray(manifest[name]) ? manifest[name] : []) as JsonObject[];
    return Object.fromEntries(items.map((item) => [String(item[KEY_OF[name]]), item]));
  };
  const [tools, prompts, resources, resourceTemplates] = SECTIONS.map(section) as [
    Record<string, JsonObject>,
    Record<string, JsonObject>,
    Record<string, JsonObject>,
    Record<string, JsonObject>,
  ];
  return {
    capture: { protocolVersion: '2025-11-25', eras: ['session'], clientCapabilities: {} },
    serverInfo: manifest.serverInfo as JsonObject,
    capabilities: manifest.capabilities as JsonObject,
    instructions: (manifest.instructions as string | null) ?? null,
    tools,
    prompts,
    resources,
    resourceTemplates,
    volatile: [],
  };
}

interface Pull {
  readonly id: string;
  readonly kind: string;
  readonly base: string;
  readonly patch: readonly { op: 'add' | 'replace' | 'remove'; path: string; value?: Json }[];
}

function patched(manifest: Manifest, patch: Pull['patch']): Manifest {
  const copy = structuredClone(manifest);
  for (const { op, path, value } of patch) {
    const parts = pointerParts(path);
    const last = parts.pop() ?? '';
    const target = parts.reduce<Json>((at, part) => (at as JsonObject)[part] ?? null, copy as JsonObject);
    if (Array.isArray(target)) {
      const index = last === '-' ? target.length : Number(last);
      if (op === 'remove') target.splice(index, 1);
      else target.splice(index, op === 'add' ? 0 : 1, value ?? null);
    } else if (op === 'remove') delete (target as JsonObject)[last];
    else (target as JsonObject)[last] = value ?? null;
  }
  return copy;
}

describe('pins', () => {
  const pulls = readFileSync(join(fixtures, 'rug-pulls.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Pull);

  it('see every rug pull of every kind, and the difference names it', () => {
    const missed: string[] = [];
    for (const { id, kind, base, patch } of pulls) {
      const manifest = load(base);
      const [before, after] = [surfaceOf(manifest), surfaceOf(patched(manifest, patch))];
      const risk = highestRisk(diffSurfaces(before, after));
      if (pinSurface(before).digest === pinSurface(after).digest || risk === null || risk === 'cosmetic')
        missed.push(`${id} ${kind} ${risk}`);
    }
    expect(missed).toEqual([]);
    expect(new Set(pulls.map((pull) => pull.kind)).size).toBe(18);
  });

  it('are the same for the same raw JSON in another order, and mask what is volatile', () => {
    const surface = of('modelcontextprotocol__server-filesystem@2026.7.4');
    const turned: Surface = JSON.parse(
      JSON.stringify(surface, (_, value: Json) =>
        value !== null && typeof value === 'object' && !Array.isArray(value)
          ? Object.fromEntries(Object.entries(value).reverse())
          : value,
      ),
    );
    expect(pinSurface(turned)).toEqual(pinSurface(surface));
    const tool = Object.keys(surface.tools)[0] ?? '';
    const volatile = [`/tools/${tool}/description`];
    const other = structuredClone(surface);
    (other.tools[tool] as JsonObject).description = 'another';
    expect(pinSurface({ ...other, volatile }).digest).toBe(pinSurface({ ...surface, volatile }).digest);
    expect(pinSurface(other).digest).not.toBe(pinSurface(surface).digest);
  });
});

describe('real drift', () => {
  it('filesystem 2026.1.14 -> 2026.7.4: one hint lost its guard', () => {
    const changes = diffSurfaces(
      of('modelcontextprotocol__server-filesystem@2026.1.14'),
      of('modelcontextprotocol__server-filesystem@2026.7.4'),
    );
    expect(changes.filter((change) => change.risk === 'risk')).toMatchObject([
      { at: '/tools/move_file/annotations/destructiveHint', before: false, after: true },
    ]);
  });

  it('filesystem 2026.7.4 -> 2026.7.10: a hint that promises less harm than its absence is to be confirmed', () => {
    const changes = diffSurfaces(
      of('modelcontextprotocol__server-filesystem@2026.7.4'),
      of('modelcontextprotocol__server-filesystem@2026.7.10'),
    );
    expect(
      changes.filter((change) => change.at.endsWith('openWorldHint')).map((change) => change.risk),
    ).toEqual(Array.from({ length: 14 }, () => 'risk'));
  });

  it('puppeteer 0.6.2 -> 2025.5.12: optional parameters are new reach', () => {
    const changes = diffSurfaces(
      of('modelcontextprotocol__server-puppeteer@0.6.2'),
      of('modelcontextprotocol__server-puppeteer@2025.5.12'),
    );
    const risky = changes
      .filter((change) => change.risk === 'risk')
      .map((change) => change.at.split('/').at(-1));
    expect(risky).toEqual(expect.arrayContaining(['allowDangerous', 'launchOptions']));
  });

  it('context7 2.1.1 -> 2.2.2: instructions reach further', () => {
    const changes = diffSurfaces(of('upstash__context7-mcp@2.1.1'), of('upstash__context7-mcp@2.2.2'));
    expect(changes.find((change) => change.at === '/instructions')).toMatchObject({ risk: 'text' });
  });

  it('sequential-thinking 2025.11.25 -> 2025.12.18: one text', () => {
    const changes = diffSurfaces(
      of('modelcontextprotocol__server-sequential-thinking@2025.11.25'),
      of('modelcontextprotocol__server-sequential-thinking@2025.12.18'),
    );
    expect(highestRisk(changes)).toBe('text');
  });

  it('github 0.6.2 -> 2025.1.23: tools that act are added', () => {
    const changes = diffSurfaces(
      of('modelcontextprotocol__server-github@0.6.2'),
      of('modelcontextprotocol__server-github@2025.1.23'),
    );
    expect(
      changes
        .filter((change) => change.kind === 'added' && change.at.split('/').length === 3)
        .map((change) => change.risk),
    ).toEqual(Array.from({ length: 8 }, () => 'risk'));
  });
});
