/** What may differ between two starts of one server, and what makes it unlockable. */
import { describe, expect, it } from 'vitest';
import { volatileBetween } from '../../scanner/volatile.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { Surface } from '../../schemas/surface.ts';
import { surface } from '../helpers/trust.ts';

const showing = (inputSchema: JsonObject): Surface => ({
  ...surface,
  tools: { now: { name: 'now', description: 'Tells the time.', inputSchema } },
});
const zone = (more: JsonObject): JsonObject => ({
  type: 'object',
  properties: { zone: { type: 'string', ...more } },
});
const between = (a: JsonObject, b: JsonObject): string[] => volatileBetween(showing(a), showing(b));

describe('two starts', () => {
  it.each<[string, (text: string) => JsonObject]>([
    ['properties/zone/description', (text) => zone({ description: text })],
    ['title', (text) => ({ type: 'object', title: text })],
    ['properties/zone/anyOf/1/description', (text) => zone({ anyOf: [{}, { description: text }] })],
    ['$defs/Zone/items/description', (text) => ({ $defs: { Zone: { items: { description: text } } } })],
    [
      'properties/description/description',
      (text) => ({ properties: { description: { description: text } } }),
    ],
  ])('may differ in the text %s', (at, schema) => {
    expect(between(schema('UTC'), schema('Apia'))).toEqual([`/tools/now/inputSchema/${at}`]);
  });

  it.each<[string, (value: Json) => JsonObject]>([
    ['default', (value) => zone({ default: value })],
    ['enum', (value) => zone({ enum: [value] })],
    ['const/description', (value) => zone({ const: { description: value } })],
    ['default/title', (value) => zone({ default: { title: value } })],
    ['a property called so', (value) => ({ properties: { description: value } })],
    ['pattern', (value) => zone({ pattern: value })],
  ])('may not differ in %s, which arguments are judged by or filled with', (_, schema) => {
    expect(() => between(schema('UTC'), schema('Apia'))).toThrow('differs between two starts');
  });

  it('may not have a text in one of them only', () => {
    expect(() => between(zone({}), zone({ description: 'x' }))).toThrow('in one of them only');
  });
});
