import { describe, expect, it } from 'vitest';
import { assertAnswers } from '../../../runtime/trust/answers.ts';
import { runsUntil } from '../../../runtime/trust/freshness.ts';
import { type LockContext, verifyLock } from '../../../runtime/trust/lock.ts';
import { type Approval, envelopeDigest, subjectsOf } from '../../../schemas/approval.ts';
import { type Envelope, signBytes } from '../../../schemas/dsse.ts';
import { type Code, LockkeeperError } from '../../../schemas/errors.ts';
import { LOCK_TYPE, lockPayload, lockPolicyOf, renderLockFile } from '../../../schemas/lock.ts';
import { closureDigest } from '../../../schemas/release.ts';
import type { RootKey } from '../../../schemas/root.ts';
import {
  at,
  commandOf,
  type LockParts,
  makeApproval,
  makeEntry,
  makeLock,
  makeRoot,
  NOW,
  people,
  pin,
} from '../../helpers/trust.ts';

const context: LockContext = { pin, audience: 'acme/app', environment: 'development', now: NOW, seen: null };
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

describe('a lock of two servers', () => {
  const other = {
    ...entry,
    server: 'acme.tools/news',
    request: { ...entry.request, server: 'acme.tools/news' },
  };
  const own = approvals().approvals;
  const two = (change: (approval: Approval) => void, lock: LockParts['lock'] = () => undefined): Buffer => {
    const theirs = [alice, bob].map((person) => makeApproval(person, other, change));
    return bytes({
      entry,
      approvals: [...own, ...theirs],
      lock: (made) => {
        made.servers.weather = { ...entry, approvedBy: ['alice', 'bob'], approvals: own.map(envelopeDigest) };
        made.servers.news = { ...other, approvedBy: ['alice', 'bob'], approvals: theirs.map(envelopeDigest) };
        lock(made);
      },
    });
  };
  const same = (): void => undefined;
  const over = (approval: Approval): void => void (approval.predicate.expires = at(-0.5));
  const { server, version } = other;
  const revoked = { server, version, reason: 'posts what it reads', at: at(-2) };

  it.each<[Code, Buffer]>([
    ['APPROVAL_EXPIRED', two(over)],
    ['RELEASE_REVOKED', two(same, (lock) => void lock.revoked.push(revoked))],
  ])(
    'of which one is refused, %s, is refused whole; where they are judged apart, that one alone',
    (code, lock) => {
      expect(refusal(() => verifyLock(lock, context)).code).toBe(code);
      const verified = verifyLock(lock, { ...context, apart: true });
      expect([...verified.entries.keys()]).toEqual(['weather']);
      expect([...verified.refused].map(([alias, error]) => [alias, error.code])).toEqual([['news', code]]);
    },
  );

  it('is refused whole for what was done to the file', () => {
    const forged = two(same, ({ servers: { news } }) => void news?.approvals.pop());
    const apart = { ...context, apart: true };
    expect(refusal(() => verifyLock(forged, apart)).code).toBe('APPROVAL_THRESHOLD');
    const scoped = two((approval) => void (approval.predicate.environments = ['ci']));
    expect(refusal(() => verifyLock(scoped, apart)).code).toBe('APPROVAL_SCOPE');
    expect([...verifyLock(two(same), apart).entries.keys()].sort()).toEqual(['news', 'weather']);
  });
});

describe('a root that asks for two lock keys', () => {
  const root = makeRoot((document) => {
    const { keyid, pem: publicKey, person } = mallory;
    document.keys = [...document.keys, { ...(document.keys[0] as RootKey), keyid, publicKey, person }];
    document.roles.lock = { keyids: [people.lock.keyid, keyid], threshold: 2 };
  });
  const file = makeLock({ root });
  const signedBy = (...signatures: typeof file.signatures): Buffer =>
    Buffer.from(renderLockFile({ ...file, signatures }));
  const [one] = file.signatures as [(typeof file.signatures)[0]];

  it('has two that signed', () => {
    const other = signBytes(LOCK_TYPE, lockPayload(file.lock), mallory.key);
    expect(verifyLock(signedBy(one, other), context).lock.version).toBe(7);
  });

  it('does not count one twice', () => {
    const { code, found } = refusal(() => verifyLock(signedBy(one, one), context));
    expect([code, found]).toEqual(['SIGNATURE_INVALID', expect.stringContaining('1 good signatures')]);
  });
});

describe('what the file itself says', () => {
  const text = bytes().toString();
  it.each<[string, string, Code]>([
    ['a trailing newline more', `${text}\n`, 'LOCK_FORM'],

    ['an array', '[]', 'DOCUMENT_FOREIGN'],

    ['nothing', '', 'JSON_INVALID'],
  ])('refuses %s', (_name, changed, code) => {
    expect(changed).not.toBe(text);
    expect(refusal(() => verifyLock(Buffer.from(changed), context)).code).toBe(code);
  });

  it('refuses any single changed byte', () => {
    const good = bytes();
    for (let i = 0; i < good.length; i += 11) {
      const bad = Buffer.from(good);
      bad[i] = (bad[i] ?? 0) ^ 1;
      expect(() => verifyLock(bad, context), `byte ${i}`).toThrow(LockkeeperError);
    }
  });
});

// Most attacks are rows of test/attack; here are those that differ from one of them in a detail.
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
  commandOf(shelled.launch).push('--allow-everything');
  const reworded = structuredClone(entry);
  reworded.surface.tools.forecast = { digest: `sha256:${'1'.repeat(64)}`, fields: {} };
  const good = [makeApproval(alice, entry), makeApproval(bob, entry)];

  it.each<[string, Partial<LockParts>, Partial<LockContext>, Code]>([
    [
      'a policy under the digest of another',
      {
        lock: (lock) => {
          lock.policy = { ...lockPolicyOf('interns: no write tools'), text: 'everyone: all locked tools' };
        },
      },
      {},
      'POLICY_DIFFERS',
    ],
    ['another pinned root', {}, { pin: { rootKeys: [mallory.keyid], threshold: 1 } }, 'ROOT_UNTRUSTED'],
    [
      'a pin of two root keys',
      {},
      { pin: { rootKeys: [...pin.rootKeys, mallory.keyid], threshold: 2 } },
      'ROOT_UNTRUSTED',
    ],

    [
      'another version under the approval',
      { entry: { ...entry, version: '1.2.4' }, approvals: good },
      {},
      'APPROVAL_SUBJECT',
    ],

    [
      'more that is signed than was approved',
      { entry: { ...entry, provenance: { rank: 'provenance', builder: null } }, approvals: good },
      {},
      'APPROVAL_SUBJECT',
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

    ['a lock issued after its end', { lock: (lock) => void (lock.expires = at(-2)) }, {}, 'LOCK_LIFE'],
    [
      'a root of another version than the lock says',
      { root: makeRoot((root) => void (root.version = 2)) },
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
      'a lock that takes two lock keys',
      { root: makeRoot((root) => void (root.roles.lock.threshold = 2)) },
      {},
      'SIGNATURE_INVALID',
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
