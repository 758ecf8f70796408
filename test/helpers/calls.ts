/** Calls that wait for people, as tests ask about and decide on them. */
import { randomBytes } from 'node:crypto';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { type CallApproval, type CallFacts, callApprovalOf } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { type Envelope, seal } from '../../schemas/dsse.ts';
import { canonical, digestOf } from '../../schemas/json.ts';
import type { Key } from './trust.ts';

export const ARGUMENTS: JsonObject = { repository: 'acme/site', force: true };

export function callFacts(change: Partial<CallFacts> = {}, args: JsonObject = ARGUMENTS): CallFacts {
  return {
    nonce: randomBytes(16).toString('hex'),
    runtime: 'j-0123456789abcdef',
    session: 's-1',
    user: 'erin',
    server: 'acme.tools/weather',
    version: '1.2.3',
    closureDigest: `sha256:${'c'.repeat(64)}`,
    tool: 'delete_repository',
    argumentsDigest: digestOf(args),
    people: 1,
    expires: new Date(Date.now() + 10 * 60_000).toISOString(),
    ...change,
  };
}

export function approvalOfCall(
  by: Key,
  facts: CallFacts,
  change: (statement: CallApproval) => void = () => undefined,
): Envelope {
  const statement = structuredClone(
    callApprovalOf(facts, { approvedBy: by.person, at: new Date().toISOString() }),
  );
  change(statement);
  return seal(STATEMENT_TYPE, Buffer.from(canonical(statement)), [by.key]);
}
