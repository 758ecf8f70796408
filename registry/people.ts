/** What holds whenever people change: some names are nobody's, somebody administers, and who reviews no more approves no more. */
import type { RoleName } from '../schemas/api.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { holdersOf } from '../schemas/root.ts';
import { listPeople, type PersonRow, restingOn } from './db/people.ts';
import type { Client } from './db/pool.ts';
import type { Deps } from './deps.ts';
import { SELF } from './root.ts';

/** Throws REQUEST_INVALID for a name that stands for somebody else than a person. */
export function assertNameFree(person: string): void {
  if (person !== SELF && person !== 'anonymous') return;
  throw new LockkeeperError('REQUEST_INVALID', {
    expected: 'the name of a person',
    found: `${person}, which is reserved`,
    next: 'Choose another',
  });
}

/**
 * Somebody who is no reviewer any more is no approver either, from the next root on. Returns how many approved releases
 * rested on them.
 */
export async function retire(person: string, deps: Deps): Promise<{ voided: number; rootPending: boolean }> {
  const { trusted } = await deps.trust.current();
  if (!holdersOf(trusted.root).some((holder) => holder.person === person))
    return { voided: 0, rootPending: false };
  const rootPending = await deps.trust.renew().then(
    () => false,
    (error: unknown) => {
      if (error instanceof LockkeeperError && error.code === 'ROOT_OFFLINE') return true;
      throw error;
    },
  );
  return { voided: await restingOn(deps.pool, person), rootPending };
}

/** A registry without an administrator could be helped by nobody. */
export async function assertAdminLeft(client: Client, change: PersonRow): Promise<void> {
  await client.query('select 1 from people for update');
  const others = (await listPeople(client)).filter(({ person }) => person !== change.person);
  const had = (await listPeople(client)).some(({ roles }) => roles.includes('admin'));
  if (!had || [...others, change].some(({ roles }) => roles.includes('admin'))) return;
  throw new LockkeeperError('STATE_CONFLICT', {
    expected: 'an administrator to be left',
    found: `${change.person}, who is the last one`,
    next: 'Make another one first: lk people add NAME --roles admin',
  });
}

/**
 * The roles of these that an administrator's word gives, which a one-time code is. Whoever could hand out the role of a
 * reviewer could be two of those who approve. Throws FORBIDDEN where nothing is left.
 */
export function rolesByHand(roles: readonly RoleName[], { oidc }: Pick<Deps, 'oidc'>): RoleName[] {
  const given = roles.filter((role) => role !== 'reviewer' || oidc?.config.reviewers !== 'provider');
  if (given.length > 0) return given;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `reviewers that ${oidc?.config.issuer} vouches for`,
    found: 'the role by an administrator’s word',
    next: 'Have them put into a group that gives it, and run: lk login URL',
  });
}
