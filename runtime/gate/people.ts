/** Step 9, calls that people have to let pass: what is asked, and of whom. */

import { CALL_MINUTES, type CallFacts, MAX_CALL_ARGUMENTS } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import type { Scribe } from '../session/records.ts';
import type { ApprovedCall } from '../trust/call.ts';
import { shownIn } from './said.ts';

/** One call as people are asked about it. */
export interface WaitingCall extends Omit<CallFacts, 'nonce'> {
  /** Whole, secrets replaced by keyed hashes: `argumentsDigest` is over these, and that of its `call.waiting` is the same. */
  readonly arguments: JsonObject;
}

/** Where people are asked. */
export interface CallApprovals {
  /**
   * Resolves once enough people approved exactly this call and the approval was taken, which happens once: the caller
   * then forwards what was asked about, and nothing else. Throws CALL_REJECTED, CALL_EXPIRED, CALL_UNANSWERED, or what
   * is wrong with an approval that came. Never later than `call.expires`; `signal` gives the call up.
   */
  ask(call: WaitingCall, signal: AbortSignal): Promise<ApprovedCall>;
}

export interface Asking {
  readonly scribe: Pick<Scribe, 'journal' | 'session' | 'caller' | 'subject'>;
  readonly people: 1 | 2;
  /** How long it may wait, minutes: at most 15. */
  readonly minutes?: number;
  readonly now: Date;
}

/** What people are asked about a `tools/call` with these parameters. Throws CALL_UNANSWERED for what is too large to be read. */
export function waitingCall(
  tool: string,
  params: JsonObject,
  { scribe, people, minutes = CALL_MINUTES, now }: Asking,
): WaitingCall {
  const { alias, server, version, closure } = scribe.subject;
  const { shown, isMore } = shownIn(params, scribe.journal.key);
  const text = Buffer.from(canonical(shown));
  if (text.length > MAX_CALL_ARGUMENTS) {
    throw new LockkeeperError('CALL_UNANSWERED', {
      expected: `arguments of at most ${MAX_CALL_ARGUMENTS} bytes, which a person can read`,
      found: `${text.length} bytes for ${quote(tool, 128)}`,
      next: 'Make the call with less, or in parts',
    });
  }
  return {
    runtime: scribe.journal.id,
    session: scribe.session,
    user: scribe.caller.user,
    ...(alias === undefined ? {} : { alias }),
    server,
    version,
    closureDigest: closure,
    tool,
    argumentsDigest: sha256(text),
    ...(isMore ? { shown: 'parameters' } : {}),
    people,
    expires: new Date(now.getTime() + Math.min(minutes, CALL_MINUTES) * 60_000).toISOString(),
    arguments: shown,
  };
}

/** Without a registry nobody can be asked, and so the call is refused. */
export const NOBODY_TO_ASK: CallApprovals = {
  ask: async ({ tool, people }) => {
    throw new LockkeeperError('CALL_UNANSWERED', {
      expected: `${people === 1 ? 'a person' : 'two people'} to approve ${quote(tool, 128)}, asked through the registry`,
      found: 'no sign-in at the registry of this lock',
      next: 'Run: lk login URL --code CODE',
    });
  },
};
