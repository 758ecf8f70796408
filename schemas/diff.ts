/** The difference of two surfaces, field by field, each with a risk class. Semantic only as far as a class needs. */
import { AnyJson, Closed, type Json, type JsonObject } from './common.ts';
import { canonical } from './json.ts';
import { KEY_OF, maskItem, pointerOf, SECTIONS, type Section, type Surface } from './surface.ts';
import { type Static, Type } from './type.ts';

/**
 * cosmetic: no model or policy reads it differently. additive: more of the same kind. text: what a model reads
 * changed. contract: what a call may carry changed. risk: a hint or bound that policy relies on got weaker.
 */
export const RiskClass = Type.Union([
  Type.Literal('cosmetic'),
  Type.Literal('additive'),
  Type.Literal('text'),
  Type.Literal('contract'),
  Type.Literal('risk'),
]);
export type RiskClass = Static<typeof RiskClass>;
const RANK: Readonly<Record<RiskClass, number>> = { cosmetic: 0, additive: 1, text: 2, contract: 3, risk: 4 };

export const Change = Closed({
  at: Type.String({ description: 'JSON pointer into the surface' }),
  kind: Type.Union([Type.Literal('added'), Type.Literal('removed'), Type.Literal('changed')]),
  risk: RiskClass,
  before: Type.Optional(AnyJson),
  after: Type.Optional(AnyJson),
});
export type Change = Static<typeof Change>;

/** All changes from `before` to `after`, in pointer order. What is volatile in `after` is left out. */
export function diffSurfaces(before: Surface, after: Surface): Change[] {
  const changes: Change[] = [];
  // What varied before and is steady now is compared with what was shown then.
  const { volatile } = after;
  const about = (surface: Surface): JsonObject => {
    const { serverInfo, capabilities, instructions } = surface;
    return maskItem(
      { serverInfo, capabilities, instructions },
      '',
      volatile.filter((at) => /^\/(?:serverInfo|capabilities|instructions)(?:\/|$)/.test(at)),
    );
  };
  const [was, is] = [about(before), about(after)];
  for (const field of ['serverInfo', 'capabilities', 'instructions'] as const)
    walk(pointerOf(field), was[field], is[field], changes);
  for (const section of SECTIONS) diffSection(section, { before, after, volatile }, changes);
  return changes.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

export function highestRisk(changes: readonly Change[]): RiskClass | null {
  let top: RiskClass | null = null;
  for (const { risk } of changes) if (top === null || RANK[risk] > RANK[top]) top = risk;
  return top;
}

interface Pair {
  readonly before: Surface;
  readonly after: Surface;
  readonly volatile: readonly string[];
}

function diffSection(section: Section, pair: Pair, out: Change[]): void {
  const keys = new Set([...Object.keys(pair.before[section]), ...Object.keys(pair.after[section])]);
  for (const key of keys) {
    const at = pointerOf(section, key);
    const mask = (item: JsonObject | undefined): JsonObject | undefined =>
      item && maskItem(item, at, pair.volatile);
    const a = mask(own(pair.before[section], key));
    const b = mask(own(pair.after[section], key));
    if (a === undefined && b !== undefined)
      out.push({ at, kind: 'added', risk: addedRisk(section, b), after: b });
    else if (b === undefined && a !== undefined)
      out.push({ at, kind: 'removed', risk: 'contract', before: a });
    else if (a !== undefined && b !== undefined) walk(at, a, b, out);
  }
}

/** A new tool is additive only when it says it reads; anything else new can act. */
function addedRisk(section: Section, item: JsonObject): RiskClass {
  if (section !== 'tools') return section === 'prompts' ? 'text' : 'additive';
  const hints = item.annotations;
  const reads =
    hints !== null && typeof hints === 'object' && !Array.isArray(hints) && hints.readOnlyHint === true;
  return reads ? 'additive' : 'risk';
}

function walk(at: string, before: Json | undefined, after: Json | undefined, out: Change[]): void {
  if (before === undefined || after === undefined) {
    if (before === undefined && after === undefined) return;
    const kind = before === undefined ? 'added' : 'removed';
    const change: Change = { at, kind, risk: fieldRisk(at, kind, before, after) };
    if (before !== undefined) change.before = before;
    if (after !== undefined) change.after = after;
    out.push(change);
    return;
  }
  if (isObject(before) && isObject(after) && !isLeaf(at)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      walk(`${at}${pointerOf(key)}`, own(before, key), own(after, key), out);
    }
    return;
  }
  if (canonical(before) !== canonical(after)) {
    out.push({ at, kind: 'changed', risk: fieldRisk(at, 'changed', before, after), before, after });
  }
}

/** Values compared whole: splitting them further explains nothing. */
function isLeaf(at: string): boolean {
  return /\/(enum|const|required|examples|icons|default)$/.test(at);
}

/** A member, never what an object inherits: names are the server's choice. */
function own<T>(object: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

const TEXT_FIELDS = new Set(['description', 'instructions', 'examples', 'enumNames', 'prompt']);
const COSMETIC_FIELDS = new Set(['$schema', 'icons', '$id', '$comment', 'version', 'websiteUrl']);

/** The rules, most specific first. `at` names the field by its last parts. */
function fieldRisk(
  at: string,
  kind: Change['kind'],
  before: Json | undefined,
  after: Json | undefined,
): RiskClass {
  const parts = at.split('/').slice(1);
  const last = parts.at(-1) ?? '';
  const field = parts[2] ?? last;
  if (field === 'annotations')
    return parts.length === 3 ? hintsRisk(kind, after) : annotationRisk(last, kind, after);
  if (last === 'description' || parts[0] === 'instructions' || TEXT_FIELDS.has(last))
    return textRisk(before, after);
  if (parts[0] === 'serverInfo') return last === 'name' ? 'contract' : 'cosmetic';
  if (parts[0] === 'capabilities') return kind === 'added' ? 'additive' : 'contract';
  if (field === 'inputSchema') return schemaRisk(parts, kind, after);
  if (field === 'outputSchema') return kind !== 'added' ? 'contract' : hasText(after) ? 'text' : 'additive';
  if (field === '_meta') return 'risk';
  if (COSMETIC_FIELDS.has(last)) return 'cosmetic';
  if (field === 'title' || field === 'execution')
    return field === 'title' ? textRisk(before, after) : 'cosmetic';
  if (KEY_OF[(parts[0] ?? 'tools') as Section] === field) return 'contract';
  return 'text';
}

function textRisk(before: Json | undefined, after: Json | undefined): RiskClass {
  const plain = (value: Json | undefined): string =>
    (typeof value === 'string' ? value : value === undefined || value === null ? '' : canonical(value))
      .replace(/\s+/g, ' ')
      .trim();
  return plain(before) === plain(after) ? 'cosmetic' : 'text';
}

/** Does a schema say anything to a model in words? */
function hasText(value: Json | undefined): boolean {
  if (value === undefined || value === null || typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.some(hasText);
  return Object.entries(value).some(
    ([key, item]) =>
      (typeof item === 'string' && (key === 'description' || key === 'title')) || hasText(item),
  );
}

/** All hints at once: as risky as the riskiest of them. */
function hintsRisk(kind: Change['kind'], after: Json | undefined): RiskClass {
  if (kind !== 'added' || after === undefined || !isObject(after)) return 'risk';
  const risks = Object.entries(after).map(([hint, value]) => annotationRisk(hint, kind, value));
  return risks.reduce((top, risk) => (RANK[risk] > RANK[top] ? risk : top), 'additive');
}

/**
 * Hints that lower a guard are risk. So is a hint that first appears and promises less harm than its absence does: a
 * policy that reads it would let more through. One that admits more says more than was said before.
 */
function annotationRisk(hint: string, kind: Change['kind'], after: Json | undefined): RiskClass {
  if (hint === 'title') return 'text';
  if (kind === 'removed') return 'risk';
  const lowersGuard =
    (hint === 'readOnlyHint' && after === false) ||
    (hint === 'destructiveHint' && after === true) ||
    (hint === 'openWorldHint' && after === true) ||
    (hint === 'idempotentHint' && after === false);
  const promises =
    (hint === 'readOnlyHint' && after === true) ||
    (hint === 'destructiveHint' && after === false) ||
    (hint === 'openWorldHint' && after === false) ||
    (hint === 'idempotentHint' && after === true);
  if (kind === 'added') return promises ? 'risk' : 'additive';
  // Either way: it admits more harm than was approved, or promises less than it did.
  return promises || lowersGuard || typeof after !== 'boolean' ? 'risk' : 'contract';
}

/** A bound that disappears or opens is risk; a new property, optional or not, is new reach. */
function schemaRisk(parts: readonly string[], kind: Change['kind'], after: Json | undefined): RiskClass {
  const last = parts.at(-1) ?? '';
  if (parts.at(-2) === 'properties') return kind === 'added' ? 'risk' : 'contract';
  if (last === '$schema' || last === '$id') return 'cosmetic';
  if (last === '$comment' || last === 'title') return 'text';
  if (last === 'additionalProperties') return after === false ? 'contract' : 'risk';
  if (
    kind === 'removed' &&
    /^(type|properties|required|pattern|enum|const|maxLength|minLength|maximum|minimum|format|items)$/.test(
      last,
    )
  ) {
    return 'risk';
  }
  if (kind === 'added' && parts.at(-2) === 'properties') return 'risk';
  return 'contract';
}
