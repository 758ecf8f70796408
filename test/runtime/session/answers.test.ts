import { describe, expect, it } from 'vitest';
import type { MethodRule } from '../../../runtime/gate/methods.ts';
import { answerFor } from '../../../runtime/session/answers.ts';
import { LARGE_PARTS } from '../../../runtime/wire/message.ts';

describe('an answer that is compared with the lock', () => {
  it('is as large as what the lock has, once it was read', () => {
    const hello = {
      instructions: 'x'.repeat(LARGE_PARTS),
      capabilities: { x: Array(LARGE_PARTS + 1).fill(0) },
    };
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: hello }));
    const known = { live: {} as never, hello, tasks: { methods: new Set(['tasks/get']) } };
    const passed = answerFor({ kind: 'response', id: 1, result: hello, bytes }, { greets: true }, known);
    expect(passed.bytes).toBe(bytes);
    const other = answerFor({ kind: 'response', id: 1, result: {}, bytes }, { greets: true }, known);
    expect(other.bytes.toString()).toContain('SURFACE_DRIFT');
  });
});

describe('an answer that its server lets everybody keep', () => {
  const kept = { ttlMs: 60_000, cacheScope: 'public' };
  const live = { see: () => ({ key: '', drift: null }) } as never;
  const said = (result: object, rule: MethodRule, sees?: () => boolean): string => {
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
    const message = { kind: 'response', id: 1, result: result as never, bytes } as const;
    const answer = answerFor(message, rule, { live, hello: {}, sees }).bytes;
    return answer === bytes ? 'as it came' : JSON.parse(answer.toString()).result.cacheScope;
  };
  const LIST = { tools: [{ name: 'a' }], ...kept };
  const READ = { contents: [{ uri: 'x:a', text: 'b' }], ...kept };
  const OF_READ: MethodRule = { item: { section: 'resources', parameter: 'uri' } };

  it.each<[string, object, MethodRule, (() => boolean) | undefined, string]>([
    ['a list, under a policy', LIST, { lists: 'tools' }, () => true, 'private'],
    ['a list of which something is left out', LIST, { lists: 'tools' }, () => false, 'private'],
    ['a resource, under a policy', READ, OF_READ, () => true, 'private'],
    ['a list without a policy', LIST, { lists: 'tools' }, undefined, 'as it came'],
    ['a resource without a policy', READ, OF_READ, undefined, 'as it came'],
    [
      'one that is its caller’s already',
      { ...READ, cacheScope: 'private' },
      OF_READ,
      () => true,
      'as it came',
    ],
    ['one of a tool', READ, { item: { section: 'tools', parameter: 'name' } }, () => true, 'as it came'],
  ])('%s', (_, result, rule, sees, scope) => {
    expect(said(result, rule, sees)).toBe(scope);
  });
});
