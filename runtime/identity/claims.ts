/** From the claims of a token that holds to a user, teams and actors. What is not plain is refused, never left out. */
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { type Code, LockkeeperError, quote } from '../../schemas/errors.ts';
import { type JwtIssuer, Team, User } from '../../schemas/identity.ts';
import { isValid } from '../../schemas/validate.ts';

/** RFC 8693 sets no bound for `act` in `act`. */
const MAX_ACTORS = 10;
const MAX_TEAMS = 500;
const ASK = 'Ask whoever keeps the issuer, or the configuration that names it';

/** The user, with the issuer's prefix. Throws IDENTITY_UNNAMED. */
export function userOf(claims: JsonObject, { user, prefix }: Pick<JwtIssuer, 'user' | 'prefix'>): string {
  const { claim, domains } = user ?? { claim: 'sub' };
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  const name = claim === 'email' ? emailOf(value, claims) : value;
  if (domains && !(typeof name === 'string' && domains.includes(name.slice(name.lastIndexOf('@') + 1))))
    throw unnamed(`${claim} in ${domains.join(', ')}`, show(name));
  const free = prefix !== undefined || (typeof name === 'string' && !name.includes(':'));
  if (isValid(User, name) && free) return prefix === undefined ? name : `${prefix}:${name}`;
  throw unnamed(`${claim} as at most 200 of A-Z, a-z, 0-9 and ._@+|/~=-${colon(prefix)}`, show(value));
}

/** Without a prefix, a colon could make a name that an issuer with one gives. */
function colon(prefix: string | undefined): string {
  return prefix === undefined ? ', a colon with a prefix alone' : ' and a colon';
}

function emailOf(value: Json | undefined, claims: JsonObject): string {
  if (claims.email_verified !== true)
    throw unnamed('email_verified to be true beside email', show(claims.email_verified));
  // Other letters become those of somebody else when they are made small: K (U+212A) is no k.
  if (typeof value === 'string' && /^[!-?A-~]{1,100}@[!-?A-~]{1,100}$/.test(value))
    return value.toLowerCase();
  throw unnamed('email as one address in ASCII', show(value));
}

/** Throws IDENTITY_UNNAMED: a team left out would be one less that a policy forbids something. */
export function teamsOf(
  claims: JsonObject,
  { teams, prefix }: Pick<JwtIssuer, 'teams' | 'prefix'>,
): string[] {
  if (!teams) return [];
  const path = teams.path.join('.');
  const value = claimAt(claims, teams.path);
  // A provider that leaves out a list which is too long says so, and names where it is: that is not a person without teams.
  const isCut = claims.hasgroups !== undefined || isObject(claims._claim_names);
  if (value === undefined && teams.optional === true && !isCut) return [];
  if (!Array.isArray(value)) throw unnamed(`a list of teams in ${path}`, show(value));
  if (value.length > MAX_TEAMS) throw unnamed(`at most ${MAX_TEAMS} teams in ${path}`, `${value.length}`);
  const bad = value.findIndex((team) => !isValid(Team, team) || (prefix === undefined && team.includes(':')));
  if (bad >= 0)
    throw unnamed(
      `teams in ${path} of at most 200 of A-Z, a-z, 0-9 and ._@+|/~=-${colon(prefix)}`,
      show(value[bad]),
    );
  const names = value as string[];
  return [...new Set(prefix === undefined ? names : names.map((team) => `${prefix}:${team}`))];
}

/** What stands at a path of claims, from the outside in. */
export function claimAt(claims: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = claims;
  for (const name of path) {
    if (!isObject(value)) return undefined;
    value = Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value;
}

/** Who acts for the user, outermost first. Throws TOKEN_INVALID for a chain that is not one. */
export function actorsOf(claims: JsonObject): string[] {
  const actors: string[] = [];
  let act = Object.hasOwn(claims, 'act') ? claims.act : undefined;
  while (act !== undefined) {
    const { sub, act: inner } = isObject(act) ? act : {};
    if (actors.length >= MAX_ACTORS || !isValid(User, sub))
      throw unnamed(`act as at most ${MAX_ACTORS} actors, each with a sub`, show(sub), 'TOKEN_INVALID');
    actors.push(sub);
    act = inner;
  }
  return actors;
}

/** Scopes as RFC 9068 writes them (`scope`), and as some issuers do (`scp`, a list or a text). */
export function scopesOf({ scope, scp }: JsonObject): ReadonlySet<string> {
  const words: unknown[] = [scope, scp].flatMap((value) =>
    typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [],
  );
  return new Set(words.filter((word): word is string => typeof word === 'string' && word !== ''));
}

function show(value: unknown): string {
  return value === undefined
    ? 'nothing'
    : quote(typeof value === 'string' ? value : JSON.stringify(value), 100);
}

function unnamed(expected: string, found: string, code: Code = 'IDENTITY_UNNAMED'): LockkeeperError {
  return new LockkeeperError(code, { expected: `the token to have ${expected}`, found, next: ASK });
}
