/** What every signed token is held to, whatever it says: its form, its header, its signature and its times. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { errors, jwtVerify } from 'jose';
import { isObject, type JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';
import { parseStrict } from '../../schemas/json.ts';
import { keySetLoader } from './issuer.ts';
import { type IssuerKeys, openKeys } from './keys.ts';
import { assertSecureUrl } from './url.ts';

const MAX_TOKEN = 16 * 1024;
const DEFAULT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];
const RENEW = 'Get a new token from the issuer';
/** How far clocks may be apart, where nothing is said. */
export const SKEW_SECONDS = 30;

export interface KeySetting {
  /** Folder that paths are relative to. */
  readonly dir: string;
  readonly now: () => number;
  readonly onTrouble: (error: LockkeeperError) => void;
}

type KeyConfig = Pick<JwtIssuer, 'issuer' | 'keys' | 'ca' | 'freshSeconds' | 'staleSeconds' | 'coolSeconds'>;

/** The keys of an issuer; asks nobody yet. Throws CONFIG_INVALID for an address that anybody could answer. */
export async function openIssuerKeys(config: KeyConfig, setting: KeySetting): Promise<IssuerKeys> {
  assertSecureUrl(config.issuer, 'an issuer');
  if (config.keys && 'url' in config.keys) assertSecureUrl(config.keys.url, 'the keys of an issuer');
  const pem = config.ca === undefined ? undefined : await readFile(resolve(setting.dir, config.ca), 'utf8');
  const { freshSeconds = 600, staleSeconds = 3600, coolSeconds = 30 } = config;
  return openKeys({
    issuer: config.issuer,
    load: keySetLoader(config, { dir: setting.dir, pem }),
    freshMs: freshSeconds * 1000,
    staleMs: staleSeconds * 1000,
    coolMs: coolSeconds * 1000,
    now: setting.now,
    onTrouble: setting.onTrouble,
  });
}

/** Header and claims, of which nothing is verified yet. Throws TOKEN_INVALID. */
export function decode(token: string): { header: JsonObject; claims: JsonObject } {
  if (token.length > MAX_TOKEN)
    throw invalid(`a token of at most ${MAX_TOKEN} characters`, `${token.length} of them`);
  const parts = token.split('.');
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part)))
    throw invalid('a signed JSON Web Token', 'something else');
  const [header = {}, claims = {}] = parts.slice(0, 2).map((part) => objectIn(part));
  return { header, claims };
}

function objectIn(part: string): JsonObject {
  try {
    const value = parseStrict(Buffer.from(part, 'base64url'), { maxDepth: 32 });
    if (isObject(value)) return value;
  } catch (error) {
    throw invalid(
      'header and claims as strict JSON',
      error instanceof LockkeeperError ? error.found : 'other text',
    );
  }
  throw invalid('header and claims as objects', 'another value');
}

export interface HeaderRule {
  readonly algorithms?: readonly string[] | undefined;
  /** Values of `typ`, in small letters; `none` is a token without one. */
  readonly types: readonly string[];
  /** What kind of token it is, in the sentence of a refusal. */
  readonly what: string;
}

/** Throws TOKEN_INVALID for another algorithm, another kind of token, and what has to be understood and is not. */
export function assertHeader({ alg, typ, crit }: JsonObject, { algorithms, types, what }: HeaderRule): void {
  const known = algorithms ?? DEFAULT_ALGORITHMS;
  if (typeof alg !== 'string' || !known.includes(alg))
    throw invalid(`the algorithm ${known.join(', ')}`, show(alg));
  const named = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : null;
  if (!types.includes(typ === undefined ? 'none' : (named ?? '')) || named === 'none')
    throw invalid(`${what}, typ ${types.join(' or ')}`, `typ ${show(typ)}`);
  if (crit !== undefined) throw invalid('no critical extensions', 'crit in the header');
}

export interface SignatureRule {
  readonly issuer: string;
  readonly algorithms?: readonly string[] | undefined;
  readonly keys: IssuerKeys;
  readonly skewMs: number;
  readonly now: number;
}

/** Signature, issuer, exp and nbf. Keys come from the issuer alone: jwk, jku, x5u and x5c in a header say nothing. */
export async function assertSigned(token: string, rule: SignatureRule): Promise<void> {
  const { issuer, algorithms, keys, skewMs, now } = rule;
  try {
    await jwtVerify(token, (header) => keys.find(header), {
      algorithms: [...(algorithms ?? DEFAULT_ALGORITHMS)],
      issuer,
      clockTolerance: skewMs / 1000,
      requiredClaims: ['exp', 'aud'],
      currentDate: new Date(now),
    });
  } catch (error) {
    if (error instanceof LockkeeperError) throw error;
    if (error instanceof errors.JWTExpired) throw expired(issuer);
    const found = error instanceof errors.JOSEError ? error.message : 'a token that cannot be read';
    throw invalid(`a token that ${issuer} signed and that is valid now`, quote(found, 200), error);
  }
}

export function show(value: unknown): string {
  return value === undefined
    ? 'nothing'
    : quote(typeof value === 'string' ? value : JSON.stringify(value), 200);
}

export function expired(issuer: string): LockkeeperError {
  return new LockkeeperError('TOKEN_EXPIRED', {
    expected: `a token of ${issuer} that is valid now`,
    found: 'one that has ended',
    next: RENEW,
  });
}

export function invalid(expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('TOKEN_INVALID', { expected, found, next: RENEW, cause });
}
