/**
 * From an account that the provider vouched for to a person of this registry. The account is who somebody is: it begins
 * as a person of its own, or as one that an administrator linked, and never becomes another.
 */
import type { RoleName, TokenView } from '../../schemas/api.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import {
  addNewcomer,
  endSignIns,
  type Known,
  linkAccount,
  nameTaken,
  personOfAccount,
  seeAccount,
  takeTurn,
} from '../db/identities.ts';
import { newToken } from '../db/people.ts';
import { type Client, withTransaction } from '../db/pool.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { assertAdminLeft, assertNameFree, retire } from '../people.ts';
import { SELF } from '../root.ts';
import type { Vouched } from './id-token.ts';
import type { Oidc } from './open.ts';
import { nameOf, rolesOf } from './person.ts';

const HOURS = 12;

/**
 * A token with the roles that the groups give today. Throws IDENTITY_UNNAMED, SIGN_IN_REFUSED, and STATE_CONFLICT where
 * nobody would be left to administer. Whom no group lets in any more has no other sign-in afterwards either.
 */
export async function signInAs(
  vouched: Vouched,
  { from, oidc, deps }: { from: string; oidc: Oidc; deps: Deps },
): Promise<TokenView> {
  const { config } = oidc;
  const roles = rolesOf(vouched.claims, config);
  if (roles.length === 0) {
    await withTransaction(deps.pool, (client) => endForAll(client, vouched));
    throw refused(`a group of ${config.issuer} that has a role here`, `${vouched.subject}, who is in none`);
  }
  const view = await withTransaction(deps.pool, async (client) => {
    await takeTurn(client);
    const person = await personFor(client, vouched, { roles, oidc });
    await assertAdminLeft(client, { person, roles });
    await seeAccount(client, vouched, { person, roles });
    const grant = await newToken(client, person, { roles, hours: config.hours ?? HOURS });
    const { issuer, subject } = vouched;
    await recordEvent(client, {
      person,
      action: 'signed-in',
      subject: from,
      detail: { issuer, subject, roles },
    });
    return { ...grant, person, roles };
  });
  if (!roles.includes('reviewer')) await retire(view.person, deps);
  return view;
}

async function endForAll(client: Client, vouched: Vouched): Promise<void> {
  const known = await personOfAccount(client, vouched);
  if (known) await endSignIns(client, known.person);
}

async function personFor(
  client: Client,
  vouched: Vouched,
  { roles, oidc }: { roles: readonly RoleName[]; oidc: Oidc },
): Promise<string> {
  const known = await personOfAccount(client, vouched);
  if (known) return stillHere(known);
  const person = nameOf(vouched.claims, oidc.config);
  assertNameFree(person);
  if (await addNewcomer(client, person, roles)) {
    await linkAccount(client, vouched, { person, by: SELF });
    await told(client, { action: 'person.added', person, vouched, roles });
    return person;
  }
  await assertMayTakeName(client, person, { vouched, oidc });
  await linkAccount(client, vouched, { person, by: SELF });
  await told(client, { action: 'person.linked', person, vouched, roles });
  return person;
}

function stillHere({ person, left }: Known): string {
  if (!left) return person;
  throw new LockkeeperError('SIGN_IN_REFUSED', {
    expected: `${person} to be here`,
    found: 'that an administrator let them go',
    next: `Ask an administrator to take them back: lk people add ${person} --roles ROLES`,
  });
}

/** A name that matches says nothing: it may be the name of somebody else, or of somebody who was here before. */
async function assertMayTakeName(
  client: Client,
  person: string,
  { vouched, oidc }: { vouched: Vouched; oidc: Oidc },
): Promise<void> {
  const taken = await nameTaken(client, person);
  const free = taken && !taken.left && !taken.linked && !taken.roles.includes('admin');
  if (free && oidc.config.linkExisting === true) return;
  throw new LockkeeperError('SIGN_IN_REFUSED', {
    expected: `a name that nobody has or had here`,
    found: `${person}, who is not known to be ${vouched.subject} of ${vouched.issuer}`,
    next: taken?.left
      ? 'Ask an administrator, and whoever keeps the identity provider for another name'
      : `If they are one person, ask an administrator for: lk people link ${person} ${vouched.subject}`,
  });
}

async function told(
  client: Client,
  event: { action: string; person: string; vouched: Vouched; roles: readonly RoleName[] },
): Promise<void> {
  const { issuer, subject } = event.vouched;
  const detail = { issuer, subject, roles: event.roles };
  await recordEvent(client, { person: SELF, action: event.action, subject: event.person, detail });
}

function refused(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('SIGN_IN_REFUSED', {
    expected,
    found,
    next: 'Ask whoever keeps the identity provider for a group, or an administrator what each group gives',
  });
}
