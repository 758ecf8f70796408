/** Approvals as victim: who may give one, with which key, when, for what, and in which bytes. */
import { type Approval, STATEMENT_TYPE } from '../../schemas/approval.ts';
import { type Envelope, seal } from '../../schemas/dsse.ts';
import type { Root } from '../../schemas/root.ts';
import {
  at,
  type Key,
  type LockParts,
  makeApproval,
  makeEntry,
  makeKey,
  makeLock,
  makeRoot,
  people,
} from '../helpers/trust.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const { alice, bob, carol } = people;
const REVIEWER = 'one reviewer’s key';

/** Alice's approval is good; what the attacker makes is the second one. */
function second(change: (approval: Approval) => void, by: Key = bob): Scene {
  const entry = makeEntry();
  return lockOf({ approvals: [makeApproval(alice, entry), makeApproval(by, entry, change)] });
}

function lockOf(parts: Partial<LockParts>): Scene {
  return { forged: makeLock(parts) };
}

/** The second approval as its own bytes say, signed by Bob. */
function written(change: (text: string) => string): Scene {
  const [first, other] = [alice, bob].map((person) => makeApproval(person, makeEntry()));
  const text = Buffer.from(other?.payload ?? '', 'base64').toString();
  const changed = change(text);
  if (changed === text || !first) throw new Error('nothing was changed');
  return lockOf({ approvals: [first, seal(STATEMENT_TYPE, Buffer.from(changed), [bob.key])] });
}

function enveloped(change: (envelope: Envelope) => Envelope): Scene {
  const approvals = [alice, bob].map((person) => makeApproval(person, makeEntry()));
  return lockOf({
    approvals: approvals.map((envelope, index) => (index === 1 ? change(envelope) : envelope)),
  });
}

function withKeyOf(person: string, dates: { notBefore?: string; notAfter?: string }): Scene {
  const root = makeRoot(
    (of) => void Object.assign(of.keys.find((key) => key.person === person) ?? {}, dates),
  );
  return lockOf({ root });
}

function twoKeysOfAlice(): Scene {
  const more = makeKey('alice', 'p256');
  const root = makeRoot((of: Root) => {
    const [known] = of.keys.filter((key) => key.person === 'alice');
    if (known) of.keys.push({ ...known, keyid: more.keyid, publicKey: more.pem });
    of.roles.approver.keyids.push(more.keyid);
  });
  const approvals = [alice, more].map((key) => makeApproval(key, makeEntry()));
  return { honest: makeLock({ root }), forged: makeLock({ root, approvals, approvedBy: ['alice'] }) };
}

function ownRequest(): Scene {
  const entry = { ...makeEntry(), requestedBy: 'bob' };
  return lockOf({ entry, approvals: [alice, bob].map((person) => makeApproval(person, entry)) });
}

const who: LockAttack[] = [
  {
    id: 'requester-approves',
    attacker: 'the requester’s own reviewer key',
    attack: 'approves what they asked for themselves',
    code: 'APPROVAL_REQUESTER',
    scene: ownRequest,
  },
  {
    id: 'two-keys-one-person',
    attacker: 'two keys of one reviewer',
    attack: 'gives both approvals',
    code: 'APPROVAL_THRESHOLD',
    scene: twoKeysOfAlice,
  },
  {
    id: 'reviewer-key-expired',
    attacker: 'a reviewer’s key past its end',
    attack: 'approves with it',
    code: 'KEY_UNKNOWN',
    scene: () => withKeyOf('bob', { notAfter: at(-1) }),
  },
  {
    id: 'reviewer-key-not-yet',
    attacker: 'a reviewer’s key of tomorrow',
    attack: 'approves with it today',
    code: 'KEY_UNKNOWN',
    scene: () => withKeyOf('bob', { notBefore: at(1) }),
  },
  {
    id: 'reviewer-left',
    attacker: 'the key of a reviewer who left',
    attack: 'counts on the approval they once gave',
    code: 'KEY_UNKNOWN',
    scene: () =>
      lockOf({ root: makeRoot((root) => void (root.roles.approver.keyids = [alice.keyid, carol.keyid])) }),
  },
];

const what: LockAttack[] = [
  {
    id: 'approval-expired',
    attacker: 'an old approval',
    attack: 'uses it after its end',
    code: 'APPROVAL_EXPIRED',
    scene: () => second((approval) => void (approval.predicate.expires = at(-0.5))),
  },
  {
    id: 'approval-not-yet',
    attacker: 'an approval for later',
    attack: 'uses it before its day',
    code: 'APPROVAL_NOT_YET',
    scene: () => second((approval) => void (approval.predicate.notBefore = at(1))),
  },
  {
    id: 'approval-for-ever',
    attacker: REVIEWER,
    attack: 'approves for longer than the root lets approvals live',
    code: 'APPROVAL_SCOPE',
    scene: () => second((approval) => void (approval.predicate.expires = at(24 * 200))),
  },
  {
    id: 'approval-elsewhere',
    attacker: 'an approval for production',
    attack: 'uses it in development',
    code: 'APPROVAL_SCOPE',
    scene: () => second((approval) => void (approval.predicate.environments = ['production'])),
  },
  {
    id: 'approval-nowhere',
    attacker: REVIEWER,
    attack: 'approves for no environment, in the hope that none means all',
    code: 'APPROVAL_SCOPE',
    scene: () => second((approval) => void (approval.predicate.environments = [])),
  },
  {
    id: 'approval-part',
    attacker: REVIEWER,
    attack: 'leaves one package out of what is approved',
    code: 'APPROVAL_SUBJECT',
    scene: () => second((approval) => void approval.subject.pop()),
  },
];

const bytes: LockAttack[] = [
  {
    id: 'approval-other-type',
    attacker: 'another signature of a reviewer',
    attack: 'passes something signed for another purpose off as an approval',
    code: 'DOCUMENT_INVALID',
    scene: () => enveloped(({ payload }) => seal('text/plain', Buffer.from(payload, 'base64'), [bob.key])),
  },
  {
    id: 'approval-two-signatures',
    attacker: REVIEWER,
    attack: 'puts one signature twice under an approval',
    code: 'DOCUMENT_INVALID',
    scene: () =>
      enveloped((envelope) => ({
        ...envelope,
        signatures: [...envelope.signatures, ...envelope.signatures],
      })),
  },
  {
    id: 'approval-duplicate-keys',
    attacker: REVIEWER,
    attack: 'signs a statement with a key twice, which two parsers read differently',
    code: 'JSON_INVALID',
    scene: () =>
      written((text) => text.replace('"decision":"approved"', '"decision":"approved","decision":"approved"')),
  },
  {
    id: 'approval-lone-surrogate',
    attacker: REVIEWER,
    attack: 'signs a statement with half a character in it',
    code: 'JSON_INVALID',
    scene: () => written((text) => text.replace('"accepts":{}', '"accepts":{"LK-SRF-01":"seen \\ud800"}')),
  },
  {
    id: 'approval-unknown-field',
    attacker: REVIEWER,
    attack: 'signs a field that a later reader might believe',
    code: 'DOCUMENT_INVALID',
    scene: () => written((text) => text.replace('"decision"', '"approvesAll":true,"decision"')),
  },
  {
    id: 'approval-missing',
    attacker: 'the lock key',
    attack: 'names an approval that nobody can see',
    code: 'APPROVAL_SUBJECT',
    scene: () =>
      lockOf({ lock: (lock) => void lock.servers.weather?.approvals.push(`sha256:${'3'.repeat(64)}`) }),
  },
];

export const approvalRows: readonly Row[] = [...who, ...what, ...bytes].map(lockRow);
