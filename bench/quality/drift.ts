/** Real pairs of versions: whether the difference names what somebody else counted, each field under the class it must have. */
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../schemas/common.ts';
import {
  type Change,
  diffSurfaces,
  highestRisk,
  type RiskClass,
  type Step,
  stepOf,
} from '../../schemas/diff/surfaces.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { readManifest, surfaceOf } from './patches.ts';

/** One pair: names of tools that came and went, and for each tool that stayed what changed in it, in the words of the set. */
export interface DriftRecord {
  readonly source: string;
  readonly name: string;
  readonly manifests: readonly [before: string, after: string];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly tool: string; readonly changes: readonly string[] }[];
}

export interface DriftVerdict {
  readonly record: DriftRecord;
  readonly risk: RiskClass | null;
  readonly step: Step;
  readonly renamed: number;
  /** What the difference should have said and did not, or said and should not. */
  readonly wrong: readonly string[];
}

/** Null for a line of another shape, and for a pair whose manifests are not there. */
export function driftOf(line: JsonObject, source: string, dir: string): DriftRecord | null {
  const { package: name, from, to, added, removed, changed } = line;
  if (
    typeof name !== 'string' ||
    typeof from !== 'string' ||
    typeof to !== 'string' ||
    !Array.isArray(changed)
  )
    return null;
  const files = [from, to].map((version) => manifestOf({ dir, name, version, series: line.series }));
  const [before, after] = files;
  if (before === undefined || after === undefined) return null;
  const names = (value: Json | undefined): string[] => (Array.isArray(value) ? value.map(String) : []);
  return {
    source,
    name: `${name} ${from} -> ${to}`,
    manifests: [before, after],
    added: names(added),
    removed: names(removed),
    changed: changed as unknown as DriftRecord['changed'],
  };
}

interface Named {
  readonly dir: string;
  readonly name: string;
  readonly version: string;
  readonly series: Json | undefined;
}

/** Its file: series and version, where a commit may stand behind a date. */
function manifestOf({ dir, name, version, series }: Named): string | undefined {
  const slug = (typeof series === 'string' ? series : `npm/${name}`).replace('@', '').replaceAll('/', '__');
  const exact = join(dir, `${slug}@${version}.json`);
  if (existsSync(exact)) return exact;
  const commit = version.slice(0, 8);
  const dated = version.length > 8 ? globSync(`${slug}@*-${commit}.json`, { cwd: dir }) : [];
  return dated.length === 1 ? join(dir, dated[0] ?? '') : undefined;
}

export function verdictOfDrift(record: DriftRecord): DriftVerdict {
  const [before, after] = record.manifests.map((path) => surfaceOf(readManifest(path)));
  if (!before || !after) throw new Error('two manifests');
  const changes = diffSurfaces(before, after);
  const tools = changes.filter(({ at }) => at.startsWith('/tools/'));
  const renames = tools.filter(({ how }) => how === 'renamed');
  return {
    record,
    risk: highestRisk(changes),
    step: stepOf(changes),
    renamed: renames.length,
    wrong: [...wrongNames(record, tools, renames), ...wrongFields(record, tools, renames)],
  };
}

function wrongNames(
  { added, removed }: DriftRecord,
  tools: readonly Change[],
  renames: readonly Change[],
): string[] {
  const whole = (kind: Change['kind']): string[] =>
    tools.filter((change) => change.kind === kind && change.at.split('/').length === 3).map(({ at }) => at);
  const came = [...whole('added'), ...renames.map(({ at }) => at)];
  const went = [...whole('removed'), ...renames.map(({ before }) => pointerOf('tools', String(before)))];
  return [
    ...differing(
      came,
      added.map((tool) => pointerOf('tools', tool)),
    ).map((at) => `came: ${at}`),
    ...differing(
      went,
      removed.map((tool) => pointerOf('tools', tool)),
    ).map((at) => `went: ${at}`),
  ];
}

function differing(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set(a).symmetricDifference(new Set(b))];
}

function wrongFields(
  { changed }: DriftRecord,
  tools: readonly Change[],
  renames: readonly Change[],
): string[] {
  const moved = new Set(renames.map(({ at }) => at));
  const within = tools.filter(({ at }) => at.split('/').length > 3);
  const toolOf = (at: string): string => at.split('/').slice(0, 3).join('/');
  const known = new Map(changed.map(({ tool, changes }) => [pointerOf('tools', tool), changes]));
  const unexpected = within.filter(({ at }) => !moved.has(toolOf(at)) && !known.has(toolOf(at)));
  const missing = [...known].flatMap(([tool, words]) => {
    const own = within.filter(({ at }) => toolOf(at) === tool);
    return words
      .flatMap(partsOf)
      .filter((word) => !own.some((change) => fits(word, tool, change)))
      .map((word) => `${tool} ${word}`);
  });
  return [...unexpected.map(({ at }) => `not counted: ${at}`), ...missing];
}

/** `inputSchema[+param:a,b; ~desc:c]` as one word for each name. */
function partsOf(word: string): string[] {
  const [, inner] = /^inputSchema\[(.*)\]$/.exec(word) ?? [];
  if (inner === undefined) return [word];
  return inner.split('; ').flatMap((part) => {
    const [what = '', names = ''] = part.split(/:(.*)/s);
    return names.split(',').map((name) => `${what}:${name}`);
  });
}

type Fit = (at: string, name: string) => boolean;
const inside: Fit = (at, name) => at.includes(`/properties${pointerOf(name)}`);
const RULES: Readonly<Record<string, { at: Fit; how: readonly string[]; risk: readonly RiskClass[] }>> = {
  description: {
    at: (at) => /^\/tools\/[^/]*\/description$/.test(at),
    how: ['reworded', 'reordered', 'added', 'removed'],
    risk: ['text', 'cosmetic'],
  },
  '+param': {
    at: (at, name) => at.endsWith(`/properties${pointerOf(name)}`),
    how: ['added'],
    risk: ['risk'],
  },
  '-param': {
    at: (at, name) => at.endsWith(`/properties${pointerOf(name)}`),
    how: ['removed'],
    risk: ['contract'],
  },
  '+required': { at: (at) => at.endsWith('/required'), how: ['narrowed'], risk: ['contract'] },
  '-required': { at: (at) => at.endsWith('/required'), how: ['widened', 'narrowed'], risk: ['contract'] },
  '~desc': { at: inside, how: ['reworded', 'reordered', 'added', 'removed'], risk: ['text', 'cosmetic'] },
  '~type/constraint': {
    at: inside,
    how: ['widened', 'narrowed', 'default', 'added', 'removed', 'reordered'],
    risk: ['contract', 'risk', 'cosmetic', 'text'],
  },
  '~keyword': {
    at: (at, name) => at.includes(`/inputSchema${pointerOf(name)}`),
    how: ['added', 'removed', 'changed', 'widened', 'narrowed', 'reworded'],
    risk: ['cosmetic', 'contract', 'risk', 'text'],
  },
};
/** Fields of a tool that are named alone, with `+`, `-` or `~`. */
const FIELDS: Readonly<Record<string, readonly RiskClass[]>> = {
  annotations: ['risk', 'additive', 'contract', 'text'],
  title: ['text', 'cosmetic'],
  outputSchema: ['additive', 'text', 'contract', 'cosmetic'],
  execution: ['cosmetic', 'contract'],
  _meta: ['risk'],
  icons: ['cosmetic', 'additive', 'risk'],
};

function fits(word: string, tool: string, { at, how = 'changed', risk }: Change): boolean {
  const [what = '', name = ''] = word.split(/:(.*)/s);
  const rule = RULES[what];
  if (rule) return rule.at(at, name) && rule.how.includes(how) && rule.risk.includes(risk);
  const [, field = '', sign = ''] = /^(\w+)([+~-])$/.exec(word) ?? [];
  const same = at === `${tool}/${field}` || at.startsWith(`${tool}/${field}/`);
  const kinds: Readonly<Record<string, readonly string[]>> = { '+': ['added'], '-': ['removed'] };
  return (
    same && (kinds[sign]?.includes(how) ?? how !== 'renamed') && (FIELDS[field]?.includes(risk) ?? false)
  );
}
