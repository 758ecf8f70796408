/** Fields that no model reads as words: icons, how a call is executed, what a prompt takes, which dialect a schema is written in. */
import { isObject, type Json, type JsonObject } from '../common.ts';
import { canonical } from '../json.ts';
import type { Field, FieldClass, RiskClass } from './fields.ts';

const items = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** A client loads icons: those from a host that none came from before are told, those of another scheme are a risk. */
export function iconRisk({ before, after }: Field): RiskClass {
  const known = new Set(items(before).map(({ src }) => placeOf(src)));
  const fresh = items(after)
    .map(({ src }) => placeOf(src))
    .filter((place) => !known.has(place));
  if (fresh.includes(null)) return 'risk';
  return fresh.some((place) => place !== 'data:') ? 'additive' : 'cosmetic';
}

/** Host of an https address, `data:` for what is carried along; null for anything that a client should not load. */
function placeOf(src: Json | undefined): string | null {
  if (typeof src !== 'string') return null;
  if (/^data:image\/(?!svg)/i.test(src)) return 'data:';
  const url = URL.parse(src);
  return url?.protocol === 'https:' ? url.host : null;
}

/** Who cannot make tasks no longer calls a tool that requires them, and the other way round. */
export function executionRisk({ before, after }: Field): RiskClass {
  const requires = (value: Json | undefined): boolean =>
    value === 'required' || (isObject(value) && Object.values(value).includes('required'));
  return requires(before) || requires(after) ? 'contract' : 'cosmetic';
}

/** Names and what is required are a contract; the rest is words, and the order is nothing. */
export function promptClass({ kind, before, after }: Field): FieldClass {
  const sorted = (value: Json | undefined, of: (item: JsonObject) => Json): string =>
    items(value)
      .map((item) => canonical(of(item)))
      .sort()
      .join();
  const taken = ({ name, required }: JsonObject): Json => [name ?? null, required === true];
  if (sorted(before, taken) !== sorted(after, taken)) return { how: kind, risk: 'contract' };
  if (sorted(before, (item) => item) === sorted(after, (item) => item))
    return { how: 'reordered', risk: 'cosmetic' };
  return { how: kind === 'changed' ? 'reworded' : kind, risk: 'text' };
}

/** A schema that became `true` or `false`, or was one. */
export function booleanClass(after: Json | undefined, output: boolean): FieldClass {
  if (after === true) return { how: 'widened', risk: output ? 'contract' : 'risk' };
  return { how: after === false ? 'narrowed' : 'changed', risk: 'contract' };
}

/** A dialect of JSON Schema that is known, or none named; another one may mean anything. */
export function isDialect(value: Json | undefined): boolean {
  return (
    value === undefined ||
    (typeof value === 'string' &&
      /^https?:\/\/json-schema\.org\/(?:draft-0[4-7]|draft\/20(?:19-09|20-12))\/schema#?$/.test(value))
  );
}
