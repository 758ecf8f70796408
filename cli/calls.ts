/** Deciding on a call: what was shown is checked to be what is signed, and sent. */
import { assertInTime, assertNotCaller } from '../runtime/trust/call.ts';
import { Me } from '../schemas/api.ts';
import { STATEMENT_TYPE } from '../schemas/approval.ts';
import { type CallFacts, CallView, callApprovalOf, callId } from '../schemas/call.ts';
import type { JsonObject } from '../schemas/common.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { canonical, digestOf } from '../schemas/json.ts';
import { type Signer, sealWith } from '../schemas/signer.ts';
import type { Api } from './api.ts';

/** What a person saw: the facts they sign, and the arguments that the facts name by digest. */
export interface ShownCall {
  readonly facts: CallFacts;
  readonly arguments: JsonObject;
}

/**
 * Signs and sends. The registry may show what it likes, but only what was shown is signed: the arguments fit the
 * digest, and the id the facts. Throws CALL_SUBJECT, CALL_EXPIRED, APPROVAL_REQUESTER and what the registry refuses.
 */
export async function giveCallApproval(
  { facts, arguments: args }: ShownCall,
  { api, signer, now }: { api: Api; signer: Signer; now: Date },
): Promise<CallView> {
  assertShown(digestOf(args) === facts.argumentsDigest, 'arguments with another digest than its own');
  assertInTime(facts, now);
  const { person } = await api.call('me', Me);
  assertNotCaller(person, facts.user);
  const statement = callApprovalOf(facts, { approvedBy: person, at: now.toISOString() });
  const envelope = await sealWith(signer, STATEMENT_TYPE, Buffer.from(canonical(statement)));
  return api.call('callApprove', CallView, { parameters: { id: callId(facts) }, body: { envelope } });
}

/** The call of that name; a call is named by what it is. Throws NOT_FOUND or CALL_SUBJECT. */
export async function callNamed(api: Api, id: string): Promise<CallView> {
  const call = await api.call('call', CallView, { parameters: { id } });
  assertShown(call.id === id && callId(call.facts) === id, `another call under the name ${id}`);
  return call;
}

function assertShown(fits: boolean, found: string): void {
  if (fits) return;
  throw new LockkeeperError('CALL_SUBJECT', {
    expected: 'a call that is what its name and its digests say',
    found,
    next: 'Do not approve it: ask who runs the registry',
  });
}
