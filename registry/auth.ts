/** Who calls, whether the table of routes lets them, and how often. Default deny: a route without a row cannot be reached. */
import type { FastifyRequest } from 'fastify';
import { ROUTES, type RoleName, type Route, type RouteName } from '../schemas/api.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { type Actor, actorOf } from './db/people.ts';
import type { Client, Pool } from './db/pool.ts';
import { keysOfToday } from './db/records.ts';

export const NOBODY: Actor = { person: 'anonymous', roles: [], expires: '' };

/** The caller of a request, judged by its route's row. Throws UNAUTHENTICATED or FORBIDDEN. */
export async function authorise(request: FastifyRequest, name: RouteName, pool: Pool): Promise<Actor> {
  const route: Route = ROUTES[name];
  const header = request.headers.authorization;
  // A reader without an account is served as such even when a stale token comes along.
  const actor = header === undefined ? null : await readToken(header, pool);
  if (route.roles.includes('anonymous')) return actor ?? NOBODY;
  if (actor === null) {
    throw new LockkeeperError('UNAUTHENTICATED', {
      expected: 'a token in the Authorization header that is still valid',
      found: header === undefined ? 'none' : 'one that is unknown or has expired',
      next: 'Run: lk login URL, with --code CODE where people sign in with one-time codes',
    });
  }
  if (!mayCall(route, actor.roles)) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: `one of the roles ${route.roles.join(', ')}`,
      found: `${actor.person} as ${actor.roles.join(', ') || 'nothing'}`,
      next: 'Ask an administrator: lk people add',
    });
  }
  return actor;
}

export function mayCall(route: Route, roles: readonly RoleName[]): boolean {
  return roles.some((role) => route.roles.includes(role));
}

/** A runtime that serves many speaks for them; anybody else speaks for themselves, and for who signed in nowhere. */
export function assertSpeaksFor({ person, roles }: Actor, user: string): void {
  if (roles.includes('runtime') || user === person || user === '-' || user.startsWith('local:')) return;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `records of ${person}`,
    found: `one of ${quote(user, 64)}`,
    next: 'Send it with the sign-in of that person, or of an account for the gateway: lk people add gateway --roles runtime',
  });
}

async function readToken(header: string, pool: Pool): Promise<Actor | null> {
  const token = /^Bearer (lk_[A-Za-z0-9_-]{43})$/.exec(header)?.[1];
  return token === undefined ? null : actorOf(pool, token);
}

const WINDOW_MS = 60_000;
/** That are counted at once; of more, the one that did nothing for longest is forgotten. */
const MOST_ADDRESSES = 10_000;

/** Counts what an address does; more than so many a minute are refused unread. `what` names it in the sentence. */
export function attempts(
  most: number,
  what: string,
): { check(address: string): void; count(address: string): void } {
  const times = new Map<string, number[]>();
  const recent = (address: string): number[] =>
    (times.get(address) ?? []).filter((at) => at > Date.now() - WINDOW_MS);
  return {
    check: (address) => {
      if (recent(address).length < most) return;
      throw new LockkeeperError('RATE_LIMITED', {
        expected: `at most ${most} ${what} a minute`,
        found: `more from ${quote(address)}`,
        next: 'Wait a minute',
      });
    },
    count: (address) => {
      const before = recent(address);
      times.delete(address);
      const [oldest] = times.size < MOST_ADDRESSES ? [] : times.keys();
      if (oldest !== undefined) times.delete(oldest);
      times.set(address, [...before, Date.now()]);
    },
  };
}

const MAX_KEYS = 5;

/** Each key that is enrolled makes a root that everybody follows for good. In the transaction that enrols it. */
export async function assertFewKeys(client: Client, person: string): Promise<void> {
  const count = await keysOfToday(client, person);
  if (count < MAX_KEYS) return;
  throw new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${MAX_KEYS} keys of ${person} enrolled in a day`,
    found: `${count} in the last day, and one more`,
    next: 'Sign with the key that is enrolled, or wait a day and run: lk keys enrol --replace',
  });
}
