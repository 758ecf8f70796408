import { describe, expect, it } from 'vitest';
import { changesOf } from '../../cli/root/describe.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import type { Root } from '../../schemas/root.ts';
import { makeKey, makeRoot, people } from '../helpers/trust.ts';

const before = readRoot(makeRoot()).root;
const told = (change: (root: Root) => void): string[] => {
  const root = structuredClone(before);
  root.version += 1;
  change(root);
  return changesOf(before, root);
};
const keyOf = (root: Root, person: string): Root['keys'][number] => {
  const key = root.keys.find((one) => one.person === person);
  if (!key) throw new Error(person);
  return key;
};

/** Whatever of a root may change and means something: each has to be told, or a holder signs it unseen. */
const CHANGES: Record<string, (root: Root) => void> = {
  'a key in a role': (root) => void root.roles.revoker.keyids.pop(),
  'another person behind a key': (root) => void Object.assign(keyOf(root, 'alice'), { person: 'mallory' }),
  'a key of somebody new': (root) => {
    const { keyid, pem: publicKey, person } = makeKey('mallory');
    root.keys.push({ ...keyOf(root, 'alice'), keyid, publicKey, person });
    root.roles.approver.keyids.push(keyid);
  },
  'a key that counts for longer': (root) =>
    void Object.assign(keyOf(root, 'bob'), { notAfter: '2029-01-01T00:00:00.000Z' }),
  'a key that counts for less': (root) =>
    void Object.assign(keyOf(root, 'bob'), { notAfter: '2026-12-01T00:00:00.000Z' }),
  'a key that counted before': (root) =>
    void Object.assign(keyOf(root, 'bob'), { notBefore: '2020-01-01T00:00:00.000Z' }),
  'a threshold': (root) => void (root.roles.approver.threshold = 1),
  'a trial': (root) => void (root.trial = true),
  'the name of the log': (root) => void (root.log.origin = 'log.evil.test'),
  'a key of the log': (root) => void (root.log.keys = [`${root.log.keys[0]}x`]),
  'a witness': (root) => void root.log.witnesses.push('w+00000000+AAAA'),
  'the witnesses needed': (root) => void (root.log.threshold = 3),
  'how long locks live': (root) => void (root.lifetimes.lockHours = 336),
  'how long approvals live': (root) => void (root.lifetimes.approvalDays = 366),
  grace: (root) => void (root.lifetimes.graceHours = { production: 72 }),
  'the least version of a lock': (root) => void (root.minLockVersions = { 'acme/app': 9 }),
  'a trust root': (root) => void (root.trustRoots = { npm: `sha256:${'0'.repeat(64)}` }),
};

describe('what a holder reads of the next root', () => {
  it('is nothing where only its own dates are new', () => {
    const later = '2027-11-01T00:00:00.000Z';
    const renewed = told((root) => {
      root.issuedAt = '2026-11-25T00:00:00.000Z';
      for (const key of root.keys) if (key.notAfter === root.expires) key.notAfter = later;
      root.expires = later;
    });
    expect(renewed).toEqual([]);
  });

  it.each(Object.entries(CHANGES))('tells %s', (_, change) => {
    expect(told(change).length).toBeGreaterThan(0);
  });

  it('names keys by the whole of their id', () => {
    const [line] = told((root) => void root.roles.approver.keyids.shift());
    expect(line).toBe(`- approver alice (key ${people.alice.keyid.slice(7)})`);
  });
});
