/** Who is here: adding, changing roles, new sign-in codes, leaving. */

import { NothingBody, PersonBody } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { holdersOf } from '../../schemas/root.ts';
import type { Call, Handlers } from '../app.ts';
import { listPeople, newCode, type PersonRow, putPerson, removePerson, restingOn } from '../db/people.ts';
import { type Client, withTransaction } from '../db/pool.ts';
import { listServers } from '../db/servers.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { SELF } from '../root.ts';

/** A code that an administrator hands out lasts three days. */
const CODE_HOURS = 72;

export function peopleRoutes(deps: Deps): Handlers {
  return {
    people: (call) => add(call, deps),
    peopleList: async () => ({ people: await listPeople(deps.pool) }),
    personCode: (call) => code(call, deps),
    personRemove: (call) => remove(call, deps),
  };
}

async function add(call: Call, deps: Deps): Promise<unknown> {
  const { person, roles } = call.body(PersonBody);
  if (person === SELF || person === 'anonymous')
    throw new LockkeeperError('REQUEST_INVALID', {
      expected: 'the name of a person',
      found: `${person}, which is reserved`,
      next: 'Choose another',
    });
  const view = await withTransaction(deps.pool, async (client) => {
    await assertAdminLeft(client, { person, roles });
    await putPerson(client, person, roles);
    const { code, expires } = await newCode(client, person, CODE_HOURS);
    await recordEvent(client, {
      person: call.actor.person,
      action: 'person.added',
      subject: person,
      detail: { roles },
    });
    return { person, roles, code, codeExpires: expires };
  });
  const left = roles.includes('reviewer') ? { voided: 0, rootPending: false } : await retire(person, deps);
  return { ...view, ...left };
}

async function code(call: Call, deps: Deps): Promise<unknown> {
  call.body(NothingBody);
  const { person } = await personOf(call, deps.pool);
  return withTransaction(deps.pool, async (client) => {
    const { code: secret, expires } = await newCode(client, person, CODE_HOURS);
    await recordEvent(client, { person: call.actor.person, action: 'person.code', subject: person });
    return { person, code: secret, codeExpires: expires };
  });
}

async function remove(call: Call, deps: Deps): Promise<unknown> {
  call.body(NothingBody);
  const { person } = await personOf(call, deps.pool);
  const orphaned = await withTransaction(deps.pool, async (client) => {
    await assertAdminLeft(client, { person, roles: [] });
    await removePerson(client, person);
    await recordEvent(client, { person: call.actor.person, action: 'person.removed', subject: person });
    const owned = await listServers(client, { owner: person });
    for (const { name, team } of owned)
      await recordEvent(client, {
        person: call.actor.person,
        action: 'server.orphaned',
        subject: name,
        detail: { owner: person, team },
      });
    return owned.map(({ name }) => name);
  });
  return { person, orphaned, ...(await retire(person, deps)) };
}

/**
 * Somebody who is no reviewer any more is no approver either, from the next root on. Returns how many approved releases
 * rested on them.
 */
async function retire(person: string, deps: Deps): Promise<{ voided: number; rootPending: boolean }> {
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

async function personOf(call: Call, client: Client): Promise<PersonRow> {
  const name = call.param('person');
  const found = (await listPeople(client)).find(({ person }) => person === name);
  if (found) return found;
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'a person of this registry',
    found: quote(name, 80),
    next: 'List them with: lk people list',
  });
}

/** A registry without an administrator could be helped by nobody. */
async function assertAdminLeft(client: Client, change: PersonRow): Promise<void> {
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
