/** What may differ between two starts of one server, and what makes it unlockable. */
import { describe, expect, it } from 'vitest';
import type { Facts } from '../../scanner/checks/check.ts';
import { volatile } from '../../scanner/checks/volatile.ts';
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

describe('what is not pinned', () => {
  it('is shown as both starts said it, from where they part', async () => {
    const long = 'The same beginning, '.repeat(8);
    const of = (end: string): Surface => showing(zone({ description: `${long}in ${end}` }));
    const at = '/tools/now/inputSchema/properties/zone/description';
    const facts = { surface: { ...of('UTC'), volatile: [at] }, other: of('Apia') } as Facts;
    const told = await volatile.run(facts);
    const [finding] = told.outcome === 'fired' ? told.findings : [];
    const from = `…${long.slice(-27)}in `;
    expect(finding?.evidence).toEqual([{ kind: 'change', at, before: `${from}UTC`, after: `${from}Apia` }]);
  });
});
