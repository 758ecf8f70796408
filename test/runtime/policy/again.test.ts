import { describe, expect, it } from 'vitest';
import type { JudgedCall } from '../../../runtime/policy/open.ts';
import { callOf, policyOf } from '../../helpers/policy.ts';

const POLICY = `everyone: tools of the docs server, where path is below /data
everyone: no tools of the docs server, where path is below /data/secret
everyone: tools of the code server, between 08:00 and 18:00
everyone: tool search of the web server
`;

/** One call after another by one policy: what was decided before must not be taken for what is asked now. */
describe('a decision that is known again', () => {
  const policy = policyOf(POLICY);
  const at = (hour: string): Partial<JudgedCall> => ({ now: new Date(`2026-11-24T${hour}:00.000Z`) });
  const path = (value: unknown): Partial<JudgedCall> => ({ arguments: { path: value as string } });
  const cases: [string, Partial<JudgedCall>, string][] = [
    ['docs/search', path('/data/a'), 'allow'],
    ['docs/search', path('/data/secret/a'), 'deny'],
    ['docs/search', path('/data/b'), 'allow'],
    ['docs/search', path('/etc/passwd'), 'deny'],
    ['docs/search', path(7), 'deny'],
    ['docs/search', { arguments: {} }, 'deny'],
    ['docs/search', path('/data/../etc'), 'deny'],
    ['code/read', at('12:00'), 'allow'],
    ['code/read', at('07:59'), 'deny'],
    ['code/read', at('08:00'), 'allow'],
    ['code/read', at('18:01'), 'deny'],
    ['web/search', {}, 'allow'],
    ['web/search', { read: { untrusted: true, private: true } }, 'deny'],
    ['web/search', { read: { untrusted: true, private: false } }, 'allow'],
  ];

  it('is the same however often and in whatever order it is asked', () => {
    for (let round = 0; round < 20; round++)
      for (const [name, change, effect] of round % 2 === 0 ? cases : [...cases].reverse())
        expect([name, policy.judge(callOf('erin', name, change)).effect]).toEqual([name, effect]);
  });

  it('is asked anew once more was decided than is kept', () => {
    for (let minute = 0; minute < 200; minute++) {
      const now = new Date(Date.UTC(2026, 10, 24, 17, minute));
      const effect = minute < 60 ? 'allow' : 'deny';
      expect([minute, policy.judge(callOf('erin', 'code/read', { now })).effect]).toEqual([minute, effect]);
    }
  });
});
