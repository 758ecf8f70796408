/** Who a verified ID token is about, in words of the registry: a name to begin with, and roles. Pure. */
import { claimAt, userOf } from '../../runtime/identity/claims.ts';
import type { RoleName } from '../../schemas/api.ts';
import { type JsonObject, Person } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { SignInConfig } from '../../schemas/sign-in.ts';
import { isValid } from '../../schemas/validate.ts';

/** More groups than that are read by nobody. */
const MAX_GROUPS = 5000;
const ASK = 'Ask whoever keeps the identity provider, or the file that LOCKKEEPER_OIDC names';

/** Whether all stands there that a name and roles are made of. */
export function isWhole(claims: JsonObject, { person = { claim: 'email' }, groups }: SignInConfig): boolean {
  const named = person.claim === 'email' ? [person.claim, 'email_verified'] : [person.claim];
  const paths = [...named.map((claim) => [claim]), ...(groups === undefined ? [] : [groups])];
  return paths.every((path) => claimAt(claims, path) !== undefined);
}

/** A name, in small letters. Throws IDENTITY_UNNAMED: what is not plain is refused, never trimmed. */
export function nameOf(claims: JsonObject, { person = { claim: 'email' } }: SignInConfig): string {
  const name = userOf(claims, { user: person }).toLowerCase();
  if (isValid(Person, name)) return name;
  throw unnamed(`${person.claim} as at most 64 of a-z, 0-9, dot, dash, underscore and @`, quote(name, 100));
}

/** What the groups of a person give, which may be nothing. Throws IDENTITY_UNNAMED for groups that are no list. */
export function rolesOf(
  claims: JsonObject,
  { groups: path, roles = {}, everybody }: SignInConfig,
): RoleName[] {
  const groups = path === undefined ? [] : groupsAt(claims, path);
  const given = groups.flatMap((group) => (Object.hasOwn(roles, group) ? (roles[group] ?? []) : []));
  return [...new Set([...given, ...(everybody === undefined ? [] : [everybody])])];
}

function groupsAt(claims: JsonObject, path: readonly string[]): string[] {
  const value = claimAt(claims, path);
  const what = `a list of groups in ${path.join('.')}`;
  if (!Array.isArray(value))
    throw unnamed(what, value === undefined ? 'nothing' : quote(JSON.stringify(value), 100));
  if (value.length > MAX_GROUPS)
    throw unnamed(`at most ${MAX_GROUPS} in ${path.join('.')}`, `${value.length}`);
  const groups = value.filter((group) => typeof group === 'string');
  if (groups.length < value.length) throw unnamed(`${what}, each a text`, 'one that is none');
  return groups;
}

function unnamed(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('IDENTITY_UNNAMED', {
    expected: `the token to have ${expected}`,
    found,
    next: ASK,
  });
}
