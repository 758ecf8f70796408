/** Keywords of JSON Schema that look at one value alone. */
import Format from 'typebox/format';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { type Check, problem, type Run, runWith } from './bounded.ts';
import { burn, compilePattern } from './pattern.ts';

/** Longest text whose format is asked for, characters; a longer one has none. */
const MAX_FORMATTED = 2048;

/** The checks that a schema's own keywords ask for. Throws where one cannot be judged. */
export function assertionsOf(schema: JsonObject): Check[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => {
    const make = Object.hasOwn(MAKERS, keyword) ? MAKERS[keyword] : undefined;
    return make ? [make(wanted, schema)] : [];
  });
}

type Maker = (wanted: Json, schema: JsonObject) => Check;

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  string: (value) => typeof value === 'string',
  array: Array.isArray,
  object: (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
};

const MAKERS: Readonly<Record<string, Maker>> = {
  type: (wanted) => {
    const names = Array.isArray(wanted) ? wanted : [wanted];
    const tests = names.map((name) => {
      const test = typeof name === 'string' && Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
      if (!test) throw new Error('a type that is none');
      return test;
    });
    const message = `must be ${names.join(' or ')}`;
    return (value, run) => tests.some((test) => test(value)) || problem(run, message);
  },
  const: (wanted) => oneOfThese([wanted], 'must be the one value that is permitted'),
  enum: (wanted) => oneOfThese(listOf(wanted), 'must be one of the values that are permitted'),
  multipleOf: numbers((value, of) => isMultiple(value, of), 'must be a multiple of'),
  minimum: numbers((value, least) => value >= least, 'must be at least'),
  maximum: numbers((value, most) => value <= most, 'must be at most'),
  exclusiveMinimum: numbers((value, bound) => value > bound, 'must be more than'),
  exclusiveMaximum: numbers((value, bound) => value < bound, 'must be less than'),
  minLength: sizes(lengthOf, (size, least) => size >= least, 'must have characters, at least'),
  maxLength: sizes(lengthOf, (size, most) => size <= most, 'must have characters, at most'),
  minItems: sizes(itemsOf, (size, least) => size >= least, 'must have items, at least'),
  maxItems: sizes(itemsOf, (size, most) => size <= most, 'must have items, at most'),
  minProperties: sizes(namesOf, (size, least) => size >= least, 'must have properties, at least'),
  maxProperties: sizes(namesOf, (size, most) => size <= most, 'must have properties, at most'),
  pattern: (wanted) => {
    if (typeof wanted !== 'string') throw new Error('a pattern that is no text');
    const pattern = compilePattern(wanted);
    return (value, run) =>
      typeof value !== 'string' || pattern.test(value, run.fuel) || problem(run, 'must match its pattern');
  },
  format: (wanted) => (value, run) => {
    if (typeof value !== 'string' || typeof wanted !== 'string' || !Format.Has(wanted)) return true;
    burn(run.fuel, value.length);
    const fits = value.length <= MAX_FORMATTED && Format.Test(wanted, value);
    return fits || problem(run, `must be in the format ${wanted}`);
  },
  required: (wanted) => {
    const names = textsOf(wanted);
    return (value, run) => {
      if (!TYPES.object?.(value)) return true;
      burn(run.fuel, names.length);
      const missing = names.find((name) => !Object.hasOwn(value as JsonObject, name));
      return missing === undefined || problem(run, `must have ${missing.slice(0, 80)}`);
    };
  },
  uniqueItems: (wanted) => (value, run) => {
    if (wanted !== true || !Array.isArray(value)) return true;
    const keys = new Set(value.map((item) => keyOf(item, run)));
    return keys.size === value.length || problem(run, 'must not have the same item twice');
  },
  dependentRequired: (wanted) => {
    const lists = Object.entries(objectOf(wanted)).map(([name, list]) => [name, textsOf(list)] as const);
    return (value, run) => {
      if (!TYPES.object?.(value)) return true;
      for (const [name, needed] of lists) {
        if (!Object.hasOwn(value as JsonObject, name)) continue;
        burn(run.fuel, needed.length);
        if (!needed.every((other) => Object.hasOwn(value as JsonObject, other)))
          return problem(run, `must have all that belongs to ${name.slice(0, 80)}`);
      }
      return true;
    };
  },
};

function numbers(fits: (value: number, bound: number) => boolean, words: string): Maker {
  return (bound) => {
    if (typeof bound !== 'number') throw new Error('a bound that is no number');
    return (value, run) =>
      typeof value !== 'number' || fits(value, bound) || problem(run, `${words} ${bound}`);
  };
}

function sizes(
  sizeOf: (value: Json, run: Run) => number | null,
  fits: (size: number, bound: number) => boolean,
  words: string,
): Maker {
  return (bound) => {
    if (typeof bound !== 'number') throw new Error('a bound that is no number');
    return (value, run) => {
      const size = sizeOf(value, run);
      return size === null || fits(size, bound) || problem(run, `${words} ${bound}`);
    };
  };
}

/** Code points. */
function lengthOf(value: Json, run: Run): number | null {
  if (typeof value !== 'string') return null;
  burn(run.fuel, value.length >> 4);
  let pairs = 0;
  for (let i = 0; i < value.length; i++) if ((value.codePointAt(i) ?? 0) > 0xffff) pairs++;
  return value.length - pairs;
}

function itemsOf(value: Json): number | null {
  return Array.isArray(value) ? value.length : null;
}

function namesOf(value: Json): number | null {
  return TYPES.object?.(value) ? Object.keys(value as JsonObject).length : null;
}

/** Sums of tenths are not told apart from their multiples. */
function isMultiple(value: number, of: number): boolean {
  const times = value / of;
  return Number.isFinite(times) && Math.abs(times - Math.round(times)) <= 1e-9 * Math.max(1, Math.abs(times));
}

function oneOfThese(values: readonly Json[], message: string): Check {
  const free = runWith(Infinity);
  const keys = new Set(values.map((value) => keyOf(value, free)));
  return (value, run) => keys.has(keyOf(value, run)) || problem(run, message);
}

/** The same text for equal values alone, whatever the order of their names. */
function keyOf(value: Json, run: Run): string {
  burn(run.fuel, typeof value === 'string' ? 1 + (value.length >> 4) : 1);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => keyOf(item, run)).join(',')}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${keyOf(value[name] ?? null, run)}`).join(',')}}`;
}

function listOf(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw new Error('a list that is none');
  return value;
}

function textsOf(value: Json): readonly string[] {
  const texts = listOf(value);
  if (!texts.every((text) => typeof text === 'string')) throw new Error('a name that is no text');
  return texts as readonly string[];
}

export function objectOf(value: Json): JsonObject {
  if (!TYPES.object?.(value)) throw new Error('an object that is none');
  return value as JsonObject;
}
