import { describe, expect, it } from 'vitest';
import { assertAnswers } from '../../../runtime/trust/answers.ts';
import { runsUntil } from '../../../runtime/trust/freshness.ts';
import { type LockContext, verifyLock } from '../../../runtime/trust/lock.ts';
import { type Approval, envelopeDigest, subjectsOf } from '../../../schemas/approval.ts';
import type { Envelope } from '../../../schemas/dsse.ts';
import { type Code, LockkeeperError } from '../../../schemas/errors.ts';
import { renderLockFile } from '../../../schemas/lock.ts';
import { closureDigest } from '../../../schemas/release.ts';
import {
  at,
  type LockParts,
  makeApproval,
  makeEntry,
  makeKey,
  makeLock,
  makeRoot,
  NOW,
  people,
  pin,
} from '../../helpers/trust.ts';

const context: LockContext = { pin, audience: 'acme/app', environment: 'development', now: NOW, seen: null };
const { seen } = verifyLock(Buffer.from(renderLockFile(makeLock())), context);
const bytes = (parts: Partial<LockParts> = {}): Buffer => Buffer.from(renderLockFile(makeLock(parts)));

function refusal(run: () => unknown): LockkeeperError {
  try {
    run();
  } catch (error) {
    if (error instanceof LockkeeperError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const { alice, bob, carol, mallory } = people;
const entry = makeEntry();
/** The same signature once more. */
const twice = (envelope: Envelope): Envelope => ({
  ...envelope,
  signatures: [...envelope.signatures, ...envelope.signatures],
});

const approvals = (
  ...changes: ((approval: Approval) => void)[]
): { approvals: ReturnType<typeof makeApproval>[]; entry: typeof entry } => ({
  entry,
  approvals: [alice, bob].map((person, index) => makeApproval(person, entry, changes[index] ?? changes[0])),
});

describe('a good lock', () => {
  it('verifies and names who approved', () => {
    const verified = verifyLock(bytes(), context);
    expect(verified.entries.get('weather')?.approvedBy).toEqual(['alice', 'bob']);
    expect(verified.lock.version).toBe(7);
  });

  it('verifies again when it was seen before', () => {
    const lock = bytes();
    const { digest, seen } = verifyLock(lock, context);
    expect(verifyLock(lock, { ...context, seen }).digest).toBe(digest);
    const older = { ...seen, version: 6, digest: 'sha256:00' };
    expect(verifyLock(lock, { ...context, seen: older }).digest).toBe(digest);
  });
});

describe('what the file itself says', () => {
  const text = bytes().toString();
  it.each<[string, string, Code]>([
    [
      'one changed byte in the lock',
      text.replace('"version": "1.2.3"', '"version": "1.2.4"'),
      'SIGNATURE_INVALID',
    ],
    ['an unknown field', text.replace('"audience"', '"aardvark": 1,\n    "audience"'), 'DOCUMENT_INVALID'],
    [
      'an unsigned extra field',
      text.replace('"signatures"', '"note": "hi",\n  "signatures"'),
      'DOCUMENT_INVALID',
    ],
    [
      'a duplicate key',
      text.replace('"audience": "acme/app",', '"audience": "acme/app",\n    "audience": "acme/app",'),
      'JSON_INVALID',
    ],
    ['other spaces', text.replace('  "lock": {', '  "lock":  {'), 'LOCK_FORM'],
    ['a trailing newline more', `${text}\n`, 'LOCK_FORM'],
    ['another tool', '{"version":1,"servers":{}}', 'DOCUMENT_FOREIGN'],
    ['an array', '[]', 'DOCUMENT_FOREIGN'],
    ['half a file', text.slice(0, text.length / 2), 'JSON_INVALID'],
    ['nothing', '', 'JSON_INVALID'],
  ])('refuses %s', (_name, changed, code) => {
    expect(changed).not.toBe(text);
    expect(refusal(() => verifyLock(Buffer.from(changed), context)).code).toBe(code);
  });

  it('refuses any single changed byte', () => {
    const good = bytes();
    for (let i = 0; i < good.length; i += 37) {
      const bad = Buffer.from(good);
      bad[i] = (bad[i] ?? 0) ^ 1;
      expect(() => verifyLock(bad, context), `byte ${i}`).toThrow(LockkeeperError);
    }
  });
});

describe('attacks', () => {
  const swapped = makeEntry();
  swapped.closure.artifacts[1] = {
    ...(swapped.closure.artifacts[1] ?? entry.closure.artifacts[0]),
    sha256: `sha256:${'0'.repeat(64)}`,
  } as never;
  const redigested = structuredClone(swapped);
  redigested.closure.digest = closureDigest(redigested.closure.artifacts);
  const wide = structuredClone(entry);
  wide.permissions.egress.push('evil.example:443');
  const shelled = structuredClone(entry);
  shelled.launch.command.push('--allow-everything');
  const reworded = structuredClone(entry);
  reworded.surface.tools.forecast = { digest: `sha256:${'1'.repeat(64)}`, fields: {} };
  const good = [makeApproval(alice, entry), makeApproval(bob, entry)];
  const twoKeys = makeKey('alice', 'p256');

  it.each<[string, Partial<LockParts>, Partial<LockContext>, Code]>([
    ['a lock signed by another key', { signer: mallory }, {}, 'SIGNATURE_INVALID'],
    ['a root signed by another key', { root: makeRoot(undefined, mallory) }, {}, 'ROOT_UNTRUSTED'],
    ['another pinned root', {}, { pin: { rootKeys: [mallory.keyid], threshold: 1 } }, 'ROOT_UNTRUSTED'],
    [
      'a pin of two root keys',
      {},
      { pin: { rootKeys: [...pin.rootKeys, mallory.keyid], threshold: 2 } },
      'ROOT_UNTRUSTED',
    ],
    ['an expired root', { root: makeRoot((root) => void (root.expires = at(-1))) }, {}, 'ROOT_EXPIRED'],
    [
      'a root that names a key by another id',
      { root: makeRoot((root) => void Object.assign(root.keys[2] ?? {}, { keyid: mallory.keyid })) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a lock key out of its dates',
      { root: makeRoot((root) => void Object.assign(root.keys[1] ?? {}, { notAfter: at(-1) })) },
      {},
      'SIGNATURE_INVALID',
    ],
    ['an expired lock', {}, { now: new Date(at(72)) }, 'LOCK_EXPIRED'],
    ['a lock from the future', {}, { now: new Date(at(-2)) }, 'LOCK_FUTURE'],
    ['a lock for another project', {}, { audience: 'acme/other' }, 'LOCK_AUDIENCE'],
    ['a lock for another environment', {}, { environment: 'production' }, 'LOCK_AUDIENCE'],
    [
      'an older lock',
      {},
      { seen: { ...seen, version: 8, digest: `sha256:${'2'.repeat(64)}` } },
      'LOCK_ROLLBACK',
    ],
    [
      'the same version with another digest',
      {},
      { seen: { ...seen, digest: `sha256:${'2'.repeat(64)}` } },
      'LOCK_EQUIVOCATION',
    ],
    [
      'a release revoked in the lock',
      {
        lock: (lock) =>
          void lock.revoked.push({ server: entry.server, version: entry.version, reason: 'CVE', at: at(-1) }),
      },
      {},
      'RELEASE_REVOKED',
    ],
    ['one approval only', { approvals: [makeApproval(alice, entry)] }, {}, 'APPROVAL_THRESHOLD'],
    [
      'one person twice',
      {
        approvals: [
          makeApproval(alice, entry),
          makeApproval(alice, entry, (a) => void (a.predicate.expires = at(50))),
        ],
      },
      {},
      'APPROVAL_THRESHOLD',
    ],
    [
      'one person with two keys',
      {
        root: makeRoot((root) => {
          root.keys.push({
            keyid: twoKeys.keyid,
            publicKey: twoKeys.pem,
            person: 'alice',
            notBefore: at(-24),
            notAfter: at(2400),
          });
          root.roles.approver.keyids.push(twoKeys.keyid);
        }),
        approvals: [makeApproval(alice, entry), makeApproval(twoKeys, entry)],
      },
      {},
      'APPROVAL_THRESHOLD',
    ],
    [
      'an approval by the requester',
      {
        entry: { ...entry, requestedBy: 'bob' },
        approvals: [alice, bob].map((p) => makeApproval(p, { ...entry, requestedBy: 'bob' })),
      },
      {},
      'APPROVAL_REQUESTER',
    ],
    [
      'an approval by a stranger',
      { approvals: [makeApproval(alice, entry), makeApproval(mallory, entry)] },
      {},
      'KEY_UNKNOWN',
    ],
    [
      'a person who signs in another name',
      {
        approvals: [
          makeApproval(alice, entry),
          makeApproval(bob, entry, (a) => void (a.predicate.approvedBy = 'carol')),
        ],
      },
      {},
      'SIGNATURE_INVALID',
    ],
    [
      'an approval whose signature is another',
      {
        approvals: [
          good[0] as never,
          {
            ...(good[1] as never as object),
            signatures: [{ ...makeApproval(carol, entry).signatures[0], keyid: bob.keyid }],
          } as never,
        ],
      },
      {},
      'SIGNATURE_INVALID',
    ],
    ['an expired approval', approvals((a) => void (a.predicate.expires = at(-0.5))), {}, 'APPROVAL_EXPIRED'],
    [
      'an approval of tomorrow',
      approvals((a) => void (a.predicate.notBefore = at(1))),
      {},
      'APPROVAL_NOT_YET',
    ],
    [
      'an approval for another environment',
      approvals((a) => void (a.predicate.environments = ['production'])),
      {},
      'APPROVAL_SCOPE',
    ],
    [
      'an approval for no environment',
      approvals((a) => void (a.predicate.environments = [])),
      {},
      'APPROVAL_SCOPE',
    ],
    ['an artifact swapped under an old digest', { entry: swapped, approvals: good }, {}, 'APPROVAL_SUBJECT'],
    ['an artifact swapped with its digest', { entry: redigested, approvals: good }, {}, 'APPROVAL_SUBJECT'],
    ['a subject left out of the approval', approvals((a) => void a.subject.pop()), {}, 'APPROVAL_SUBJECT'],
    ['wider permissions', { entry: wide, approvals: good }, {}, 'APPROVAL_SUBJECT'],
    ['another command line', { entry: shelled, approvals: good }, {}, 'APPROVAL_SUBJECT'],
    [
      'a tool pin changed under the surface digest',
      { entry: reworded, approvals: good },
      {},
      'APPROVAL_SUBJECT',
    ],
    [
      'another version under the approval',
      { entry: { ...entry, version: '1.2.4' }, approvals: good },
      {},
      'APPROVAL_SUBJECT',
    ],
    [
      'another server under the approval',
      {
        entry: {
          ...entry,
          server: 'acme.tools/other',
          request: { server: 'acme.tools/other', range: '*' },
        },
        approvals: good,
      },
      {},
      'APPROVAL_SUBJECT',
    ],
    [
      'another requester under the approval',
      { entry: { ...entry, requestedBy: 'carol' }, approvals: good },
      {},
      'APPROVAL_SUBJECT',
    ],
    [
      'a reviewer taken out of the root',
      { root: makeRoot((root) => void (root.roles.approver.keyids = [alice.keyid, carol.keyid])) },
      {},
      'KEY_UNKNOWN',
    ],
    ...(['purl', 'closureDigest', 'surfaceDigest', 'reportDigest'] as const).map(
      (what): [string, Partial<LockParts>, Partial<LockContext>, Code] => [
        `an approval for another ${what}`,
        approvals((a) => {
          if (what === 'purl') a.predicate.server.purl = 'pkg:npm/other@1.0.0';
          else a.predicate[what] = `sha256:${'4'.repeat(64)}`;
        }),
        {},
        'APPROVAL_SUBJECT',
      ],
    ),
    [
      'a closure digest that is not its artifacts’, approved as it is',
      {
        entry: swapped,
        approvals: [alice, bob].map((key) =>
          makeApproval(key, swapped, (a) => void (a.subject = subjectsOf({ closure: swapped.closure }))),
        ),
      },
      {},
      'APPROVAL_SUBJECT',
    ],
    [
      'an approval of three thousand years',
      approvals((a) => void (a.predicate.expires = '2999-01-01T00:00:00.000Z')),
      {},
      'APPROVAL_SCOPE',
    ],
    [
      'a lock of seventy years',
      { lock: (lock) => void (lock.expires = '2099-01-01T00:00:00.000Z') },
      {},
      'LOCK_LIFE',
    ],
    ['a lock issued after its end', { lock: (lock) => void (lock.expires = at(-2)) }, {}, 'LOCK_LIFE'],
    [
      'a root of another version than the lock says',
      { root: makeRoot((root) => void (root.version = 2)) },
      {},
      'ROOT_UNTRUSTED',
    ],
    ['a root of tomorrow', { root: makeRoot((root) => void (root.issuedAt = at(24))) }, {}, 'ROOT_UNTRUSTED'],
    [
      'a root that takes one approval and is no trial',
      { root: makeRoot((root) => void (root.roles.approver.threshold = 1)) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a trial’s root under a lock that does not say so',
      { root: makeRoot((root) => void (root.trial = true)) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a pinned key that is no root key any more',
      { root: makeRoot((root) => void (root.roles.root.keyids = [carol.keyid])) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a pinned key out of its dates',
      { root: makeRoot((root) => void Object.assign(root.keys[0] ?? {}, { notAfter: at(-1) })) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a root key of tomorrow',
      { root: makeRoot((root) => void Object.assign(root.keys[0] ?? {}, { notBefore: at(1) })) },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a key named twice',
      {
        root: makeRoot(
          (root) =>
            void root.keys.push({ ...(root.keys[2] ?? root.keys[0] ?? ({} as never)), person: 'mallory' }),
        ),
      },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a root sealed as something else',
      { root: { ...makeRoot(), payloadType: 'application/json' } },
      {},
      'ROOT_UNTRUSTED',
    ],
    [
      'a lock that takes two lock keys',
      { root: makeRoot((root) => void (root.roles.lock.threshold = 2)) },
      {},
      'SIGNATURE_INVALID',
    ],
    [
      'an approval sealed as something else',
      {
        approvals: [
          good[0] as never,
          { ...(good[1] as never as object), payloadType: 'text/plain' } as never,
        ],
      },
      {},
      'DOCUMENT_INVALID',
    ],
    [
      'an approval with two signatures',
      { approvals: [good[0] as never, twice(good[1] as never)] },
      {},
      'DOCUMENT_INVALID',
    ],
    [
      'another version than was asked for',
      { entry: { ...entry, request: { server: entry.server, range: '^9.0.0' } } },
      {},
      'LOCK_INTENT',
    ],
    [
      'another server than was asked for',
      { entry: { ...entry, request: { server: 'acme.tools/filesystem', range: '*' } } },
      {},
      'LOCK_INTENT',
    ],
    ['other people’s names beside the approvals', { approvedBy: ['alice', 'carol'] }, {}, 'APPROVAL_SUBJECT'],
    [
      'an approval missing from the evidence',
      { lock: (lock) => void lock.servers.weather?.approvals.push(`sha256:${'3'.repeat(64)}`) },
      {},
      'APPROVAL_SUBJECT',
    ],
  ])('refuses %s', (_name, parts, change, code) => {
    const error = refusal(() => verifyLock(bytes(parts), { ...context, ...change }));
    expect(error.code, error.message).toBe(code);
    expect(error.exit).toBe(3);
    expect(error.message).toMatch(/: expected .+; found .+\. .+\.$/s);
  });
});

describe('the evidence', () => {
  it('holds nothing beside what the lock names', () => {
    const file = makeLock();
    const stray = makeApproval(carol, entry);
    file.evidence.approvals[envelopeDigest(stray)] = stray;
    const error = refusal(() => verifyLock(Buffer.from(renderLockFile(file)), context));
    expect(error.code).toBe('APPROVAL_SUBJECT');
    expect(error.found).toContain('which none names');
  });

  it('holds each approval under its own digest', () => {
    const file = makeLock();
    const [first = '', second = ''] = Object.keys(file.evidence.approvals);
    file.evidence.approvals[first] = file.evidence.approvals[second] as never;
    expect(refusal(() => verifyLock(Buffer.from(renderLockFile(file)), context)).code).toBe(
      'APPROVAL_SUBJECT',
    );
  });

  it('is written in one way: base64 with stray bits is no signature', () => {
    const text = bytes()
      .toString()
      .replace(
        /"sig": "([A-Za-z0-9+/]+)([AQgw])=="/,
        (_, head, last) => `"sig": "${head}${String.fromCharCode(last.charCodeAt(0) + 1)}=="`,
      );
    expect(text).not.toBe(bytes().toString());
    expect(refusal(() => verifyLock(Buffer.from(text), context)).code).toBe('DOCUMENT_INVALID');
  });
});

describe('assertAnswers', () => {
  const { lock } = makeLock();
  const intent = {
    lockkeeper: 'intent/v1' as const,
    project: 'acme/app',
    environment: 'development',
    registry: 'http://127.0.0.1:7411',
    trust: { rootKeys: [...pin.rootKeys], threshold: 1 },
    servers: { weather: { server: 'acme.tools/weather', range: '^1.2.0' } },
  };
  it('takes the lock that answers', () => {
    expect(() => assertAnswers(lock, intent)).not.toThrow();
  });
  it.each([
    [
      'a server that is not locked',
      { ...intent, servers: { ...intent.servers, more: { server: 'a/b', range: '*' } } },
    ],
    ['a server that is not asked for', { ...intent, servers: {} }],
    ['another range', { ...intent, servers: { weather: { server: 'acme.tools/weather', range: '^2.0.0' } } }],
    [
      'a mount that was not asked for',
      { ...intent, servers: { weather: { ...intent.servers.weather, mounts: { '/data': '/' } } } },
    ],
    ['another registry', { ...intent, registry: 'https://other.example' }],
  ])('refuses %s', (_name, changed) => {
    expect(refusal(() => assertAnswers(lock, changed)).code).toBe('LOCK_INTENT');
  });
});

describe('how long a server that runs may go on', () => {
  const granting = (graceHours: Record<string, number>): Envelope =>
    makeRoot((root) => void Object.assign(root.lifetimes, { graceHours }));
  const until = (root: Envelope): number => {
    const { lock, trusted } = verifyLock(bytes({ root }), context);
    return (runsUntil(lock, trusted) - NOW.getTime()) / 3_600_000;
  };

  it('is the lock’s end, and the grace that the root grants this environment by name', () => {
    expect(until(makeRoot())).toBe(71);
    expect(until(granting({ development: 5 }))).toBe(76);
    expect(until(granting({ production: 5 }))).toBe(71);
    expect(until(granting({ constructor: 5 } as never))).toBe(71);
  });

  it('starts nothing after the lock’s own end, whatever the grace', () => {
    const lock = bytes({ root: granting({ development: 72 }) });
    expect(refusal(() => verifyLock(lock, { ...context, now: new Date(at(72)) })).code).toBe('LOCK_EXPIRED');
  });
});
