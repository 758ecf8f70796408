import { describe, expect, it } from 'vitest';
import { identityOf } from '../../cli/gateway/doors.ts';
import { digestOf } from '../../schemas/json.ts';

describe('a door', () => {
  const above = { root: 1, policy: `sha256:${'a'.repeat(64)}`, environment: 'development' };
  const entry = {
    ...{
      server: 'io.github.acme/weather',
      version: '1.0.0',
      closure: { digest: 'c' },
      surface: { digest: 's' },
    },
    ...{ permissions: {}, launch: {}, request: {}, approvals: [] },
  };
  const of = (changed: object, more: object = {}): string =>
    digestOf(
      identityOf({ entry: { ...entry, ...changed } } as unknown as Parameters<typeof identityOf>[0], {
        ...above,
        ...more,
      }),
    );

  it.each<[string, object, object]>([
    ['environment, which lines of a policy speak of', {}, { environment: 'production' }],
    ['policy', {}, { policy: `sha256:${'b'.repeat(64)}` }],
    ['root', {}, { root: 2 }],
    ['version', { version: '9.9.9' }, {}],
    ['permissions', { permissions: { egress: ['a.example:443'] } }, {}],
    ['request', { request: { args: ['x'] } }, {}],
  ])('is another one under another %s', (_, changed, more) => {
    expect(of(changed, more)).not.toBe(of({}));
  });

  it('stays the same when approvals are renewed', () => {
    expect(of({ approvals: ['sha256:x'] })).toBe(of({}));
  });
});
