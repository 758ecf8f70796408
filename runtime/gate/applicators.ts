/** Keywords of JSON Schema that apply other schemas: to the same value, or to what is in it. */
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { objectOf } from './assertions.ts';
import {
  type Apply,
  addSeen,
  type Check,
  type Compiler,
  newSeen,
  problem,
  quietly,
  type Run,
  type Seen,
} from './bounded.ts';
import { burn, compilePattern } from './pattern.ts';

interface Scope {
  readonly schema: JsonObject;
  readonly of: (schema: Json) => Apply;
  readonly compiler: Compiler;
  readonly base: string;
}

/** In the order in which they have to look: what is left over is known last. */
export function applicatorsOf(schema: JsonObject, compiler: Compiler, base: string): Check[] {
  const scope = { schema, compiler, base, of: (part: Json) => compiler.compile(part, base) };
  return [
    ...references(scope),
    ...inPlace(scope),
    ...properties(scope),
    ...items(scope),
    ...leftProperties(scope),
    ...leftItems(scope),
  ];
}

function references({ schema, compiler, base }: Scope): Check[] {
  if ('$recursiveRef' in schema) throw new Error('a reference of a kind that is not known');
  return ['$ref', '$dynamicRef'].flatMap((keyword) => {
    const reference = schema[keyword];
    if (reference === undefined) return [];
    const found = compiler.references.resolve(reference, base);
    const apply = compiler.compile(found.schema, found.base);
    return [(value: Json, run: Run, seen: Seen | null) => within(apply, value, run, seen)];
  });
}

/** Applies a schema to the same value and keeps what it looked at, if it fits. */
function within(apply: Apply, value: Json, run: Run, seen: Seen | null): boolean {
  const inner = seen ? newSeen() : null;
  const fits = apply(value, run, inner);
  if (fits) addSeen(seen, inner, run.fuel);
  return fits;
}

function inPlace({ schema, of }: Scope): Check[] {
  const checks: Check[] = [];
  const { allOf, anyOf, oneOf, not } = schema;
  if (allOf !== undefined) {
    const all = partsOf(allOf).map(of);
    checks.push((value, run, seen) =>
      all.reduce((fits, apply) => within(apply, value, run, seen) && fits, true),
    );
  }
  if (anyOf !== undefined) checks.push(someOf(partsOf(anyOf).map(of), Infinity));
  if (oneOf !== undefined) checks.push(someOf(partsOf(oneOf).map(of), 1));
  if (not !== undefined) {
    const apply = of(not);
    checks.push(
      (value, run) => !quietly(run, () => apply(value, run, null)) || problem(run, 'must not fit `not`'),
    );
  }
  return [...checks, ...conditions(schema, of)];
}

/** At least one fits, and at most so many; all are asked where it matters what they looked at. */
function someOf(applies: readonly Apply[], most: number): Check {
  return (value, run, seen) => {
    let fitting = 0;
    for (const apply of applies) {
      if (quietly(run, () => within(apply, value, run, seen))) fitting++;
      if (fitting > 0 && most === Infinity && !seen) return true;
    }
    if (fitting > 0 && fitting <= most) return true;
    return problem(run, fitting === 0 ? 'fits none of the choices' : 'fits more than one of the choices');
  };
}

function conditions(
  { if: when, then, else: otherwise, dependentSchemas, dependencies }: JsonObject,
  of: Scope['of'],
): Check[] {
  const checks: Check[] = [];
  if (when !== undefined) {
    const test = of(when);
    const [yes, no] = [of(then ?? true), of(otherwise ?? true)];
    checks.push((value, run, seen) => {
      const holds = quietly(run, () => within(test, value, run, seen));
      return within(holds ? yes : no, value, run, seen);
    });
  }
  for (const [name, part] of Object.entries({
    ...objectOf(dependencies ?? {}),
    ...objectOf(dependentSchemas ?? {}),
  })) {
    const apply = of(Array.isArray(part) ? { required: part } : part);
    checks.push(
      (value, run, seen) =>
        !isObject(value) || !Object.hasOwn(value, name) || within(apply, value, run, seen),
    );
  }
  return checks;
}

function properties({ schema, of }: Scope): Check[] {
  const { properties = {}, patternProperties = {}, additionalProperties, propertyNames } = schema;
  const named = new Map(Object.entries(objectOf(properties)).map(([name, part]) => [name, of(part)]));
  const matched = Object.entries(objectOf(patternProperties)).map(
    ([source, part]) => [compilePattern(source), of(part)] as const,
  );
  const rest = additionalProperties === undefined ? null : of(additionalProperties);
  const names = propertyNames === undefined ? null : of(propertyNames);
  if (named.size === 0 && matched.length === 0 && !rest && !names) return [];
  return [
    (value, run, seen) => {
      if (!isObject(value)) return true;
      let fits = true;
      for (const name of Object.keys(value)) {
        burn(run.fuel, 1 + matched.length);
        const item = value[name] ?? null;
        const own = named.get(name);
        let known = own !== undefined;
        if (names && !names(name, run, null, name)) fits = false;
        if (own && !own(item, run, null, name)) fits = false;
        for (const [pattern, apply] of matched) {
          if (!pattern.test(name, run.fuel)) continue;
          known = true;
          if (!apply(item, run, null, name)) fits = false;
        }
        if (!known && rest && !rest(item, run, null, name)) fits = false;
        if (known || rest) seen?.names.add(name);
      }
      return fits;
    },
  ];
}

function items({ schema, of }: Scope): Check[] {
  const { prefixItems, items, additionalItems, contains } = schema;
  const tuple = partsOf(prefixItems ?? (Array.isArray(items) ? items : [])).map(of);
  const further = Array.isArray(items) ? additionalItems : items;
  const rest = further === undefined ? null : of(further);
  const checks: Check[] = [];
  if (tuple.length > 0 || rest) {
    checks.push((value, run, seen) => {
      if (!Array.isArray(value)) return true;
      let fits = true;
      burn(run.fuel, value.length);
      for (let index = 0; index < value.length; index++) {
        const apply = tuple[index] ?? rest;
        if (apply && !apply(value[index] ?? null, run, null, index)) fits = false;
      }
      if (seen) seen.before = Math.max(seen.before, rest ? Infinity : tuple.length);
      return fits;
    });
  }
  if (contains !== undefined) checks.push(containing(of(contains), schema));
  return checks;
}

function containing(
  apply: Apply,
  { minContains = 1, maxContains = Infinity }: Record<string, unknown>,
): Check {
  const [least, most] = [Number(minContains), Number(maxContains)];
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true;
    let count = 0;
    for (const [index, item] of value.entries()) {
      if (!quietly(run, () => apply(item, run, null))) continue;
      count++;
      seen?.items.add(index);
    }
    return (
      (count >= least && count <= most) || problem(run, 'must contain what it has to, as often as it has to')
    );
  };
}

function leftProperties({ schema: { unevaluatedProperties }, of }: Scope): Check[] {
  if (unevaluatedProperties === undefined) return [];
  const apply = of(unevaluatedProperties);
  return [
    (value, run, seen) => {
      if (!isObject(value) || !seen || seen.allNames) return true;
      let fits = true;
      for (const [name, item] of Object.entries(value))
        if (!seen.names.has(name) && !apply(item, run, null, name)) fits = false;
      seen.allNames = true;
      return fits;
    },
  ];
}

function leftItems({ schema: { unevaluatedItems }, of }: Scope): Check[] {
  if (unevaluatedItems === undefined) return [];
  const apply = of(unevaluatedItems);
  return [
    (value, run, seen) => {
      if (!Array.isArray(value) || !seen) return true;
      let fits = true;
      for (const [index, item] of value.entries())
        if (index >= seen.before && !seen.items.has(index) && !apply(item, run, null, index)) fits = false;
      seen.before = Infinity;
      return fits;
    },
  ];
}

function partsOf(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw new Error('a list of schemas that is none');
  return value;
}
