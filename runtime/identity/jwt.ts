/** Bearer tokens of configured issuers (RFC 9068). Each is judged whole; a token that held is known until it ends. */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';
import type { Caller } from '../gate/caller.ts';
import { actorsOf, scopesOf, teamsOf, userOf } from './claims.ts';
import type { Doors } from './doors.ts';
import { type Identified, keepSubject } from './identified.ts';
import type { IssuerKeys } from './keys.ts';
import { assertSeparate } from './separate.ts';
import {
  assertHeader,
  assertSigned,
  decode,
  expired,
  invalid,
  openIssuerKeys,
  SKEW_SECONDS,
  show,
} from './signed.ts';

const MAX_KNOWN = 4000;

interface Issuer {
  readonly config: JwtIssuer;
  readonly audience: readonly string[];
  /** Null where single doors are nobody's audience. */
  readonly doors: Doors | null;
  readonly skewMs: number;
  readonly keys: IssuerKeys;
}

interface Known {
  readonly who: Identified;
  /** Paths that it is for; null: the whole gateway. */
  readonly paths: readonly string[] | null;
  readonly issuer: Issuer;
  readonly generation: string;
  readonly endsAt: number;
}

export interface JwtSetting {
  readonly resource: string;
  readonly doors: Doors | null;
  /** Folder that paths are relative to. */
  readonly dir: string;
  readonly now: () => number;
  readonly onTrouble: (error: LockkeeperError) => void;
}

export interface JwtWay {
  /** `path`: what the request is for. */
  identify(token: string, path: string): Promise<Identified>;
}

/** Asks no issuer yet. Throws CONFIG_INVALID for issuers that could name each other's users. */
export async function openJwt(configs: readonly JwtIssuer[], setting: JwtSetting): Promise<JwtWay> {
  assertSeparate(configs);
  const issuers = new Map<string, Issuer>();
  for (const config of configs) issuers.set(config.issuer, await openIssuer(config, setting));
  const known = new Map<string, Known>();
  return {
    identify: async (token, path) => {
      const key = createHash('sha256').update(token).digest('base64');
      const before = known.get(key);
      if (before && before.endsAt <= setting.now()) {
        known.delete(key);
        throw expired(before.issuer.config.issuer);
      }
      if (before && before.generation === (await before.issuer.keys.generation())) return at(before, path);
      known.delete(key);
      const after = await verify(token, issuers, setting.now);
      if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value ?? '');
      known.set(key, after);
      return at(after, path);
    },
  };
}

/** Throws TOKEN_INVALID for a token of another door. */
function at({ who, paths }: Known, path: string): Identified {
  if (paths === null || paths.includes(path)) return who;
  throw invalid(`a token for ${quote(path, 120)} or for the whole gateway`, `one for ${paths.join(' and ')}`);
}

async function openIssuer(config: JwtIssuer, setting: JwtSetting): Promise<Issuer> {
  const keys = await openIssuerKeys(config, setting);
  const audience = config.audience ?? [setting.resource];
  const doors = config.audience ? null : setting.doors;
  return { config, audience, doors, skewMs: (config.skewSeconds ?? SKEW_SECONDS) * 1000, keys };
}

/** 1 form, 2 issuer, 3 header, 4 signature and times, 5 audience, 6 binding, 7 scope, 8 who. */
async function verify(
  token: string,
  issuers: ReadonlyMap<string, Issuer>,
  now: () => number,
): Promise<Known> {
  const { header, claims } = decode(token);
  const issuer = typeof claims.iss === 'string' ? issuers.get(claims.iss) : undefined;
  if (!issuer) throw invalid(`a token of ${[...issuers.keys()].join(' or ')}`, `one of ${show(claims.iss)}`);
  assertHeader(header, { types: ['at+jwt', 'jwt'], ...issuer.config, what: 'an access token' });
  const generation = await issuer.keys.generation();
  await assertSigned(token, { ...issuer.config, keys: issuer.keys, skewMs: issuer.skewMs, now: now() });
  const paths = pathsOf(claims.aud, issuer);
  // It says that only who holds a key may use it (DPoP, mutual TLS), and nobody asked for that key.
  if (claims.cnf !== undefined) throw invalid('a bearer token', 'one that is bound to a key (cnf)');
  assertScopes(claims, issuer.config);
  return {
    who: whoOf(token, claims, issuer),
    paths,
    issuer,
    generation,
    endsAt: Number(claims.exp) * 1000 + issuer.skewMs,
  };
}

function whoOf(token: string, claims: JsonObject, { config }: Issuer): Identified {
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '') throw invalid('a token with a sub', show(sub));
  const expires = Number(claims.exp) * 1000;
  const caller: Caller = {
    user: userOf(claims, config),
    teams: teamsOf(claims, config),
    via: 'jwt',
    actors: actorsOf(claims),
  };
  keepSubject(caller, { token, issuer: config.issuer, expires });
  return {
    caller,
    servers: null,
    principal: principalOf(config, claims, caller),
    expires,
  };
}

/** Client and scopes as well: what is exchanged for one client's token is not for another's, which may less. */
function principalOf({ issuer }: JwtIssuer, claims: JsonObject, { user }: Caller): string {
  const client = claims.client_id ?? claims.azp ?? null;
  return JSON.stringify(['jwt', issuer, claims.sub, user, client, [...scopesOf(claims)].sort()]);
}

/** Compared letter by letter: of one for others as well, they could use it here. Null: it is for the whole gateway. */
function pathsOf(aud: unknown, { audience, doors, config }: Issuer): readonly string[] | null {
  const named = (Array.isArray(aud) ? aud : [aud]).map((one: unknown) =>
    typeof one === 'string' ? one : '',
  );
  const paths = named.flatMap((one) => doors?.pathOf(one) ?? []);
  const known = [...audience, ...(config.alsoFor ?? [])];
  if (named.every((one) => known.includes(one) || doors?.pathOf(one))) {
    if (named.some((one) => audience.includes(one))) return null;
    if (paths.length > 0) return paths;
  }
  throw invalid(`a token for ${audience.join(' or ')} and for nobody else`, `one for ${show(aud)}`);
}

function assertScopes(claims: JsonObject, { scopes = [] }: JwtIssuer): void {
  const given = scopesOf(claims);
  const missing = scopes.filter((scope) => !given.has(scope));
  if (missing.length === 0) return;
  throw new LockkeeperError('SCOPE_MISSING', {
    expected: `the scopes ${scopes.join(', ')}`,
    found: `a token without ${missing.join(', ')}`,
    next: 'Ask the issuer for a token with these scopes',
  });
}
