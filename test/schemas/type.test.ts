import TypeBox from 'typebox';
import { describe, expect, test } from 'vitest';
import { Type } from '../../schemas/type.ts';

type Builder = typeof Type;

/** Each thing that the builder makes, and each way in which it is used. */
const made: Readonly<Record<string, (type: Builder) => object>> = {
  text: (type) => type.String(),
  'text with options': (type) => type.String({ pattern: '^a$', description: 'an a' }),
  'literal text': (type) => type.Literal('a', { description: 'a' }),
  'literal number': (type) => type.Literal(3),
  'literal truth': (type) => type.Literal(true),
  null: (type) => type.Null(),
  integer: (type) => type.Integer({ minimum: 1, maximum: 3 }),
  number: (type) => type.Number(),
  boolean: (type) => type.Boolean(),
  anything: (type) => type.Unknown(),
  unsafe: (type) => type.Unsafe<string>({ type: 'object' }),
  list: (type) => type.Array(type.String(), { maxItems: 3 }),
  union: (type) => type.Union([type.Literal('a'), type.Null()], { description: 'either' }),
  intersection: (type) => type.Intersect([type.String(), type.String({ maxLength: 3 })]),
  'optional alone': (type) => type.Optional(type.String({ description: 'perhaps' })),
  object: (type) =>
    type.Object({ a: type.Optional(type.String()), b: type.Null() }, { additionalProperties: false }),
  'object of what may be missing': (type) => type.Object({ a: type.Optional(type.Null()) }),
  'object of nothing': (type) => type.Object({}),
  'optional object, in another': (type) => type.Object({ a: type.Optional(type.Object({ b: type.Null() })) }),
  record: (type) => type.Record(type.String(), type.Null()),
  'record by pattern': (type) =>
    type.Record(type.String({ pattern: '^a$', minLength: 1 }), type.Null(), { additionalProperties: false }),
  'record by names': (type) =>
    type.Record(type.Union([type.Literal('a'), type.Literal('b')]), type.Integer({ minimum: 0 })),
  partial: (type) =>
    type.Partial(
      type.Object({ a: type.Null(), b: type.Optional(type.String()) }, { description: 'left out' }),
      {
        additionalProperties: false,
      },
    ),
};

describe('the builder of schemas', () => {
  test.each(Object.entries(made))('%s is as TypeBox makes it, in the same order', (_, make) => {
    expect(JSON.stringify(make(Type))).toBe(JSON.stringify(make(TypeBox as unknown as Builder)));
  });

  test('each of its names is compared', () => {
    const used = Object.values(made).map(String).join('\n');
    expect(
      Object.keys(Type).filter((name) => !used.includes(`.${name}(`) && !used.includes(`.${name}<`)),
    ).toEqual([]);
  });

  test('what is given to it stays as it was', () => {
    const text = Type.String();
    Type.Object({ a: Type.Optional(text) });
    expect(Type.Object({ a: text })).toHaveProperty('required', ['a']);
  });
});
