import { describe, expect, it } from 'vitest';
import { contentJudge } from '../../../runtime/gate/results.ts';
import { argumentCheck, lockedSchemas } from '../../../runtime/gate/schema.ts';

const surfaceOf = (type: string) => ({
  tools: { echo: { name: 'echo', inputSchema: { type: 'object', properties: { text: { type } } } } },
});
const key = Buffer.alloc(32, 1);
const options = { entry: { server: 'acme.tools/echo' }, surface: surfaceOf('string'), journal: { key } };

describe('what sessions of one locked server share', () => {
  it('is one check of arguments for each surface', () => {
    const { surface } = options;
    expect(argumentCheck(surface)).toBe(argumentCheck(surface));
    const other = argumentCheck(surfaceOf('number'));
    expect(argumentCheck(surface)('echo', { text: 'a' })).toBeNull();
    expect(other('echo', { text: 'a' })?.code).toBe('ARGUMENTS_INVALID');
  });

  it('is one judge of contents, as long as controls, server and key are the same', () => {
    const judge = contentJudge(options);
    expect(contentJudge({ ...options })).toBe(judge);
    const content = { secrets: 'block' } as const;
    expect(contentJudge({ ...options, content }).rules.secrets).toBe('block');
    expect(contentJudge(options).rules).toEqual(judge.rules);
    const mine = { ...options, entry: { server: 'acme.tools/mine' } };
    const own = { servers: { 'acme.tools/mine': { secrets: 'off' } } } as const;
    expect(contentJudge({ ...mine, content: own }).rules.secrets).toBe('off');
    expect(contentJudge({ ...options, content: own }).rules.secrets).not.toBe('off');
    const first = contentJudge(options);
    expect(contentJudge({ ...options, journal: { key: Buffer.alloc(32, 2) } })).not.toBe(first);
  });

  it('has no schema for a name that is not locked, however it is spelt', () => {
    const schemas = lockedSchemas(options.surface, 'inputSchema');
    expect(schemas('echo')).toBe(schemas('echo'));
    for (const name of ['other', 'toString', '__proto__', 'constructor'])
      expect(schemas(name)).toBeUndefined();
  });
});
