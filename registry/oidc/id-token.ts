/** What an ID token has to be before anything in it is read (OpenID Connect Core 3.1.3.7). */
import type { IssuerKeys } from '../../runtime/identity/keys.ts';
import {
  assertHeader,
  assertSigned,
  decode,
  invalid,
  SKEW_SECONDS,
  show,
} from '../../runtime/identity/signed.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { type SignInConfig, Subject } from '../../schemas/sign-in.ts';
import { isValid } from '../../schemas/validate.ts';

/** It was made for this sign-in, so it is young. */
const MAX_AGE_MS = 10 * 60_000;

export interface IdTokenRule {
  readonly config: SignInConfig;
  readonly keys: IssuerKeys;
  /** What this sign-in began with; null where the provider was not given one (RFC 8628). */
  readonly nonce: string | null;
  readonly now: number;
}

export interface Vouched {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: JsonObject;
}

/** 1 form, 2 header, 3 signature, issuer and times, 4 audience, 5 age, 6 nonce, 7 subject. Throws TOKEN_INVALID. */
export async function verifyIdToken(
  token: string,
  { config, keys, nonce, now }: IdTokenRule,
): Promise<Vouched> {
  const { issuer, algorithms, skewSeconds = SKEW_SECONDS } = config;
  const { header, claims } = decode(token);
  assertHeader(header, { algorithms, types: ['jwt', 'none'], what: 'an ID token' });
  const skewMs = skewSeconds * 1000;
  await assertSigned(token, { issuer, algorithms, keys, skewMs, now });
  assertFor(claims, config);
  assertYoung(claims, now, skewMs);
  if (nonce !== null && claims.nonce !== nonce)
    throw invalid('the nonce that this sign-in began with', claims.nonce === undefined ? 'none' : 'another');
  if (!isValid(Subject, claims.sub))
    throw invalid('a sub of at most 255 printable characters', show(claims.sub));
  return { issuer, subject: claims.sub, claims };
}

/** What the provider says of the same account beside it; what was signed goes first. Throws TOKEN_INVALID for another's. */
export function withUserinfo(vouched: Vouched, said: JsonObject): Vouched {
  if (Object.keys(said).length === 0) return vouched;
  if (said.sub !== vouched.subject)
    throw invalid(`what is said of ${vouched.subject}`, `of ${show(said.sub)}`);
  const own = vouched.claims;
  const { email_verified: _, ...claims } = { ...said, ...own };
  const verified = verifiedOf(own, said);
  return { ...vouched, claims: verified === undefined ? claims : { ...claims, email_verified: verified } };
}

/** That an address was verified is said of the one that stands beside it, and of no other. */
function verifiedOf(own: JsonObject, said: JsonObject): Json | undefined {
  if (own.email === undefined) return said.email_verified;
  return own.email_verified ?? (own.email === said.email ? said.email_verified : undefined);
}

/** Of a token for others as well, they could sign in here with it. */
function assertFor({ aud, azp }: JsonObject, { clientId, alsoFor = [] }: SignInConfig): void {
  const named: unknown[] = Array.isArray(aud) ? aud : [aud];
  const known = [clientId, ...alsoFor];
  if (!named.includes(clientId) || !named.every((one) => known.includes(String(one))))
    throw invalid(`an ID token for ${clientId} and for nobody else`, `one for ${show(aud)}`);
  if (azp === undefined ? named.length > 1 : azp !== clientId)
    throw invalid(`an ID token that ${clientId} asked for (azp)`, show(azp));
}

function assertYoung({ iat }: JsonObject, now: number, skewMs: number): void {
  const age = typeof iat === 'number' ? now - iat * 1000 : Number.NaN;
  if (age >= -skewMs && age <= MAX_AGE_MS + skewMs) return;
  throw invalid('an ID token made in the last ten minutes (iat)', show(iat));
}
