import { Compile } from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { boundedSchema } from '../../../runtime/gate/bounded.ts';
import { compilePattern } from '../../../runtime/gate/pattern.ts';
import type { Json, JsonObject } from '../../../schemas/common.ts';

const fits = (schema: Json, value: Json): boolean => boundedSchema(schema).problems(value).length === 0;
const said = (schema: Json, value: Json): string =>
  boundedSchema(schema)
    .problems(value)
    .map(({ at, message }) => `${at} ${message}`)
    .join('; ');

/** Steps that a pattern takes on a text. */
function steps(source: string, text: string): number {
  const fuel = { left: 1e9 };
  compilePattern(source).test(text, fuel);
  return 1e9 - fuel.left;
}

describe('a pattern', () => {
  const texts = ['', 'a', 'ab', 'aab', 'b a', 'A1_', 'é', '😀b', 'a\nb', '--a.b-', '2026-01-31', 'aaaa!'];
  it.each([
    '^a',
    'b$',
    '^(?:a|ab)+$',
    '^[^a-c\\s]*$',
    '\\bb\\b',
    '\\Ba',
    '^.{1,3}$',
    '^(a{2}|b){1,}?$',
    '^\\d{4}-(?:0[1-9]|1[0-2])-\\d{2}$',
    '^\\p{L}+$',
    '^(?!.*--)[\\w.-]+$',
    '(?<=a)b',
    '(?<!a)b',
    'a(?=b)',
    '^(?<first>a)+$',
    '[\\]a]',
    '\\u{1f600}',
    '\\u0061\\x62?',
    '^$',
    '(?:)*',
    '^[a-z]+\\-$',
  ])('%s says what the engine says', (source) => {
    for (const text of texts) {
      const flags = /\\-\$/.test(source) ? '' : 'u';
      const expected = new RegExp(source, flags).test(text);
      expect([text, compilePattern(source).test(text, { left: 1e6 })]).toEqual([text, expected]);
    }
  });

  it.each(['^(a+)+$', '^(a|a)*$', '^(.*a){12}$', '^([a-z]+)*\\d$', '^(?!(a+)+b)a*$'])(
    '%s takes twice the steps for twice the text',
    (source) => {
      const [one, two] = [500, 1000].map((length) => steps(source, `${'a'.repeat(length)}!`)) as [
        number,
        number,
      ];
      expect(two / one).toBeLessThan(source.includes('?!') ? 4.1 : 2.1);
    },
  );

  it.each<[string, string]>([
    ['(a)\\1', 'refers back'],
    ['((a{100}){100}){100}', 'states'],
    ['(?:){1000000000}', 'states'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'groups'],
    ['a'.repeat(6000), 'characters'],
    ['(', 'none'],
    ['(?i:a)', 'not known'],
  ])('%s is not judged at all', (source, why) => {
    expect(() => compilePattern(source)).toThrow(why);
    expect(said({ pattern: source }, 'a')).toContain('cannot be judged');
  });
});

/** The same sequence on every machine. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % below;
  };
}

function valueFrom(roll: (below: number) => number, depth: number): Json {
  const plain: Json[] = [null, true, false, 0, 1, 2, -1, 1.5, '', 'a', 'ab', 'é', '😀'];
  if (depth === 0 || roll(3) > 0) return plain[roll(plain.length)] ?? null;
  if (roll(2) === 0) return Array.from({ length: roll(4) }, () => valueFrom(roll, depth - 1));
  return Object.fromEntries(
    Array.from({ length: roll(4) }, () => ['abc'.charAt(roll(3)), valueFrom(roll, depth - 1)]),
  );
}

const KEYWORDS: readonly ((roll: (below: number) => number, depth: number) => JsonObject)[] = [
  (roll) => ({ type: ['object', 'array', 'string', 'number', 'integer', 'null', 'boolean'][roll(7)] ?? '' }),
  (roll) => ({ type: ['string', ['object', 'number'][roll(2)] ?? ''] }),
  (roll) => ({ enum: [valueFrom(roll, 1), valueFrom(roll, 1)] }),
  (roll) => ({ const: valueFrom(roll, 1) }),
  (roll) => ({ minimum: roll(3), maximum: 1 + roll(3) }),
  (roll) => ({ exclusiveMinimum: roll(3) - 1 }),
  (roll) => ({ minLength: roll(2), maxLength: 1 + roll(2) }),
  (roll) => ({ pattern: ['^a', 'b$', 'a|b'][roll(3)] ?? '' }),
  (roll) => ({ minItems: roll(3), uniqueItems: roll(2) === 0 }),
  (roll) => ({ required: ['abc'.charAt(roll(3))] }),
  (roll) => ({ dependentRequired: { a: ['abc'.charAt(roll(3))] } }),
  (roll, depth) => ({ properties: { a: schemaFrom(roll, depth - 1), b: schemaFrom(roll, depth - 1) } }),
  (roll, depth) => ({ properties: { a: {} }, additionalProperties: schemaFrom(roll, depth - 1) }),
  (roll, depth) => ({ patternProperties: { '^a': schemaFrom(roll, depth - 1) } }),
  (roll, depth) => ({ items: schemaFrom(roll, depth - 1) }),
  (roll, depth) => ({ prefixItems: [schemaFrom(roll, depth - 1)], items: schemaFrom(roll, depth - 1) }),
  (roll, depth) => ({ allOf: [schemaFrom(roll, depth - 1), schemaFrom(roll, depth - 1)] }),
  (roll, depth) => ({ anyOf: [schemaFrom(roll, depth - 1), schemaFrom(roll, depth - 1)] }),
  (roll, depth) => ({ oneOf: [schemaFrom(roll, depth - 1), schemaFrom(roll, depth - 1)] }),
  (roll, depth) => ({ not: schemaFrom(roll, depth - 1) }),
  (roll, depth) => ({ if: schemaFrom(roll, depth - 1), else: schemaFrom(roll, depth - 1) }),
  (roll, depth) => ({ propertyNames: schemaFrom(roll, depth - 1) }),
];

function schemaFrom(roll: (below: number) => number, depth: number): JsonObject {
  const schema: JsonObject = {};
  for (let i = 0; i <= roll(2); i++)
    Object.assign(schema, KEYWORDS[roll(depth > 0 ? KEYWORDS.length : 11)]?.(roll, depth));
  return schema;
}

describe('a schema', () => {
  it('says what a checker says that turns schemas into code, for 6,000 values', () => {
    const roll = dice(7);
    const apart: Json[] = [];
    for (let i = 0; i < 1500; i++) {
      const schema = schemaFrom(roll, 2);
      const checker = Compile(schema);
      for (let j = 0; j < 4; j++) {
        const value = valueFrom(roll, 2);
        if (fits(schema, value) !== checker.Check(value)) apart.push({ schema, value });
      }
    }
    expect(apart).toEqual([]);
  });

  it.each<[string, Json, Json, boolean]>([
    [
      'a tuple in the words of draft-07',
      { items: [{ type: 'number' }], additionalItems: false },
      [1, 2],
      false,
    ],
    ['dependencies of draft-07', { dependencies: { a: ['b'] } }, { a: 1 }, false],
    [
      'a reference into definitions',
      { $ref: '#/definitions/a', definitions: { a: { type: 'number' } } },
      'x',
      false,
    ],
    ['a reference to an anchor', { $ref: '#a', $defs: { x: { $anchor: 'a', type: 'number' } } }, 1, true],
    [
      'a reference to an embedded schema',
      { $ref: 'b', $defs: { x: { $id: 'b', type: 'number' } } },
      'x',
      false,
    ],
    [
      'a list that refers to itself',
      { type: 'object', properties: { next: { $ref: '#' } } },
      { next: { next: 3 } },
      false,
    ],
    [
      'what nothing else looked at',
      { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false },
      { a: 1, b: 2 },
      false,
    ],
    [
      'what something looked at',
      { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false },
      { a: 1 },
      true,
    ],
    ['items left over', { prefixItems: [{}], contains: { const: 3 }, unevaluatedItems: false }, [1, 3], true],
    ['items left over that are not contained', { prefixItems: [{}], unevaluatedItems: false }, [1, 2], false],
    ['tenths', { multipleOf: 0.1 }, 0.3, true],
    ['a number too large to be divided', { multipleOf: 1e-300 }, 1e300, false],
    ['a property named like a member of every object', { required: ['constructor'] }, {}, false],
    ['a format', { format: 'uri' }, 'no address', false],
    ['a format nobody knows', { format: 'color-of-the-sky' }, 'blue', true],
    ['a format of a very long text', { format: 'uri' }, `https://a.example/${'a'.repeat(5000)}`, false],
    ['a choice of several', { oneOf: [{ type: 'number' }, { minimum: 1 }] }, 2, false],
  ])('judges %s', (_, schema, value, expected) => {
    expect(fits(schema, value)).toBe(expected);
  });

  it('names the places that do not fit, five at most', () => {
    const schema = { properties: { 'a/b': { items: { type: 'number' } } } };
    expect(said(schema, { 'a/b': [1, 'x'] })).toBe('/a~1b/1 must be number');
    expect(boundedSchema({ items: false }).problems(Array(100).fill(0))).toHaveLength(5);
  });

  it.each<[string, Json]>([
    ['another document', { $ref: 'https://a.example/x' }],
    ['nothing', { $ref: '#/$defs/x' }],
    ['itself, without end', { $ref: '#' }],
    ['one of two of a name', { $ref: '#a', $defs: { x: { $anchor: 'a' }, y: { $anchor: 'a' } } }],
  ])('that refers to %s fits nothing', (_, schema) => {
    expect(said(schema, {})).toContain('cannot be judged');
  });

  it.each<Json>([
    null,
    1,
    'object',
    [],
    { type: 'thing' },
    { required: 'a' },
    { anyOf: {} },
    { minimum: '1' },
  ])('%j is none and fits nothing', (schema) => expect(fits(schema, {})).toBe(false));
});

/** `$defs` of which each applies the one before it twice. */
function doubling(levels: number): JsonObject {
  const defs: JsonObject = { d0: { type: 'object' } };
  for (let i = 1; i <= levels; i++)
    defs[`d${i}`] = { allOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] };
  return { $defs: defs, $ref: `#/$defs/d${levels}` };
}

describe('a schema that means harm is over after so many steps', () => {
  const branches: Json[] = Array.from({ length: 5000 }, (_, i) => ({ properties: { a: { const: `${i}` } } }));
  const branching = { properties: { l: { allOf: [{ $ref: '#' }, { $ref: '#' }, { $ref: '#' }] } } };
  const deep = (levels: number): Json =>
    Array.from({ length: levels }).reduce<Json>((inner) => ({ l: inner }), {});
  it.each<[string, Json, Json, string]>([
    ['references that double', doubling(40), {}, 'more work'],
    ['lists that branch at each level', branching, deep(40), 'more work'],
    [
      'a wide choice for each of many items',
      { items: { anyOf: branches } },
      Array(5000).fill({ a: 'x' }),
      'more work',
    ],
    [
      'a pattern with thousands of states at once',
      { pattern: '(?:a?){3000}b' },
      'a'.repeat(3000),
      'more work',
    ],
    ['schemas in one another', deep(600) as JsonObject, deep(600), ''],
    ['more schemas than are read', { allOf: Array.from({ length: 30_000 }, () => ({})) }, {}, 'more than'],
  ])('%s', (_, schema, value, why) => {
    const found = said(schema, value);
    if (why !== '') expect(found).toContain(why);
    expect(found).not.toContain('stack');
  });

  it('and what can be judged takes fuel as the value grows', () => {
    const schema = { items: { type: 'object', required: ['a'], properties: { a: { pattern: '^x+$' } } } };
    expect(fits(schema, Array(50_000).fill({ a: 'x'.repeat(20) }))).toBe(true);
  });
});
