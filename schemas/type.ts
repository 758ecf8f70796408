/**
 * TypeBox's builder, as far as it is used here: its types, and the same JSON Schema as its value, in one file where the
 * library loads hundreds. Import it in the place of `typebox`.
 */
import type TypeBox from 'typebox';
import type { Static, TObject, TProperties, TSchema } from 'typebox';

export type { Static, TObject, TProperties, TSchema };

type Options = Readonly<Record<string, unknown>>;
type Schema = Record<string | symbol, unknown>;

/** Marks a property that may be missing. It is seen by no one who reads the schema as JSON. */
const OPTIONAL = Symbol('optional');

const of =
  (type: string) =>
  (options?: Options): Schema => ({ type, ...options });

function optional(schema: Schema): Schema {
  return Object.defineProperty({ ...schema }, OPTIONAL, { value: true });
}

function object(properties: Readonly<Record<string, Schema>>, options?: Options): Schema {
  const required = Object.keys(properties).filter((name) => properties[name]?.[OPTIONAL] !== true);
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
}

/** The same properties, each of which may be missing. */
function partial({ properties }: Schema, options?: Options): Schema {
  const all = Object.entries(properties as Record<string, Schema>);
  return object(Object.fromEntries(all.map(([name, schema]) => [name, optional(schema)])), options);
}

/** Named by a pattern, or by a union of literals, each of which is there. */
function record(key: Schema, value: Schema, options?: Options): Schema {
  if (Array.isArray(key.anyOf)) {
    const names = (key.anyOf as Schema[]).map((literal) => String(literal.const));
    return object(Object.fromEntries(names.map((name) => [name, value])), options);
  }
  const pattern = typeof key.pattern === 'string' ? key.pattern : '^.*$';
  return { type: 'object', patternProperties: { [pattern]: value }, ...options };
}

const builder = {
  Array: (items: Schema, options?: Options): Schema => ({ type: 'array', items, ...options }),
  Boolean: of('boolean'),
  Integer: of('integer'),
  Intersect: (allOf: readonly Schema[], options?: Options): Schema => ({ allOf, ...options }),
  Literal: (value: unknown, options?: Options): Schema => ({ type: typeof value, const: value, ...options }),
  Null: of('null'),
  Number: of('number'),
  Object: object,
  Optional: optional,
  Partial: partial,
  Record: record,
  String: of('string'),
  Union: (anyOf: readonly Schema[], options?: Options): Schema => ({ anyOf, ...options }),
  Unknown: (options?: Options): Schema => ({ ...options }),
  Unsafe: (schema: Schema): Schema => ({ ...schema }),
};

export const Type = builder as unknown as Pick<typeof TypeBox, keyof typeof builder>;
