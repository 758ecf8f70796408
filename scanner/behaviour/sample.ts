/**
 * Arguments that a tool's input schema takes, made from the schema alone: small, and the same each time. What comes out was
 * judged by the schema itself, as the gate judges arguments; where no way of choosing leads to any, there is none. Pure.
 */
import { boundedSchema } from '../../runtime/gate/bounded.ts';
import { References } from '../../runtime/gate/references.ts';
import { isObject } from '../../runtime/wire/message.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { canonical } from '../../schemas/json.ts';
import type { Places } from './places.ts';
import { sampleText } from './sample-text.ts';

/** Ways of choosing between alternatives that are tried: the first of each, the second of each and so on. */
const MAX_WAYS = 6;
const MAX_DEPTH = 12;
/** Values that one sample is made of. */
const MAX_VALUES = 2000;
const MAX_ITEMS = 64;

interface Making {
  readonly references: References;
  readonly places: Places;
  readonly way: number;
  left: number;
}

/** Where a value will stand. */
interface At {
  readonly base: string;
  readonly depth: number;
  /** The name of the property, for what a text is likely to mean. */
  readonly name: string;
  /** Which of several in one array it is: they may have to differ. */
  readonly index: number;
}

class None extends Error {}

/** Undefined where no value is found that the schema takes. */
export function sampleOf(schema: Json | undefined, places: Places): Json | undefined {
  if (!isObject(schema)) return undefined;
  const judge = boundedSchema(schema);
  for (let way = 0; way < MAX_WAYS; way++) {
    try {
      const making: Making = { references: new References(schema), places, way, left: MAX_VALUES };
      const value = made(schema, making, { base: '', depth: 0, name: '', index: 0 });
      if (judge.problems(value).length === 0) return value;
    } catch {
      // A schema that this way of choosing cannot satisfy, or that cannot be read at all.
    }
  }
  return undefined;
}

function made(schema: Json, making: Making, at: At): Json {
  if (--making.left < 0 || at.depth > MAX_DEPTH) throw new None('too much');
  if (schema === true) return sampleText({}, making.places, at);
  if (!isObject(schema)) throw new None('nothing fits');
  const { schema: whole, base } = flattened(schema, making, at);
  const inside = { ...at, base };
  if (whole.const !== undefined) return whole.const;
  if (Array.isArray(whole.enum)) return chosen(whole.enum, making.way + at.index);
  const type = typeIn(whole, making.way);
  if (type === 'object') return objectOf(whole, making, inside);
  if (type === 'array') return arrayOf(whole, making, inside);
  if (type === 'string') return sampleText(whole, making.places, inside);
  const given = exampleIn(whole, type);
  if (given !== undefined && at.index === 0) return given;
  if (type === 'boolean') return making.way % 2 === 1;
  return type === 'null' ? null : numberOf(whole, type, at.index);
}

function chosen(list: readonly Json[], index: number): Json {
  const one = list[index % list.length];
  if (one === undefined) throw new None('nothing to choose from');
  return one;
}

/** One schema without references and alternatives: what they lead to is laid over it. */
function flattened(schema: JsonObject, making: Making, at: At): { schema: JsonObject; base: string } {
  let base = making.references.baseOf(schema, at.base);
  let whole = schema;
  for (let turns = 0; turns < MAX_DEPTH; turns++) {
    const { $ref, allOf, anyOf, oneOf, ...rest } = whole;
    const parts: Json[] = [];
    if ($ref !== undefined) {
      const target = making.references.resolve($ref, base);
      base = target.base;
      parts.push(target.schema);
    }
    if (Array.isArray(allOf)) parts.push(...allOf);
    for (const either of [anyOf, oneOf]) if (Array.isArray(either)) parts.push(chosen(either, making.way));
    if (parts.length === 0) return { schema: whole, base };
    whole = parts.reduce<JsonObject>(merged, rest);
  }
  throw new None('it leads round in a circle');
}

/** Both at once, as far as that can be said by one: properties and what is required of both, otherwise the later word. */
function merged(one: JsonObject, other: Json): JsonObject {
  if (other === true) return one;
  if (!isObject(other)) throw new None('nothing fits');
  const both: JsonObject = { ...one, ...other };
  if (isObject(one.properties) && isObject(other.properties))
    both.properties = { ...one.properties, ...other.properties };
  if (Array.isArray(one.required) && Array.isArray(other.required))
    both.required = [...one.required, ...other.required];
  for (const [key, better] of [
    ['minimum', Math.max],
    ['maximum', Math.min],
  ] as const) {
    const [a, b] = [one[key], other[key]];
    if (typeof a === 'number' && typeof b === 'number') both[key] = better(a, b);
  }
  return both;
}

const KEYWORDS: readonly (readonly [type: string, keywords: readonly string[]])[] = [
  ['object', ['properties', 'required', 'additionalProperties', 'patternProperties', 'minProperties']],
  ['array', ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
];

function typeIn(schema: JsonObject, way: number): string {
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) {
    const real = type.filter((one) => one !== 'null');
    return String(chosen(real.length > 0 ? real : type, way));
  }
  return KEYWORDS.find(([, keywords]) => keywords.some((word) => word in schema))?.[0] ?? 'string';
}

/** A value that the schema itself names, where it is of the kind. */
function exampleIn(schema: JsonObject, type: string): Json | undefined {
  const named = [schema.default, ...(Array.isArray(schema.examples) ? schema.examples : [])];
  return named.find(
    (value) => value !== undefined && (type === 'integer' ? 'number' : type) === typeof value,
  );
}

/** What is required; more only where a number of properties is. */
function objectOf(schema: JsonObject, making: Making, at: At): JsonObject {
  const properties = isObject(schema.properties) ? schema.properties : {};
  const required = Array.isArray(schema.required) ? schema.required.map(String) : [];
  const least = typeof schema.minProperties === 'number' ? schema.minProperties : 0;
  const names = [...new Set(required)];
  // The second way says all that can be said: some schemas ask for it in words that are not followed here.
  const more = making.way === 1 ? Infinity : least;
  for (const name of Object.keys(properties))
    if (names.length < more && !names.includes(name)) names.push(name);
  for (let extra = 1; names.length < Math.min(least, MAX_ITEMS); extra++) names.push(`extra${extra}`);
  const own: JsonObject = Object.create(null);
  for (const name of names) {
    const below = { ...at, depth: at.depth + 1, name, index: 0 };
    own[name] = made(schemaOf(schema, name, properties), making, below);
  }
  return { ...own };
}

function schemaOf(schema: JsonObject, name: string, properties: JsonObject): Json {
  if (Object.hasOwn(properties, name)) return properties[name] ?? false;
  return schema.additionalProperties ?? true;
}

/** As few items as may be, but one: a list of nothing asks for nothing. */
function arrayOf(schema: JsonObject, making: Making, at: At): Json[] {
  const first = Array.isArray(schema.prefixItems) ? schema.prefixItems : [];
  const least = Math.max(typeof schema.minItems === 'number' ? schema.minItems : 0, first.length, 1);
  const count = typeof schema.maxItems === 'number' ? Math.min(least, schema.maxItems) : least;
  if (count > MAX_ITEMS) throw new None('too many items');
  const items = Array.from({ length: count }, (_, index) => {
    const below = { ...at, depth: at.depth + 1, index };
    return made(first[index] ?? schema.items ?? true, making, below);
  });
  if (schema.uniqueItems !== true) return items;
  const distinct = new Map(items.map((item) => [canonical(item), item]));
  if (distinct.size < items.length) throw new None('items that do not differ');
  return items;
}

/** One, or the number within the bounds that is nearest to it. */
function numberOf(schema: JsonObject, type: string, index: number): number {
  const of = (key: string): number | undefined => {
    const value = schema[key];
    return typeof value === 'number' ? value : undefined;
  };
  const step = of('multipleOf') ?? (type === 'integer' ? 1 : undefined);
  const apart = step ?? 0.5;
  const from = Math.max(of('minimum') ?? -Infinity, (of('exclusiveMinimum') ?? -Infinity) + apart);
  const to = Math.min(of('maximum') ?? Infinity, (of('exclusiveMaximum') ?? Infinity) - apart);
  const wanted = Math.min(Math.max(1, from), to) + index * (step ?? 1);
  return step === undefined ? wanted : Math.ceil(wanted / step) * step;
}
