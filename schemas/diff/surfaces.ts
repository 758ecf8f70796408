/** The difference of two surfaces, field by field, each with a risk class. Semantic only as far as a class needs. */
import { AnyJson, Closed, isObject, type Json, type JsonObject } from '../common.ts';
import { canonical } from '../json.ts';
import { maskItem, pointerOf, SECTIONS, type Section, type Surface } from '../surface.ts';
import { type Static, Type } from '../type.ts';
import { classOf, isLeaf, type Kind, RANK } from './fields.ts';
import { renamesIn } from './renames.ts';

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

/** What happened to a field; `fields.ts` says when it is which. */
export const How = Type.Union([
  Type.Literal('added'),
  Type.Literal('removed'),
  Type.Literal('renamed'),
  Type.Literal('widened'),
  Type.Literal('narrowed'),
  Type.Literal('reworded'),
  Type.Literal('flipped'),
  Type.Literal('default'),
  Type.Literal('reordered'),
  Type.Literal('changed'),
]);
export type How = Static<typeof How>;

export const Change = Closed({
  at: Type.String({ description: 'JSON pointer into the surface' }),
  kind: Type.Union([Type.Literal('added'), Type.Literal('removed'), Type.Literal('changed')]),
  risk: RiskClass,
  how: Type.Optional(How),
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
  const shown = (surface: Surface): Map<string, JsonObject> =>
    new Map(
      Object.entries(surface[section]).map(([key, item]) => [
        key,
        maskItem(item, pointerOf(section, key), pair.volatile),
      ]),
    );
  const [was, is] = [shown(pair.before), shown(pair.after)];
  const only = (one: Map<string, JsonObject>, other: Map<string, JsonObject>): Record<string, JsonObject> =>
    Object.fromEntries([...one].filter(([key]) => !other.has(key)));
  const [gone, fresh] = [only(was, is), only(is, was)];
  const renamed = new Map(renamesIn(gone, fresh).map(({ from, to }) => [to, from]));
  for (const [key, item] of is) {
    const at = pointerOf(section, key);
    const from = renamed.get(key);
    if (from !== undefined) out.push(renamedTo(key, { at, from }));
    const before = was.get(key) ?? (from === undefined ? undefined : named(was.get(from), item));
    if (before) walk(at, before, item, out);
    else out.push({ at, kind: 'added', how: 'added', risk: addedRisk(section, item), after: item });
  }
  const moved = new Set(renamed.values());
  for (const [key, item] of Object.entries(gone))
    if (!moved.has(key))
      out.push({
        at: pointerOf(section, key),
        kind: 'removed',
        how: 'removed',
        risk: 'contract',
        before: item,
      });
}

/** A name that only looks like the one before is meant to be taken for it. */
function renamedTo(to: string, { at, from }: { readonly at: string; readonly from: string }): Change {
  const disguised = /[^\x20-\x7e]/.test(to) && !/[^\x20-\x7e]/.test(from);
  return {
    at,
    kind: 'changed',
    how: 'renamed',
    risk: disguised ? 'risk' : 'contract',
    before: from,
    after: to,
  };
}

/** What was there before under the new name: the name itself is told once. */
function named(item: JsonObject | undefined, { name, uri, uriTemplate }: JsonObject): JsonObject | undefined {
  if (item === undefined) return undefined;
  const keys = Object.entries({ name, uri, uriTemplate }).filter(
    ([key, value]) => value !== undefined && key in item,
  );
  return { ...item, ...(Object.fromEntries(keys) as JsonObject) };
}

/** A new tool is additive only when it says it reads; anything else new can act. */
function addedRisk(section: Section, item: JsonObject): RiskClass {
  if (section !== 'tools') return section === 'prompts' ? 'text' : 'additive';
  const hints = item.annotations;
  return isObject(hints) && hints.readOnlyHint === true ? 'additive' : 'risk';
}

function walk(at: string, before: Json | undefined, after: Json | undefined, out: Change[]): void {
  if (before === undefined && after === undefined) return;
  if (isObject(before) && isObject(after) && !isLeaf(at)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      walk(`${at}${pointerOf(key)}`, own(before, key), own(after, key), out);
    return;
  }
  if (before !== undefined && after !== undefined && canonical(before) === canonical(after)) return;
  const kind: Kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  const { how, risk } = classOf({ at, kind, before, after });
  out.push({
    ...{ at, kind, how, risk },
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  });
}

/** A member, never what an object inherits: names are the server's choice. */
function own<T>(object: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** What the change would be called if tools were an API. */
export const Step = Type.Union([
  Type.Literal('major'),
  Type.Literal('minor'),
  Type.Literal('patch'),
  Type.Literal('none'),
]);
export type Step = Static<typeof Step>;
const STEPS: readonly Step[] = ['none', 'patch', 'minor', 'major'];

/**
 * major: who calls it as before may fail, or a policy that reads its hints decides otherwise. minor: there is more of it, or
 * something else happens where nothing is said. patch: words and appearance.
 */
export function stepOf(changes: readonly Change[]): Step {
  return changes.reduce<Step>((top, change) => {
    const step = stepOfOne(change);
    return STEPS.indexOf(step) > STEPS.indexOf(top) ? step : top;
  }, 'none');
}

function stepOfOne({ at, how, kind, risk, after }: Change): Step {
  if (risk === 'cosmetic' || ICONS.test(at)) return 'patch';
  // A schema or an item that speaks is more than words; a description alone is not.
  if (risk === 'text') return how === 'added' && !WORDS.test(at) ? 'minor' : 'patch';
  const answers = /^\/tools\/[^/]*\/outputSchema\//.test(at);
  switch (how ?? kind) {
    case 'added':
      return 'minor';
    case 'default':
      return 'minor';
    case 'widened':
      return answers ? 'major' : 'minor';
    case 'narrowed':
      return answers ? 'minor' : 'major';
    case 'changed':
      return /\/_meta(?:\/|$)/.test(at) || after === undefined ? 'minor' : 'major';
    default:
      return 'major';
  }
}

const ICONS = /^\/(?:serverInfo|[a-zA-Z]+\/[^/]*)\/icons$/;
const WORDS = /\/(?:description|title|instructions|examples|\$comment)$/;
