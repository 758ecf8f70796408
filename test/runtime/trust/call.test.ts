/** What a runtime believes of approvals that came from somewhere: signatures under its own root, about its own call. */
import { describe, expect, it } from 'vitest';
import { assertCallApproved, assertNotCaller } from '../../../runtime/trust/call.ts';
import { openRoot } from '../../../runtime/trust/root.ts';
import type { CallFacts } from '../../../schemas/call.ts';
import { type Envelope, seal } from '../../../schemas/dsse.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { digestOf } from '../../../schemas/json.ts';
import { approvalOfCall, callFacts } from '../../helpers/calls.ts';
import { makeRoot, NOW, people, pin } from '../../helpers/trust.ts';

const { alice, bob, mallory, lock } = people;
const trusted = openRoot({ root: makeRoot(), rootChain: [] }, pin, NOW);
const LATER = new Date(NOW.getTime() + 60_000);
const facts = (change: Partial<CallFacts> = {}): CallFacts =>
  callFacts({ expires: new Date(NOW.getTime() + 600_000).toISOString(), ...change });

function refusalOf(envelopes: readonly Envelope[], call: CallFacts, now = LATER): string {
  try {
    assertCallApproved(envelopes, call, { trusted, now });
    return 'approved';
  } catch (error) {
    return error instanceof LockkeeperError ? error.code : String(error);
  }
}

describe('an approval of a call', () => {
  it('counts for exactly that call', () => {
    const call = facts();
    const envelope = approvalOfCall(alice, call);
    const approved = assertCallApproved([envelope], call, { trusted, now: LATER });
    expect(approved).toEqual({ approvedBy: ['alice'], digest: digestOf(envelope) });
  });

  it.each<[string, Partial<CallFacts>]>([
    ['question', { nonce: '0'.repeat(32) }],
    ['arguments', { argumentsDigest: digestOf({ repository: 'acme/payroll' }) }],
    ['tool', { tool: 'delete_everything' }],
    ['version', { version: '1.2.4' }],
    ['closure', { closureDigest: digestOf('other bytes') }],
    ['server', { server: 'acme.tools/other' }],
    ['session', { session: 's-2' }],
    ['runtime', { runtime: 'j-other' }],
    ['user', { user: 'frank' }],
    ['number of people', { people: 2 }],
    ['time', { expires: new Date(NOW.getTime() + 900_000).toISOString() }],
  ])('does not count for another %s', (_, change) => {
    const given = facts();
    expect(refusalOf([approvalOfCall(alice, given)], { ...given, ...change })).toBe('CALL_SUBJECT');
  });

  it('names the arguments it is about as its subject', () => {
    const call = facts();
    const other = approvalOfCall(alice, call, ({ subject }) => {
      if (subject[0]) subject[0].digest.sha256 = 'a'.repeat(64);
    });
    expect(refusalOf([other], call)).toBe('CALL_SUBJECT');
  });

  it('is signed by an approver of the root in the lock, in their own name', () => {
    const call = facts();
    const good = approvalOfCall(alice, call);
    expect(refusalOf([approvalOfCall(mallory, call)], call)).toBe('KEY_UNKNOWN');
    expect(refusalOf([approvalOfCall(lock, call)], call)).toBe('KEY_UNKNOWN');
    const borrowed = { ...good, signatures: [{ keyid: bob.keyid, sig: good.signatures[0]?.sig ?? '' }] };
    expect(refusalOf([borrowed], call)).toBe('SIGNATURE_INVALID');
    expect(refusalOf([approvalOfCall({ ...mallory, keyid: alice.keyid }, call)], call)).toBe('KEY_UNKNOWN');
    expect(refusalOf([approvalOfCall({ ...alice, person: 'bob' }, call)], call)).toBe('SIGNATURE_INVALID');
    const altered = { ...good, payload: approvalOfCall(alice, facts()).payload };
    expect(refusalOf([altered], call)).toBe('SIGNATURE_INVALID');
    const typed = seal('text/plain', Buffer.from(good.payload, 'base64'), [alice.key]);
    expect(refusalOf([typed], call)).toBe('DOCUMENT_INVALID');
    expect(refusalOf([{ ...good, signatures: [...good.signatures, ...good.signatures] }], call)).toBe(
      'DOCUMENT_INVALID',
    );
  });

  it('is no approval of a release, and an approval of a release is none of a call', () => {
    const call = facts();
    const other = approvalOfCall(alice, call, (statement) => {
      (statement as { predicateType: string }).predicateType = 'https://lockkeeper.dev/approval/v1';
    });
    expect(refusalOf([other], call)).toBe('DOCUMENT_INVALID');
  });

  it.each([
    ...['alice', 'Alice', 'local:alice', 'corp:alice', 'corp:a:alice', 'corp|alice', 'CORP/alice'],
    ...['alice@example.com', 'corp:Alice@example.com', 'corp:alice+bot@example.com'],
    ...['uid=alice', 'https://id.example/people/alice/', 'CORP~alice'],
  ])('is not by whoever makes the call: %s', (user) => {
    const call = facts({ user });
    expect(refusalOf([approvalOfCall(alice, call)], call)).toBe('APPROVAL_REQUESTER');
    expect(refusalOf([approvalOfCall(bob, call)], call)).toBe('approved');
  });

  it('is by another person where both have an address', () => {
    expect(() => assertNotCaller('al@one.test', 'corp:al@two.test')).not.toThrow();
    expect(() => assertNotCaller('al@one.test', 'corp:AL@one.test')).toThrow();
    expect(() => assertNotCaller('al@one.test', 'al+2@one.test')).toThrow();
    expect(() => assertNotCaller('al@one.test', 'al+2@two.test')).not.toThrow();
  });

  it('counts one person once, and two people where it takes two', () => {
    const call = facts({ people: 2 });
    const mine = approvalOfCall(alice, call);
    expect(refusalOf([], call)).toBe('APPROVAL_THRESHOLD');
    expect(refusalOf([mine], call)).toBe('APPROVAL_THRESHOLD');
    expect(
      refusalOf(
        [mine, approvalOfCall(alice, call, ({ predicate }) => (predicate.at = '2026-11-24T13:00:00.000Z'))],
        call,
      ),
    ).toBe('APPROVAL_THRESHOLD');
    const both = assertCallApproved([approvalOfCall(bob, call), mine], call, { trusted, now: LATER });
    expect(both.approvedBy).toEqual(['alice', 'bob']);
  });

  it('refuses all of them for one bad one', () => {
    const call = facts();
    expect(refusalOf([approvalOfCall(alice, call), approvalOfCall(bob, facts())], call)).toBe('CALL_SUBJECT');
  });

  it('is over when its time is, or is none', () => {
    const call = facts();
    const envelope = approvalOfCall(alice, call);
    expect(refusalOf([envelope], call, new Date(call.expires))).toBe('CALL_EXPIRED');
    const odd = { ...call, expires: 'soon' };
    expect(refusalOf([approvalOfCall(alice, odd)], odd)).toBe('CALL_EXPIRED');
  });
});
