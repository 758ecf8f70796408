import { describe, expect, it } from 'vitest';
import { diffReach } from '../../schemas/diff/reach.ts';
import type { ToolLabels } from '../../schemas/release.ts';
import { makeEntry } from '../helpers/trust.ts';

const reach = (labels?: ToolLabels) => {
  const { permissions, launch } = makeEntry();
  return { permissions: { ...permissions, ...(labels ? { labels } : {}) }, launch };
};

describe('labels against those approved last', () => {
  it.each<[string, ToolLabels | undefined, ToolLabels | undefined, string | null]>([
    ['none and none', undefined, undefined, null],
    ['the same', { a: ['sends-out'] }, { a: ['sends-out'] }, null],
    ['one more', { a: [] }, { a: ['sends-out'] }, 'cosmetic'],
    ['one less', { a: ['sends-out', 'reads-private'] }, { a: ['sends-out'] }, 'risk'],
    ['another', { a: ['sends-out'] }, { a: ['reads-private'] }, 'risk'],
    ['a tool no longer', { a: ['sends-out'] }, {}, 'risk'],
    ['a tool that annotations spoke for', undefined, { a: [] }, 'risk'],
    ['a name of the prototype', undefined, { constructor: [] }, 'risk'],
  ])('%s', (_, was, is, risk) => {
    const changes = diffReach(reach(was), reach(is));
    expect(changes.map((change) => change.risk)).toEqual(risk === null ? [] : [risk]);
    for (const { at } of changes) expect(at).toMatch(/^\/permissions\/labels\/(?:a|constructor)$/);
  });
});

describe('variables that a launch sets', () => {
  it('are told when they change', () => {
    const setting = (env: Record<string, string>) => ({
      ...reach(),
      launch: { ...reach().launch, env } as never,
    });
    const told = [{ at: '/launch/env', kind: 'changed', risk: 'contract', before: {}, after: { A: '1' } }];
    expect(diffReach(reach(), setting({ A: '1' }))).toEqual(told);
    expect(diffReach(setting({ A: '1' }), setting({ A: '1' }))).toEqual([]);
  });
});
