import { describe, expect, it } from 'vitest';
import { Buckets } from '../../../runtime/policy/rates.ts';
import { callerOf, effectOf, People, policyOf, sessionPolicy } from '../../helpers/policy.ts';
import { openSession, type Running, type SessionSetup } from '../../helpers/session.ts';

const ALL = 'team interns = ada@example.com\nanyone: everything locked\n';
const ADA = 'ada@example.com';
const item = (name: string, kind: 'tools' | 'prompts' | 'resources' = 'tools') => {
  const [server = '', ...rest] = name.split('/');
  return { server, kind, name: rest.join('/') } as const;
};

/** How many of the same call pass one after the other, up to five. */
function passing(text: string, user: string, name: string, policy = policyOf(ALL + text)): number {
  const pass = (): boolean => policy.bounded(callerOf(user), [item(name)], true) === null;
  return [1, 2, 3, 4, 5].filter(pass).length;
}

describe('a line that says how often', () => {
  it.each([
    ['anyone: at most 2 calls a minute', ADA, 'docs/search', 2],
    ['anyone: at most 1 call an hour', ADA, 'docs/search', 1],
    ['interns: at most 2 calls per hour of the docs server', ADA, 'docs/search', 2],
    ['interns: at most 2 calls an hour of the docs server', 'ADA@example.com', 'docs/search', 2],
    ['interns: at most 2 calls an hour of the docs server', ADA, 'code/read', 5],
    ['interns: at most 2 calls an hour of the docs server', 'bob@example.com', 'docs/search', 5],
    ['interns: at most 2 calls an hour of tool search of the docs server', ADA, 'docs/edit', 5],
    ['interns: at most 2 calls an hour of tool search of the docs server', ADA, 'docs/search', 2],
    ['interns: at most 2 calls an hour of write tools', ADA, 'docs/search', 5],
    ['interns: at most 2 calls an hour of write tools', ADA, 'docs/edit', 2],
    ['interns: at most 2 calls an hour, in production', ADA, 'docs/search', 5],
    ['interns: at most 2 calls an hour, in development', ADA, 'docs/search', 2],
    ['anyone: at most 4 calls an hour\ninterns: at most 3 calls an hour', ADA, 'docs/search', 3],
  ])('%s', (text, user, name, most) => {
    expect(passing(text, user, name)).toBe(most);
    // It permits nothing, and forbids nothing but that.
    expect(effectOf(policyOf(ALL + text), user, name)).toBe('allow');
    expect(effectOf(policyOf(`team interns = ${ADA}\n${text}`), user, name)).toBe('deny');
  });

  it('counts each person and server by itself, and all items of the line together', () => {
    const policy = policyOf(`${ALL}anyone: at most 3 calls an hour`);
    const pass = (user: string, name: string): boolean =>
      policy.bounded(callerOf(user), [item(name)], true) === null;
    expect([
      pass(ADA, 'docs/search'),
      pass(ADA, 'docs/edit'),
      pass('Ada@example.com', 'docs/search'),
    ]).toEqual([true, true, true]);
    expect(pass(ADA, 'docs/edit')).toBe(false);
    expect(policy.bounded(callerOf(ADA), [item('docs/docs://index', 'resources')], false)).not.toBeNull();
    expect([pass(ADA, 'code/read'), pass('bob@example.com', 'docs/edit')]).toEqual([true, true]);
  });

  it('counts all whom it is about as one where it says together', () => {
    const policy = policyOf(`${ALL}anyone: at most 2 calls an hour together of the docs server`);
    expect(passing('', ADA, 'docs/search', policy)).toBe(2);
    expect(passing('', 'bob@example.com', 'docs/search', policy)).toBe(0);
    expect(passing('', 'bob@example.com', 'code/read', policy)).toBe(5);
  });

  it('counts a call once, whatever number of things it is of, and only where it may pass', () => {
    const policy = policyOf(`${ALL}anyone: at most 2 calls an hour`);
    const items = [item('docs/docs://index', 'resources'), item('docs/search')];
    for (let n = 0; n < 10; n++) expect(policy.bounded(callerOf(ADA), items, false)).toBeNull();
    expect(policy.bounded(callerOf(ADA), items, true)).toBeNull();
    expect(policy.bounded(callerOf(ADA), items, true)).toBeNull();
    expect(policy.bounded(callerOf(ADA), items, true)).toMatchObject({
      rule: 'line 3: anyone: at most 2 calls an hour',
    });
  });

  it.each([
    'at most calls a minute',
    'at most 0 calls a minute',
    'at most 1000000 calls a minute',
    'at most 2.5 calls a minute',
    'at most -1 calls a minute',
    'at most 5 calls',
    'at most 5 calls a day',
    'at most 5 a minute',
    'at most 5 calls a minute of the nothing server',
    'at most 5 calls a minute, where path is below /data',
    'at most 5 calls a minute, on weekdays',
    'at most 5 calls a minute, until 2027-01-01',
    'at most 5 calls a minute, within 5 minutes',
    'at most 5 calls a minute twice',
    'ask one person before at most 5 calls a minute',
  ])('is refused where it is not understood: %s', (what) => {
    expect(() => policyOf(`anyone: ${what}`)).toThrow(/line 1 of lockkeeper.policy/);
  });
});

describe('what is counted', () => {
  const TEN = { calls: 10, ms: 60_000, together: false };

  it('fills up steadily, never over, by a clock that only goes forward', () => {
    let now = 0;
    const buckets = new Buckets(() => now);
    for (let n = 0; n < 10; n++) {
      expect(buckets.wait('a', TEN)).toBe(0);
      buckets.take('a', TEN);
    }
    expect(buckets.wait('a', TEN)).toBe(6000);
    now = 5999;
    expect(buckets.wait('a', TEN)).toBe(1);
    now = 6000;
    expect(buckets.wait('a', TEN)).toBe(0);
    buckets.take('a', TEN);
    expect(buckets.wait('a', TEN)).toBe(6000);
    now = 10_000_000;
    for (let n = 0; n < 10; n++) buckets.take('a', TEN);
    expect(buckets.wait('a', TEN)).toBe(6000);
  });

  it('is bounded: what is full again is forgotten, and where there is none, nobody new is let in', () => {
    let now = 0;
    const buckets = new Buckets(() => now, 3);
    for (const key of ['a', 'b', 'c']) buckets.take(key, TEN);
    expect(buckets.wait('d', TEN)).toBe(1000);
    expect(buckets.wait('a', TEN)).toBe(0);
    now = 6000;
    expect(buckets.wait('d', TEN)).toBe(0);
    expect(buckets.size).toBe(0);
  });
});

describe('in a session', () => {
  const TWO = 'anyone: all locked tools\nanyone: at most 2 calls an hour\n';
  const open = (text: string, setup: SessionSetup = {}): Promise<Running> =>
    openSession({ user: 'erin', policy: (locked) => sessionPolicy(text, locked), ...setup });
  const echo = { name: 'echo', arguments: { message: 'hi' } };

  it('one call too many is refused, with when to come back, and its record names the line', async () => {
    const session = await open(TWO);
    await session.request(1, 'tools/call', { name: 'none' });
    for (const id of [2, 3]) expect((await session.request(id, 'tools/call', echo)).error).toBeUndefined();
    await session.request(4, 'tools/list');
    const { error } = await session.request(5, 'tools/call', echo);
    expect(error).toMatchObject({ data: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) } });
    expect((error as { data: { retryAfterMs: number } }).data.retryAfterMs).toBeGreaterThan(1_700_000);
    await session.close();
    expect(session.calls()).toHaveLength(2);
    const [refusal] = (await session.records()).filter(({ code }) => code === 'RATE_LIMITED');
    expect(refusal).toMatchObject({
      kind: 'request.refused',
      target: 'echo',
      decision: { rule: 'line 2: anyone: at most 2 calls an hour' },
    });
  });

  it('a call that waits for people is counted when it begins to wait, and not again', async () => {
    const text = `${TWO}anyone: ask one person before all locked tools\n`;
    const people = new People();
    const session = await open(text, {
      policy: (locked) => sessionPolicy(text, locked, { approvals: people }),
    });
    const asked = [1, 2].map((id) => session.request(id, 'tools/call', echo));
    await expect.poll(() => people.asked.length).toBe(2);
    const third = await session.request(3, 'tools/call', echo);
    expect(third.error).toMatchObject({ data: { code: 'RATE_LIMITED' } });
    people.decide();
    people.decide();
    for (const answer of await Promise.all(asked)) expect(answer.error).toBeUndefined();
    await session.close();
    expect(session.calls()).toHaveLength(2);
  });
});
