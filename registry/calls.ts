/** What may happen to a call that waits for people, and what is written down of it. */
import { assertDecides, assertNotCaller, openCallApproval } from '../runtime/trust/call.ts';
import { CLOCK_SKEW_MS, type TrustedRoot } from '../runtime/trust/root.ts';
import {
  CALL_MINUTES,
  type CallFacts,
  type CallView,
  callId,
  callSubject,
  MAX_CALL_ARGUMENTS,
} from '../schemas/call.ts';
import type { JsonObject } from '../schemas/common.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { canonical, sha256 } from '../schemas/json.ts';
import {
  type CallCounts,
  countCalls,
  expireCalls,
  findCall,
  holdCall,
  insertCall,
  insertCallApproval,
  moveCall,
  stateOfBytes,
} from './db/calls.ts';
import { type Client, isDuplicate, type Pool, withTransaction } from './db/pool.ts';
import { recordEvent } from './log.ts';
import { SELF } from './root.ts';

/** Waiting calls of one runtime, of one sign-in and of all; and questions of one sign-in a minute. */
const LIMITS: CallCounts = { runtime: 32, asker: 200, all: 1000, lately: 120 };

/** What every event of a call says: never its arguments. */
function eventOf(
  facts: CallFacts,
  person: string,
  action: string,
): { person: string; action: string; subject: string; detail: Record<string, unknown> } {
  const { runtime, session, user, alias, server, version, tool, argumentsDigest, people } = facts;
  const named = alias === undefined ? {} : { alias };
  const detail = { runtime, session, user, ...named, server, version, tool, argumentsDigest, people };
  return { person, action, subject: callSubject(facts), detail };
}

export interface Asked {
  readonly facts: CallFacts;
  readonly arguments: JsonObject;
  readonly askedBy: string;
}

/** Puts a call where people see it; the same again is no second one. Throws REQUEST_INVALID, NOT_FOUND, RELEASE_REVOKED or RATE_LIMITED. */
export async function askAbout(pool: Pool, asked: Asked): Promise<CallView> {
  const { facts, askedBy } = asked;
  assertAskable(asked);
  const id = callId(facts);
  await withTransaction(pool, async (client) => {
    await sweepCalls(client);
    const counts = await countCalls(client, askedBy, facts.runtime);
    const before = await findCall(client, id);
    if (before?.askedBy === askedBy) return;
    assertRoom(counts);
    await assertReleased(client, facts);
    if (before !== null || !(await insertCall(client, { id, ...asked })))
      throw decided(id, `one of ${before?.askedBy ?? 'another'}`);
    await recordEvent(client, eventOf(facts, askedBy, 'call.asked'));
  });
  return assertAsker(await findCall(pool, id), id, askedBy);
}

function assertAskable({ facts, arguments: args }: Asked): void {
  const text = Buffer.from(canonical(args));
  const left = Date.parse(facts.expires) - Date.now();
  const refuse = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('REQUEST_INVALID', { expected, found, next: 'Correct the runtime that asks' });
  if (sha256(text) !== facts.argumentsDigest)
    throw refuse(`arguments with the digest ${facts.argumentsDigest}`, `ones with ${sha256(text)}`);
  if (text.length > MAX_CALL_ARGUMENTS)
    throw refuse(`arguments of at most ${MAX_CALL_ARGUMENTS} bytes`, `${text.length}`);
  if (!(left > 0 && left <= CALL_MINUTES * 60_000 + CLOCK_SKEW_MS))
    throw refuse(`a call that waits for at most ${CALL_MINUTES} minutes`, `one until ${facts.expires}`);
}

/** A flood of questions is no way to get one through. */
function assertRoom(counts: CallCounts): void {
  const full = (Object.keys(LIMITS) as (keyof CallCounts)[]).find((name) => counts[name] >= LIMITS[name]);
  if (full === undefined) return;
  throw new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${LIMITS.runtime} waiting calls of a runtime, ${LIMITS.asker} of a sign-in, ${LIMITS.all} in all, and ${LIMITS.lately} questions of a sign-in a minute`,
    found: 'one more',
    next: 'Have those that wait decided first: lk calls',
  });
}

/** People are shown the name and version of bytes that this registry knows. */
async function assertReleased(client: Client, facts: CallFacts): Promise<void> {
  const { server, version, closureDigest } = facts;
  const state = await stateOfBytes(client, { server, version, closureDigest });
  if (state !== null && state !== 'revoked') return;
  throw new LockkeeperError(state === null ? 'NOT_FOUND' : 'RELEASE_REVOKED', {
    expected: `the release ${server} ${version} with closure ${closureDigest}`,
    found: state ?? 'none with these bytes',
    next: 'Run: lk lock, then start the server again',
  });
}

/** One person's signed word for it. Returns the call as it is then. */
export async function approveCall(
  pool: Pool,
  id: string,
  { envelope, person, trusted }: { envelope: Envelope; person: string; trusted: TrustedRoot },
): Promise<CallView> {
  const opened = openCallApproval(envelope, trusted);
  if (opened.person !== person) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: `an approval signed by ${person}, who sends it`,
      found: `one of ${opened.person}`,
      next: 'Each reviewer sends their own: lk calls approve',
    });
  }
  return withTransaction(pool, async (client) => {
    const call = await held(client, id, ['waiting']);
    assertDecides(opened, call.facts);
    assertNotCaller(person, call.askedBy);
    const { digest } = opened;
    const given = await insertCallApproval(client, { id, person, digest, envelope });
    if (given >= call.facts.people) await moved(client, call, { from: ['waiting'], to: 'approved' });
    const event = eventOf(call.facts, person, 'call.approved-by');
    await recordEvent(client, {
      ...event,
      detail: { ...event.detail, approval: digest },
      logged: { kind: 'call', digest },
    });
    return (await findCall(client, id)) ?? call;
  }).catch((error: unknown) => {
    if (!isDuplicate(error)) throw error;
    throw new LockkeeperError('APPROVAL_GIVEN', {
      expected: 'an approval of somebody else',
      found: `a second one of ${person}`,
      next: 'Ask another reviewer: lk calls',
    });
  });
}

/** One person suffices, also while its approval was not taken yet. */
export async function rejectCall(
  pool: Pool,
  id: string,
  rejection: { person: string; reason: string },
): Promise<CallView> {
  return withTransaction(pool, async (client) => {
    const call = await held(client, id, OPEN);
    await moved(client, call, { from: OPEN, to: 'rejected', rejection });
    const event = eventOf(call.facts, rejection.person, 'call.rejected');
    await recordEvent(client, { ...event, detail: { ...event.detail, reason: rejection.reason } });
    return (await findCall(client, id)) ?? call;
  });
}

const OPEN = ['waiting', 'approved'] as const;

/** Takes the approval, which happens once; or gives the call up. For whoever asked alone. */
export async function endCall(
  pool: Pool,
  id: string,
  { to, by }: { to: 'used' | 'withdrawn'; by: string },
): Promise<void> {
  await withTransaction(pool, async (client) => {
    const from = to === 'used' ? (['approved'] as const) : OPEN;
    assertAsker(await findCall(client, id), id, by);
    const call = await held(client, id, from);
    await moved(client, call, { from, to });
    await recordEvent(client, eventOf(call.facts, by, `call.${to}`));
  });
}

/** Another's call is as good as none. Throws NOT_FOUND. */
export function assertAsker(call: CallView | null, id: string, by: string): CallView {
  if (call?.askedBy === by) return call;
  throw missing(id, `no call that ${by} asked about`);
}

export function missing(id: string, found = 'none'): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: `a call ${quote(id, 40)}`,
    found,
    next: 'See those that wait: lk calls',
  });
}

async function held(client: Client, id: string, from: readonly CallView['state'][]): Promise<CallView> {
  const call = await holdCall(client, id);
  if (call === null) throw missing(id);
  if (!from.includes(call.state)) throw notOpen(call);
  return call;
}

async function moved(client: Client, call: CallView, move: Parameters<typeof moveCall>[2]): Promise<void> {
  if (await moveCall(client, call.id, move)) return;
  throw notOpen((await findCall(client, call.id)) ?? call);
}

/** Why nothing can be done with it any more. */
function notOpen(call: CallView): LockkeeperError {
  if (call.state === 'expired') {
    return new LockkeeperError('CALL_EXPIRED', {
      expected: `a decision on ${call.id} by ${call.facts.expires}`,
      found: 'a later one',
      next: 'Have the call made again',
    });
  }
  if (call.state === 'rejected' && call.rejected) {
    return new LockkeeperError('CALL_REJECTED', {
      expected: `the call ${call.id} to wait`,
      found: `${call.rejected.person} turned it down: ${quote(call.rejected.reason, 300)}`,
      next: 'Ask them',
    });
  }
  return decided(call.id, call.state);
}

function decided(id: string, found: string): LockkeeperError {
  return new LockkeeperError('CALL_DECIDED', {
    expected: `the call ${id} in a state in which this can be done`,
    found,
    next: 'See those that wait: lk calls',
  });
}

/** Ends what was over, each with its event. */
export async function sweepCalls(client: Client): Promise<void> {
  for (const { facts } of await expireCalls(client))
    await recordEvent(client, eventOf(facts, SELF, 'call.expired'));
}
