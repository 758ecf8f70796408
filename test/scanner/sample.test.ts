import { describe, expect, it } from 'vitest';
import { sampleOf } from '../../scanner/behaviour/sample.ts';
import type { Json } from '../../schemas/common.ts';

const PLACES = { folder: '/tmp/work', file: '/tmp/work/notes.txt', host: 'sinkhole.invalid' };
const sample = (schema: Json): Json | undefined => sampleOf(schema, PLACES);
const of = (property: Json, name = 'x'): Json => ({
  type: 'object',
  properties: { [name]: property },
  required: [name],
});

describe('a value made from a schema', () => {
  const cases: readonly [string, Json, Json][] = [
    ['nothing required', { type: 'object', properties: { a: { type: 'string' } } }, {}],
    ['no type at all', {}, 'test'],
    ['a text', of({ type: 'string' }), { x: 'test' }],
    ['a constant', of({ const: 7 }), { x: 7 }],
    ['one of several', of({ enum: ['b', 'a'] }), { x: 'b' }],
    ['a default before a word of ours', of({ type: 'string', default: 'metric' }), { x: 'metric' }],
    ['an example', of({ type: 'string', examples: ['Paris'] }), { x: 'Paris' }],
    ['a number at its least', of({ type: 'integer', minimum: 5, maximum: 9 }), { x: 5 }],
    ['a number at its most', of({ type: 'number', maximum: -2 }), { x: -2 }],
    ['bounds that are left out', of({ type: 'integer', exclusiveMinimum: 1 }), { x: 2 }],
    ['a multiple', of({ type: 'integer', minimum: 7, multipleOf: 5 }), { x: 10 }],
    ['yes or no', of({ type: 'boolean' }), { x: false }],
    ['null', of({ type: 'null' }), { x: null }],
    ['a kind or null', of({ type: ['null', 'integer'] }), { x: 1 }],
    ['a length', of({ type: 'string', minLength: 6, maxLength: 8 }), { x: 'testaa' }],
    ['a short text', of({ type: 'string', maxLength: 2 }), { x: 'te' }],
    ['a pattern', of({ type: 'string', pattern: '^[A-Z]{3}-\\d+$' }), { x: 'AAA-1' }],
    ['a pattern with a choice', of({ type: 'string', pattern: '^(?:x|y)z?$' }), { x: 'x' }],
    ['a list of one', of({ type: 'array', items: { type: 'integer' } }), { x: [1] }],
    ['a list of none', of({ type: 'array', maxItems: 0 }), { x: [] }],
    [
      'a list that differs',
      of({ type: 'array', minItems: 3, uniqueItems: true, items: { type: 'string' } }),
      { x: ['test', 'test1', 'test2'] },
    ],
    [
      'places of a list',
      of({ type: 'array', prefixItems: [{ const: 1 }, { type: 'boolean' }] }),
      { x: [1, false] },
    ],
    ['properties without a type', { properties: { a: { type: 'null' } }, required: ['a'] }, { a: null }],
    ['a number of properties', { type: 'object', minProperties: 2 }, { extra1: 'test', extra2: 'test' }],
    ['required without being described', { type: 'object', required: ['q'] }, { q: 'test' }],
    ['the first of any', of({ anyOf: [{ type: 'integer' }, { type: 'string' }] }), { x: 1 }],
    ['all of them', of({ allOf: [{ type: 'integer', minimum: 2 }, { minimum: 4 }] }), { x: 4 }],
    [
      'another way where the first does not do',
      of({ type: 'string', oneOf: [{ type: 'integer' }, { minLength: 1 }] }),
      { x: 'test' },
    ],
    ['not', of({ type: 'string', not: { const: 'test' } }), undefined as unknown as Json],
    [
      'one that needs another',
      {
        type: 'object',
        properties: { a: { type: 'string' }, b: { type: 'string' } },
        anyOf: [{ required: ['a'] }, { required: ['b'] }],
      },
      { a: 'test' },
    ],
    [
      'a reference',
      { $defs: { n: { type: 'integer' } }, ...(of({ $ref: '#/$defs/n' }) as object) } as Json,
      { x: 1 },
    ],
    [
      'a tree that ends',
      { $defs: { t: { type: 'object', properties: { next: { $ref: '#/$defs/t' } } } }, $ref: '#/$defs/t' },
      {},
    ],
  ];
  it.each(cases)('%s', (_, schema, wanted) => {
    expect(sample(schema)).toEqual(wanted);
  });

  const none: readonly [string, Json | undefined][] = [
    ['no schema', undefined],
    ['nothing fits', of(false)],
    ['a reference to elsewhere', of({ $ref: 'https://acme.example/schema' })],
    [
      'a tree without an end',
      {
        $defs: { t: { type: 'object', properties: { t: { $ref: '#/$defs/t' } }, required: ['t'] } },
        $ref: '#/$defs/t',
      },
    ],
    ['a circle', { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }],
    ['bounds that cross', of({ type: 'integer', minimum: 3, maximum: 2 })],
    ['a million items', of({ type: 'array', minItems: 1_000_000 })],
    ['a pattern that cannot be judged', of({ type: 'string', pattern: '(a)\\1' })],
    ['a pattern that is too long', of({ type: 'string', pattern: '^a{100000}$' })],
    ['a wide tree', of({ type: 'array', minItems: 60, items: { type: 'array', minItems: 60 } })],
    ['twice the same', of({ type: 'array', minItems: 2, uniqueItems: true, items: { const: 1 } })],
  ];
  it.each(none)('is not made where there is none: %s', (_, schema) => {
    expect(sampleOf(schema, PLACES)).toBeUndefined();
  });
});

describe('where a text leads', () => {
  const cases: readonly [string, Json, string][] = [
    ['url', {}, 'http://sinkhole.invalid/'],
    ['homepage', { format: 'uri' }, 'http://sinkhole.invalid/'],
    ['url', { pattern: '^https://' }, 'https://sinkhole.invalid/'],
    ['targetUrl', { default: 'https://example.com/' }, 'http://sinkhole.invalid/'],
    ['path', {}, '/tmp/work/notes.txt'],
    ['repoPath', { description: 'Where the repository is' }, '/tmp/work'],
    ['working_dir', {}, '/tmp/work'],
    ['input', { description: 'An absolute path to read' }, '/tmp/work/notes.txt'],
    ['host', {}, 'sinkhole.invalid'],
    ['address', { format: 'email' }, 'a@sinkhole.invalid'],
    ['since', { format: 'date-time' }, '2026-01-01T00:00:00Z'],
    ['startDate', {}, '2026-01-01'],
    ['id', { format: 'uuid' }, '00000000-0000-4000-8000-000000000001'],
    ['timezone', {}, 'UTC'],
    ['query', {}, 'test'],
    ['__proto__', {}, 'test'],
  ];
  it.each(cases)('%s %j', (name, more, wanted) => {
    const schema = {
      type: 'object',
      required: [name],
      properties: Object.fromEntries([[name, { type: 'string', ...(more as object) }]]),
    } as Json;
    expect(Object.entries(sample(schema) as object)).toEqual([[name, wanted]]);
  });
});
