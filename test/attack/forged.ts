/** The lock as victim of its own key, stolen alone or together with one reviewer’s. */
import { closureDigest } from '../../schemas/release.ts';
import {
  at,
  commandOf,
  type LockParts,
  makeApproval,
  makeEntry,
  makeLock,
  people,
} from '../helpers/trust.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const { alice, bob, carol, mallory } = people;
const KEY = 'the lock key';
const KEY_AND_ONE = 'the lock key and one reviewer';

type Entry = ReturnType<typeof makeEntry>;

/** The approvals are those of the honest entry, really signed; the entry that the stolen key signs is another. */
function swapped(change: (entry: Entry) => void): Scene {
  const honest = makeEntry();
  const entry = structuredClone(honest);
  change(entry);
  const approvals = [alice, bob].map((person) => makeApproval(person, honest));
  return { forged: makeLock({ entry, approvals }) };
}

function given(approvals: LockParts['approvals'], approvedBy: string[]): Scene {
  return { forged: makeLock({ approvals, approvedBy }) };
}

const lies = (change: NonNullable<LockParts['lock']>): Scene => ({ forged: makeLock({ lock: change }) });

const version =
  (number: number): NonNullable<LockParts['lock']> =>
  (lock) =>
    void (lock.version = number);

const forged: LockAttack[] = [
  {
    id: 'forged-no-approvals',
    attacker: KEY,
    attack: 'locks a release that nobody approved',
    code: 'DOCUMENT_INVALID',
    scene: () => given([], ['alice', 'bob']),
  },
  {
    id: 'forged-one-approval',
    attacker: KEY,
    attack: 'locks a release that one reviewer approved',
    code: 'APPROVAL_THRESHOLD',
    scene: () => given([makeApproval(alice, makeEntry())], ['alice']),
  },
  {
    id: 'forged-same-twice',
    attacker: KEY,
    attack: 'names that one approval twice',
    code: 'DOCUMENT_INVALID',
    scene: () => {
      const approval = makeApproval(alice, makeEntry());
      return given([approval, approval], ['alice', 'bob']);
    },
  },
  {
    id: 'forged-other-names',
    attacker: KEY,
    attack: 'writes other names beside the approvals',
    code: 'APPROVAL_SUBJECT',
    scene: () => ({ forged: makeLock({ approvedBy: ['alice', 'carol'] }) }),
  },
  {
    id: 'forged-permissions',
    attacker: KEY,
    attack: 'widens the permissions of an approved release',
    code: 'APPROVAL_SUBJECT',
    scene: () => swapped((entry) => void entry.permissions.egress.push('evil.example:443')),
  },
  {
    id: 'forged-launch',
    attacker: KEY,
    attack: 'adds words to its command line',
    code: 'APPROVAL_SUBJECT',
    scene: () => swapped((entry) => void commandOf(entry.launch).push('--allow-everything')),
  },
  {
    id: 'forged-surface',
    attacker: KEY,
    attack: 'pins another text of a tool under the approved digest',
    code: 'APPROVAL_SUBJECT',
    scene: () =>
      swapped(
        (entry) => void (entry.surface.tools.forecast = { digest: `sha256:${'1'.repeat(64)}`, fields: {} }),
      ),
  },
  {
    id: 'forged-surface-digest',
    attacker: KEY,
    attack: 'pins another surface under another digest',
    code: 'APPROVAL_SUBJECT',
    scene: () =>
      swapped((entry) => void Object.assign(entry.surface, { digest: `sha256:${'2'.repeat(64)}` })),
  },
  {
    id: 'forged-artifact',
    attacker: KEY,
    attack: 'swaps a package under the approved closure digest',
    code: 'APPROVAL_SUBJECT',
    scene: () =>
      swapped(
        (entry) =>
          void Object.assign(entry.closure.artifacts[1] ?? {}, { sha256: `sha256:${'0'.repeat(64)}` }),
      ),
  },
  {
    id: 'forged-closure',
    attacker: KEY,
    attack: 'swaps a package and the closure digest with it',
    code: 'APPROVAL_SUBJECT',
    scene: () =>
      swapped((entry) => {
        Object.assign(entry.closure.artifacts[1] ?? {}, { sha512: '0'.repeat(128) });
        entry.closure.digest = closureDigest(entry.closure.artifacts);
      }),
  },
  {
    id: 'forged-subject',
    attacker: KEY,
    attack: 'puts another server under the approvals of this one',
    code: 'APPROVAL_SUBJECT',
    scene: () => {
      const request = { server: 'acme.tools/other', range: '*' };
      const scene = swapped((entry) => void Object.assign(entry, { server: request.server, request }));
      return { ...scene, at: { servers: { weather: request } } };
    },
  },
  {
    id: 'forged-report',
    attacker: KEY,
    attack: 'puts another scan report beside the approvals',
    code: 'APPROVAL_SUBJECT',
    scene: () => swapped((entry) => void (entry.report = `sha256:${'3'.repeat(64)}`)),
  },
  {
    id: 'forged-requester',
    attacker: KEY,
    attack: 'names another requester, so that the real one may approve',
    code: 'APPROVAL_SUBJECT',
    scene: () => swapped((entry) => void (entry.requestedBy = 'erin')),
  },
  {
    id: 'forged-version',
    attacker: KEY,
    attack: 'locks another version than lockkeeper.json asks for',
    code: 'LOCK_INTENT',
    scene: () => swapped((entry) => void (entry.request = { server: entry.server, range: '^9.0.0' })),
  },
  {
    id: 'forged-long-life',
    attacker: KEY,
    attack: 'signs a lock that lives for seventy years',
    code: 'LOCK_LIFE',
    scene: () => lies((lock) => void (lock.expires = '2096-01-01T00:00:00.000Z')),
  },
  {
    id: 'forged-longer-than-asked',
    attacker: KEY,
    attack: 'signs a lock that lives longer than the project lets it',
    code: 'LOCK_LIFE',
    scene: () => ({
      honest: makeLock({ lock: (lock) => void (lock.expires = at(10)) }),
      forged: makeLock(),
      setting: { maxLockHours: 12 },
    }),
  },
  {
    id: 'forged-far-version',
    attacker: KEY,
    attack: 'signs a version so far ahead that every honest lock after it looks old',
    code: 'LOCK_FUTURE',
    scene: () => ({ forged: makeLock({ lock: version(Number.MAX_SAFE_INTEGER) }) }),
  },
  {
    id: 'forged-revoked',
    attacker: 'the registry, without its revocations',
    attack: 'hands out a lock whose own list says the release was revoked',
    code: 'RELEASE_REVOKED',
    scene: () =>
      lies(
        (lock) =>
          void lock.revoked.push({
            server: 'acme.tools/weather',
            version: '1.2.3',
            reason: 'CVE',
            at: at(-1),
          }),
      ),
  },
];

const withReviewer: LockAttack[] = [
  {
    id: 'reviewer-twice',
    attacker: KEY_AND_ONE,
    attack: 'approves twice with the one key',
    code: 'APPROVAL_THRESHOLD',
    scene: () => {
      const again = makeApproval(alice, makeEntry(), (a) => void (a.predicate.expires = at(50)));
      return given([makeApproval(alice, makeEntry()), again], ['alice']);
    },
  },
  {
    id: 'reviewer-as-another',
    attacker: KEY_AND_ONE,
    attack: 'approves once more in the name of another reviewer',
    code: 'SIGNATURE_INVALID',
    scene: () => {
      const again = makeApproval(alice, makeEntry(), (a) => void (a.predicate.approvedBy = 'carol'));
      return given([makeApproval(alice, makeEntry()), again], ['alice', 'carol']);
    },
  },
  {
    id: 'reviewer-and-stranger',
    attacker: KEY_AND_ONE,
    attack: 'approves once more with a key that is in no root',
    code: 'KEY_UNKNOWN',
    scene: () =>
      given(
        [alice, mallory].map((person) => makeApproval(person, makeEntry())),
        ['alice', 'mallory'],
      ),
  },
  {
    id: 'reviewer-and-copied',
    attacker: KEY_AND_ONE,
    attack: 'claims the key of a second reviewer over another signature',
    code: 'SIGNATURE_INVALID',
    scene: () => {
      const second = makeApproval(mallory, makeEntry(), (a) => void (a.predicate.approvedBy = 'carol'));
      Object.assign(second.signatures[0] ?? {}, { keyid: carol.keyid });
      return given([makeApproval(alice, makeEntry()), second], ['alice', 'carol']);
    },
  },
];

export const forgedRows: readonly Row[] = [...forged, ...withReviewer].map(lockRow);
