/** What happened to each field of a surface, how much it matters, and what it would be called if tools were an API. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verdictOfDrift } from '../../bench/quality/drift.ts';
import { readSets } from '../../bench/quality/records.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import {
  type Change,
  diffSurfaces,
  type How,
  type RiskClass,
  type Step,
  stepOf,
} from '../../schemas/diff/surfaces.ts';
import type { Surface } from '../../schemas/surface.ts';
import { processorMs } from '../helpers/wait.ts';

const surface = (tools: Surface['tools'], more: Partial<Surface> = {}): Surface => ({
  capture: { protocolVersion: '2025-11-25', eras: ['session'], clientCapabilities: {} },
  ...{ serverInfo: { name: 's' }, capabilities: {}, instructions: null },
  ...{ tools, prompts: {}, resources: {}, resourceTemplates: {}, volatile: [] },
  ...more,
});
const tool = (more: JsonObject): JsonObject => ({
  name: 't',
  description: 'Reads a row of a table.',
  ...more,
});
const diff = (before: JsonObject, after: JsonObject): Change[] =>
  diffSurfaces(surface({ t: tool(before) }), surface({ t: tool(after) }));
/** Of a tool whose parameter `p` has this schema; `after` may say more of the whole schema. */
const takes = (p: Json, more: JsonObject = {}): JsonObject => ({
  inputSchema: { type: 'object', properties: { p }, ...more },
});
const gives = (p: Json, more: JsonObject = {}): JsonObject => ({
  outputSchema: { type: 'object', properties: { p }, ...more },
});

type Row = readonly [
  what: string,
  before: JsonObject,
  after: JsonObject,
  how: How,
  risk: RiskClass,
  step: Step,
];
const rows: readonly Row[] = [
  ['a description', { description: 'One.' }, { description: 'Two.' }, 'reworded', 'text', 'patch'],
  [
    'white space',
    { description: 'One  two.' },
    { description: 'One\ntwo.' },
    'reordered',
    'cosmetic',
    'patch',
  ],
  ['a title', { title: 'One' }, { title: 'Two' }, 'reworded', 'text', 'patch'],
  [
    'an icon',
    { icons: [] },
    { icons: [{ src: 'data:image/png;base64,AA' }] },
    'changed',
    'cosmetic',
    'patch',
  ],
  ['execution', {}, { execution: { taskSupport: 'optional' } }, 'added', 'cosmetic', 'patch'],
  ['_meta', { _meta: { ui: 'a' } }, { _meta: { ui: 'b' } }, 'changed', 'risk', 'minor'],
  [
    'a hint that lowers a guard',
    { annotations: { readOnlyHint: true } },
    { annotations: { readOnlyHint: false } },
    'flipped',
    'risk',
    'major',
  ],
  [
    'a hint that raises one',
    { annotations: { destructiveHint: true } },
    { annotations: { destructiveHint: false } },
    'flipped',
    'risk',
    'major',
  ],
  [
    'a hint that goes',
    { annotations: { readOnlyHint: true } },
    { annotations: {} },
    'removed',
    'risk',
    'major',
  ],
  [
    'a hint that admits',
    { annotations: {} },
    { annotations: { destructiveHint: true } },
    'added',
    'additive',
    'minor',
  ],
  ['hints that promise', {}, { annotations: { readOnlyHint: true } }, 'added', 'risk', 'minor'],
  [
    'an optional parameter',
    takes({}),
    { inputSchema: { type: 'object', properties: { p: {}, q: {} } } },
    'added',
    'risk',
    'minor',
  ],
  [
    'a parameter that is called description',
    takes({}),
    { inputSchema: { type: 'object', properties: { p: {}, description: { type: 'string' } } } },
    'added',
    'risk',
    'minor',
  ],
  [
    'a parameter that is called default',
    takes({}),
    { inputSchema: { type: 'object', properties: { p: {}, default: { type: 'string' } } } },
    'added',
    'risk',
    'minor',
  ],
  [
    'a parameter that goes',
    { inputSchema: { type: 'object', properties: { p: {}, q: {} } } },
    takes({}),
    'removed',
    'contract',
    'major',
  ],
  [
    'a parameter that is required now',
    takes({}),
    takes({}, { required: ['p'] }),
    'narrowed',
    'contract',
    'major',
  ],
  ['one that is not any more', takes({}, { required: ['p'] }), takes({}), 'widened', 'contract', 'minor'],
  [
    'the order of what is required',
    takes({}, { required: ['p', 'q'] }),
    takes({}, { required: ['q', 'p'] }),
    'reordered',
    'cosmetic',
    'patch',
  ],
  [
    'the order of an enumeration',
    takes({ enum: ['a', 'b'] }),
    takes({ enum: ['b', 'a'] }),
    'reordered',
    'cosmetic',
    'patch',
  ],
  ['one more value', takes({ enum: ['a'] }), takes({ enum: ['a', 'b'] }), 'widened', 'risk', 'minor'],
  ['one value less', takes({ enum: ['a', 'b'] }), takes({ enum: ['a'] }), 'narrowed', 'contract', 'major'],
  [
    'a value in the place of another',
    takes({ enum: ['a', 'b'] }),
    takes({ enum: ['a', 'c'] }),
    'narrowed',
    'risk',
    'major',
  ],
  ['a constant for another', takes({ const: 'a' }), takes({ const: 'b' }), 'narrowed', 'risk', 'major'],
  ['no enumeration any more', takes({ enum: ['a'] }), takes({}), 'widened', 'risk', 'minor'],
  ['a wider type', takes({ type: 'integer' }), takes({ type: 'number' }), 'widened', 'risk', 'minor'],
  [
    'one type more',
    takes({ type: 'string' }),
    takes({ type: ['null', 'string'] }),
    'widened',
    'risk',
    'minor',
  ],
  ['another type', takes({ type: 'string' }), takes({ type: 'object' }), 'narrowed', 'risk', 'major'],
  ['a greater bound', takes({ maxLength: 5 }), takes({ maxLength: 9 }), 'widened', 'risk', 'minor'],
  ['a smaller bound', takes({ maximum: 9 }), takes({ maximum: 5 }), 'narrowed', 'contract', 'major'],
  ['a smaller least', takes({ minimum: 9 }), takes({ minimum: 5 }), 'widened', 'risk', 'minor'],
  ['no bound any more', takes({ maxLength: 5 }), takes({}), 'widened', 'risk', 'minor'],
  ['a bound', takes({}), takes({ maxLength: 5 }), 'narrowed', 'contract', 'major'],
  [
    'a pattern that all fit',
    takes({ pattern: '^[a-z]+$' }),
    takes({ pattern: '.*' }),
    'widened',
    'risk',
    'minor',
  ],
  [
    'another pattern',
    takes({ pattern: '^[a-z]+$' }),
    takes({ pattern: '^[A-Z]+$' }),
    'narrowed',
    'risk',
    'major',
  ],
  [
    'an open object',
    takes({}, { additionalProperties: false }),
    takes({}, { additionalProperties: true }),
    'widened',
    'risk',
    'minor',
  ],
  ['a closed object', takes({}), takes({}, { additionalProperties: false }), 'narrowed', 'contract', 'major'],
  [
    'one alternative more',
    takes({ anyOf: [{ type: 'null' }] }),
    takes({ anyOf: [{ type: 'string' }, { type: 'null' }] }),
    'widened',
    'risk',
    'minor',
  ],
  ['a default', takes({ default: 'a' }), takes({ default: 'b' }), 'default', 'contract', 'minor'],
  [
    'a default of many parts',
    takes({ default: { a: 1 } }),
    takes({ default: { a: 2, b: 1 } }),
    'default',
    'contract',
    'minor',
  ],
  [
    'the words of a parameter',
    takes({ description: 'One' }),
    takes({ description: 'Two' }),
    'reworded',
    'text',
    'patch',
  ],
  [
    'the dialect of a schema',
    takes({}, { $schema: 'http://json-schema.org/draft-07/schema#' }),
    takes({}, { $schema: 'https://json-schema.org/draft/2020-12/schema' }),
    'changed',
    'cosmetic',
    'patch',
  ],
  ['a schema that goes', takes({}), {}, 'removed', 'risk', 'major'],
  [
    'an answer with one member more',
    gives({}),
    { outputSchema: { type: 'object', properties: { p: {}, q: {} } } },
    'added',
    'additive',
    'minor',
  ],
  [
    'an answer that may be more',
    gives({ enum: ['a'] }),
    gives({ enum: ['a', 'b'] }),
    'widened',
    'contract',
    'major',
  ],
  [
    'an answer that is held to less',
    gives({}, { required: ['p'] }),
    gives({}),
    'widened',
    'contract',
    'major',
  ],
  ['an output schema', {}, gives({}), 'added', 'additive', 'minor'],
  ['an output schema that speaks', {}, gives({ description: 'Do this.' }), 'added', 'text', 'minor'],
  ['an output schema that goes', gives({}), {}, 'removed', 'contract', 'major'],
];

describe('a change of a tool', () => {
  it.each(rows)('%s', (_what, before, after, how, risk, step) => {
    const changes = diff(before, after);
    expect(changes.map((change) => [change.how, change.risk])).toEqual([[how, risk]]);
    expect(stepOf(changes)).toBe(step);
  });

  it('is none where the same is written in another order', () => {
    const turned = { inputSchema: { properties: { p: { maxLength: 1, type: 'string' } }, type: 'object' } };
    expect(diff(takes({ type: 'string', maxLength: 1 }), turned)).toEqual([]);
    expect(stepOf([])).toBe('none');
  });
});

describe('a tool under another name', () => {
  const row = (name: string, more: JsonObject = {}): JsonObject => ({
    ...{ name, description: 'Reads one row of a table by its key.' },
    inputSchema: { type: 'object', properties: { table: { type: 'string' }, key: { type: 'string' } } },
    ...more,
  });
  const told = (before: readonly JsonObject[], after: readonly JsonObject[]): string[] => {
    const keyed = (list: readonly JsonObject[]): Surface['tools'] =>
      Object.fromEntries(list.map((one) => [String(one.name), one]));
    return diffSurfaces(surface(keyed(before)), surface(keyed(after))).map(
      ({ how, risk, at }) => `${how} ${risk} ${at}`,
    );
  };

  it('is told as renamed, and what else changed in it by itself', () => {
    expect(told([row('read_row')], [row('row-read')])).toEqual(['renamed contract /tools/row-read']);
    expect(
      told(
        [row('read_row')],
        [row('fetch_row', { description: 'Reads one row of a table by its own key.' })],
      ),
    ).toEqual(['renamed contract /tools/fetch_row', 'reworded text /tools/fetch_row/description']);
  });

  it('is a risk where the name only looks the same', () =>
    expect(told([row('read_row')], [row('re\u0430d_row')])).toEqual(['renamed risk /tools/re\u0430d_row']));

  it('is another tool where it takes and says something else, or nothing that would tell', () => {
    const drop = {
      name: 'drop_table',
      description: 'Drops everything.',
      inputSchema: { properties: { force: { type: 'boolean' } } },
    };
    expect(told([row('read_row')], [drop])).toEqual([
      'added risk /tools/drop_table',
      'removed contract /tools/read_row',
    ]);
    expect(told([{ name: 'a' }], [{ name: 'b' }])).toEqual([
      'removed contract /tools/a',
      'added risk /tools/b',
    ]);
  });

  it('is looked for in time, however many came and went', () => {
    const many = (prefix: string): JsonObject[] =>
      Array.from({ length: 2000 }, (_, i) => row(`${prefix}_${i}`));
    const spent = processorMs();
    expect(told(many('a'), many('b'))).toHaveLength(4000);
    expect(told(many('a').slice(0, 150), many('b').slice(0, 150))).toHaveLength(150);
    expect(spent()).toBeLessThan(10_000);
  });
});

it('instructions, capabilities and names of servers have classes of their own', () => {
  const before = surface(
    {},
    { instructions: 'Reads.', capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } },
  );
  const after = surface(
    {},
    {
      instructions: 'Use it always.',
      capabilities: { tools: {}, prompts: {} },
      serverInfo: { name: 'z', version: '2' },
    },
  );
  expect(diffSurfaces(before, after).map(({ at, how, risk }) => `${at} ${how} ${risk}`)).toEqual([
    '/capabilities/prompts added additive',
    '/instructions reworded text',
    '/serverInfo/name changed contract',
    '/serverInfo/version changed cosmetic',
  ]);
});

describe('real versions', () => {
  const dir = join(import.meta.dirname, '../fixtures/manifests');
  const { drifts } = readSets(dir);
  const verdicts = new Map(drifts.map((record) => [record.name, verdictOfDrift(record)]));

  type Pair = readonly [name: string, risk: RiskClass | null, step: Step, renamed: number];
  const FS = '@modelcontextprotocol/server-filesystem';
  const pairs: readonly Pair[] = [
    // Only one hint, which every pin of three fields misses.
    [`${FS} 2026.1.14 -> 2026.7.4`, 'risk', 'major', 0],
    [`${FS} 2026.7.4 -> 2026.7.10`, 'risk', 'major', 0],
    [`${FS} 2026.7.10 -> 2026.8.31`, null, 'none', 0],
    // Numbers say nothing of age: the second of these is the later one.
    [`${FS} 0.6.2 -> 2.0.1`, 'risk', 'major', 0],
    [`${FS} 2.0.1 -> 2025.1.14`, 'risk', 'major', 0],
    ['@upstash/context7-mcp 2.1.1 -> 2.2.2', 'risk', 'minor', 0],
    ['@modelcontextprotocol/server-puppeteer 0.6.2 -> 2025.5.12', 'risk', 'minor', 0],
    ['@playwright/mcp 0.0.30 -> 0.0.42', 'risk', 'major', 0],
    ['@modelcontextprotocol/server-sequential-thinking 2025.11.25 -> 2025.12.18', 'text', 'patch', 0],
    ['@modelcontextprotocol/server-github 0.6.2 -> 2025.1.23', 'risk', 'minor', 0],
    ['@modelcontextprotocol/server-github 2025.1.23 -> 2025.3.19', 'risk', 'minor', 0],
    // Only the dialect of its schemas, or the number of its version.
    ['@elastic/mcp-server-elasticsearch 0.3.0 -> 0.3.1', 'cosmetic', 'patch', 0],
    ['@eslint/mcp 0.1.0 -> 0.2.0', 'cosmetic', 'patch', 0],
    ['@elastic/mcp-server-elasticsearch 0.1.0 -> 0.2.0', 'risk', 'major', 0],
    // Everything has another name; or most of it is gone.
    ['tavily-mcp 0.2.10 -> 0.2.15', 'risk', 'major', 4],
    ['@brightdata/mcp 2.4.1 -> 2.11.3', 'risk', 'major', 0],
    ['task-master-ai 0.37.1 -> 0.43.1', 'risk', 'major', 0],
  ];
  it.each(pairs)('%s: up to %s, %s, %i renamed', (name, risk, step, renamed) =>
    expect(verdicts.get(name)).toMatchObject({ risk, step, renamed, wrong: [] }),
  );

  it('say in every field what was counted, and nothing else', () => {
    expect(verdicts.size).toBeGreaterThan(15);
    expect([...verdicts.values()].flatMap(({ wrong }) => wrong)).toEqual([]);
  });
});
