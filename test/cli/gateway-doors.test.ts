import { describe, expect, it } from 'vitest';
import { identityOf } from '../../cli/gateway/doors.ts';
import { shownFor } from '../../cli/gateway/shown.ts';
import type { Caller } from '../../runtime/gate/caller.ts';
import type { Credentials } from '../../runtime/remote/requests.ts';
import { digestOf } from '../../schemas/json.ts';
import type { LockEntry } from '../../schemas/lock.ts';

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

describe('what is shown to a server', () => {
  const person: Caller = { user: 'ada', teams: [], via: 'sign-in', actors: [] };
  const theirs: Credentials = { headers: async () => ({ authorization: 'Bearer ada' }), forget: () => false };
  const shown = async (alias: string, caller: Caller): Promise<string | undefined> => {
    const launch = {} as LockEntry['launch'];
    const upstream = {
      has: (name: string) => name === 'docs',
      headersFor: async (_: string, { user }: Caller) => ({ authorization: `Bearer gateway for ${user}` }),
      forget: () => true,
    };
    const credentials = await shownFor({ alias, launch }, caller, {
      upstream,
      person,
      signedIn: async () => theirs,
    });
    return (await credentials?.headers())?.authorization;
  };

  it.each<[string, Caller, string | undefined, string]>([
    ['the person at this machine', person, 'Bearer ada', 'Bearer gateway for ada'],
    ['one of that name by a token', { ...person, via: 'jwt' }, undefined, 'Bearer gateway for ada'],
    ['one who looks the same in all', { ...person }, undefined, 'Bearer gateway for ada'],
    ['another', { ...person, user: 'eve', via: 'token' }, undefined, 'Bearer gateway for eve'],
  ])('for %s is nothing that another one consented to', async (_, caller, mail, docs) => {
    expect([await shown('mail', caller), await shown('docs', caller)]).toEqual([mail, docs]);
  });
});
