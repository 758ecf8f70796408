/** What a proved credential says, and what is kept beside it without ever being written down. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';

export interface Identified {
  readonly caller: Caller;
  /** Aliases of the servers that the credential reaches; null: all. */
  readonly servers: readonly string[] | null;
  /** Whose session it is: a session belongs to this text, and to no other. Stays when a token is renewed as it was. */
  readonly principal: string;
  /** When the credential ends, ms since 1970; null: with the request. */
  readonly expires: number | null;
  /** Throws once it is known that the credential is good no more; absent where only whoever shows it can tell. */
  readonly assertStands?: () => Promise<void>;
}

/** The token that a caller came with: for an exchange at its issuer, and for nothing else. */
export interface Subject {
  readonly token: string;
  readonly issuer: string;
  readonly expires: number;
}

/** Beside the caller and not in it, so that nothing that writes a caller down can write this down. */
const subjects = new WeakMap<Caller, Subject>();

export function keepSubject(caller: Caller, subject: Subject): void {
  subjects.set(caller, subject);
}

export function subjectOf(caller: Caller): Subject | undefined {
  return subjects.get(caller);
}

/**
 * A session goes on with the caller that it began with; its client came with a new token meanwhile. `shown` has to be of
 * the same principal: the gateway finds the session by it.
 */
export function renewSubject(kept: Caller, shown: Caller): void {
  const subject = subjects.get(shown);
  if (subject) subjects.set(kept, subject);
}

/** Credentials that were good once, and were refused when they were looked at again. */
const fallen = new WeakMap<Identified, LockkeeperError>();

export function tellFallen(who: Identified, error: LockkeeperError): void {
  fallen.set(who, error);
}

/** It was shown once more, and taken. */
export function tellGood(who: Identified): void {
  fallen.delete(who);
}

/** Whether what this credential asked for a while ago may still be done for it. Throws why not. */
export async function assertStillGood(who: Identified, now = Date.now()): Promise<void> {
  const error = fallen.get(who);
  if (error) throw error;
  if (who.assertStands) return who.assertStands();
  if (who.expires === null || now < who.expires) return;
  throw new LockkeeperError('TOKEN_EXPIRED', {
    expected: 'a credential that holds until what was asked with it is done',
    found: `one that ended at ${new Date(who.expires).toISOString()}`,
    next: 'Ask again with a new one',
  });
}
