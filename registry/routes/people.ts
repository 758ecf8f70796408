/** Who is here: adding, changing roles, new sign-in codes, leaving. */

import { NothingBody, PersonBody, type RoleName } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { LinkBody } from '../../schemas/sign-in.ts';
import type { Call, Handlers } from '../app.ts';
import { lastSeen, linkAccount, personOfAccount, takeTurn } from '../db/identities.ts';
import { listPeople, newCode, type PersonRow, putPerson, removePerson } from '../db/people.ts';
import { type Client, withTransaction } from '../db/pool.ts';
import { listServers } from '../db/servers.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { providerOf } from '../oidc/open.ts';
import { assertAdminLeft, assertNameFree, retire, rolesByHand } from '../people.ts';

/** A code that an administrator hands out lasts three days. */
const CODE_HOURS = 72;

export function peopleRoutes(deps: Deps): Handlers {
  return {
    people: (call) => add(call, deps),
    peopleList: () => list(deps),
    personCode: (call) => code(call, deps),
    personRemove: (call) => remove(call, deps),
    personLink: (call) => link(call, deps),
  };
}

async function add(call: Call, deps: Deps): Promise<unknown> {
  const { person, roles } = call.body(PersonBody);
  assertNameFree(person);
  assertByHand(roles, deps);
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

/** Said at once, and not by a code that gives less than it was asked for. */
function assertByHand(roles: readonly RoleName[], deps: Deps): void {
  if (rolesByHand(roles, deps).length < roles.length) rolesByHand(['reviewer'], deps);
}

async function list({ pool }: Deps): Promise<unknown> {
  const seen = await lastSeen(pool);
  const people = await listPeople(pool);
  return {
    people: people.map((one) => (seen.has(one.person) ? { ...one, seen: seen.get(one.person) } : one)),
  };
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

/** An administrator's word that an account of the provider is this person. It was nobody before, and stays theirs. */
async function link(call: Call, deps: Deps): Promise<unknown> {
  const { subject } = call.body(LinkBody);
  const { issuer } = providerOf(deps).config;
  const { person } = await personOf(call, deps.pool);
  await withTransaction(deps.pool, async (client) => {
    await takeTurn(client);
    const known = await personOfAccount(client, { issuer, subject });
    if (known)
      throw new LockkeeperError('STATE_CONFLICT', {
        expected: `an account of ${issuer} that is nobody’s yet`,
        found: `the one of ${known.person}, which stays theirs`,
        next: `Have them sign in as ${known.person}; an account that is not to be used: lk people remove ${known.person}`,
      });
    await linkAccount(client, { issuer, subject }, { person, by: call.actor.person });
    await recordEvent(client, {
      person: call.actor.person,
      action: 'person.linked',
      subject: person,
      detail: { issuer, subject },
    });
  });
  return { person, issuer, subject };
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
