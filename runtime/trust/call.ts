/** Approvals of one call: opening them under a root, and judging whether they permit exactly this call. */
import { isDeepStrictEqual } from 'node:util';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { CallApproval, type CallFacts, callApprovalOf, callId } from '../../schemas/call.ts';
import { type Envelope, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { short, type TrustedRoot } from './root.ts';

export interface OpenedCallApproval {
  readonly approval: CallApproval;
  readonly person: string;
  /** Of the envelope, as the log names it. */
  readonly digest: string;
}

/** Who let a call pass, and what shows it. */
export interface ApprovedCall {
  readonly approvedBy: string[];
  /** Over the envelopes, in the order of these people: one envelope's own digest where there is one. */
  readonly digest: string;
}

const NEXT = 'Treat what sent it as hostile; look at the call again with: lk calls';

/**
 * Signature by one enrolled approver key, form, and that signer and statement name the same person.
 * Throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_INVALID or JSON_INVALID.
 */
export function openCallApproval(envelope: Envelope, trusted: TrustedRoot): OpenedCallApproval {
  const { payloadType, signatures, payload } = envelope;
  const [signature] = signatures;
  if (payloadType !== STATEMENT_TYPE || signature === undefined || signatures.length !== 1) {
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `one signature over a payload of type ${STATEMENT_TYPE}`,
      found: `${signatures.length} over ${quote(payloadType)}`,
      next: 'Sign again with: lk calls approve',
    });
  }
  const { keyid } = signature;
  const keys = trusted.keys('approver');
  const person = trusted.personOf(keyid);
  if (!keys.has(keyid) || person === undefined) {
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a key enrolled as approver in root version ${trusted.root.version} and inside its dates`,
      found: `key ${short(keyid)}`,
      next: 'Enrol the key with: lk keys enrol; a runtime knows it from its next mcp.lock on: lk lock',
    });
  }
  const unsigned = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('SIGNATURE_INVALID', { expected, found, next: NEXT });
  if (verifiedKeys(envelope, keys).size !== 1)
    throw unsigned(
      `a signature of ${person}'s key ${short(keyid)} over the approval`,
      'one that does not fit',
    );
  const approval = assertValid(
    CallApproval,
    parseStrict(Buffer.from(payload, 'base64')),
    'the approval of a call',
  );
  const { approvedBy } = approval.predicate;
  if (approvedBy !== person)
    throw unsigned(`an approval in the name of ${person}, who signed it`, `one in the name of ${approvedBy}`);
  return { approval, person, digest: digestOf(envelope) };
}

/** Is this approval about exactly this call, and not by whoever makes it? Throws CALL_SUBJECT or APPROVAL_REQUESTER. */
export function assertDecides({ approval, person }: OpenedCallApproval, call: CallFacts): void {
  const { at } = approval.predicate;
  if (!isDeepStrictEqual(approval, callApprovalOf(call, { approvedBy: person, at }))) {
    const said = approval.predicate.call;
    const names = Object.keys(call) as (keyof CallFacts)[];
    const differ = names.filter((name) => said[name] !== call[name]);
    throw new LockkeeperError('CALL_SUBJECT', {
      expected: `an approval of the call ${callId(call)}`,
      found: `${person}'s of ${callId(said)}, with another ${differ.join(', ') || 'subject'}`,
      next: NEXT,
    });
  }
  assertNotCaller(person, call.user);
}

/**
 * Nobody approves their own call, whoever vouches for their name: this machine (`local:`), or an issuer with a prefix. A name
 * and an e-mail address that begins with it may be one person, and count as one.
 */
export function assertNotCaller(person: string, user: string): void {
  const parts = user.toLowerCase().split(/[:/|=~]/);
  // `ada+x@example.com` is a box of ada@example.com at most places that keep any.
  const name = (parts.findLast((part) => part !== '') ?? '').replace(/\+[^@]*/, '');
  const [own, other] = [name, person].map((one) => one.split('@', 1)[0]);
  const mayBeOne = own === other && !(name.includes('@') && person.includes('@'));
  if (name !== person && !mayBeOne) return;
  throw new LockkeeperError('APPROVAL_REQUESTER', {
    expected: `an approval by others than ${quote(user, 64)}, who makes the call`,
    found: `one by ${person}`,
    next: 'Ask another reviewer: lk calls',
  });
}

/**
 * 1 in time -> 2 each approval signed, about exactly this call, not by its user -> 3 as many distinct persons as it
 * takes. Throws CALL_EXPIRED, the refusal of the first bad approval, or APPROVAL_THRESHOLD.
 */
export function assertCallApproved(
  envelopes: readonly Envelope[],
  call: CallFacts,
  { trusted, now }: { trusted: TrustedRoot; now: Date },
): ApprovedCall {
  assertInTime(call, now);
  const digests = new Map<string, string>();
  for (const envelope of envelopes) {
    const opened = openCallApproval(envelope, trusted);
    assertDecides(opened, call);
    digests.set(opened.person, opened.digest);
  }
  if (digests.size < call.people) {
    throw new LockkeeperError('APPROVAL_THRESHOLD', {
      expected: `approvals of ${call.people} distinct people for this call of ${quote(call.tool, 128)}`,
      found: `${digests.size} (${[...digests.keys()].join(', ') || 'nobody'})`,
      next: 'Ask another reviewer: lk calls',
    });
  }
  const approvedBy = [...digests.keys()].sort();
  const all = approvedBy.map((person) => digests.get(person) ?? '');
  return { approvedBy, digest: all.length === 1 ? (all[0] ?? '') : digestOf(all) };
}

/** Written so that a date that is none is over. Throws CALL_EXPIRED. */
export function assertInTime({ tool, expires }: Pick<CallFacts, 'tool' | 'expires'>, now: Date): void {
  if (now.getTime() < Date.parse(expires)) return;
  throw new LockkeeperError('CALL_EXPIRED', {
    expected: `a decision on ${quote(tool, 128)} by ${expires}`,
    found: `${now.toISOString()} and none that counts`,
    next: 'Make the call again, and tell those who decide: lk calls',
  });
}
