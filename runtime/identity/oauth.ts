/** One question to a token endpoint (RFC 6749, RFC 8693): who asks is shown as configured, the answer is held to its form. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importPKCS8, SignJWT } from 'jose';
import { isObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { OAuthClient } from '../../schemas/upstream.ts';
import { type Answer, ask } from './http.ts';
import type { Subject } from './identified.ts';
import type { Made } from './kept.ts';
import { readSecret, type SecretSetting } from './secret.ts';
import { assertSecureUrl } from './url.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const COMPACT_JWT = /^[\w-]{1,16000}\.[\w-]{1,16000}\.[\w-]{1,2000}$/;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_SECONDS = 60;
/** Where an endpoint says nothing of how long its token lives. */
const UNSAID_SECONDS = 60;
/** So long before its end a token is no longer used, or a third of its life. */
const MARGIN_MS = 30_000;
const TOKEN = /^(?=.{1,16384}$)[A-Za-z0-9._~+/-]+=*$/;

export interface TokenEndpoint {
  /** A token of the gateway itself, or one for the subject. Throws UPSTREAM_CREDENTIAL, and what `readSecret` throws. */
  token(subject?: Subject): Promise<Made<string>>;
}

interface Setting extends SecretSetting {
  readonly now: () => number;
}

/** Reads the secret once, so that a missing one is known at the start; and again for each question. */
export async function openTokenEndpoint(client: OAuthClient, setting: Setting): Promise<TokenEndpoint> {
  assertSecureUrl(client.tokenUrl, 'a token endpoint');
  const ca = client.ca === undefined ? undefined : await readFile(resolve(setting.dir, client.ca), 'utf8');
  await authOf(client, setting);
  await assertionIn(client, setting);
  return {
    token: async (subject) => {
      const { headers, fields } = await authOf(client, setting);
      const grant = { subject, assertion: await assertionIn(client, setting) };
      const form = new URLSearchParams({ ...grantOf(client, grant), ...fields });
      const answer = await ask({ url: client.tokenUrl, headers, form, ca }).catch((cause: Error) => {
        throw failed(client, cause.message, cause);
      });
      return tokenIn(answer, client, { subject, now: setting.now() });
    },
  };
}

/** What the platform says of this gateway, as it is now. Throws SECRET_UNUSABLE for what is no JWT. */
async function assertionIn(client: OAuthClient, setting: Setting): Promise<string | undefined> {
  if (client.kind !== 'jwt-bearer') return undefined;
  const assertion = await readSecret(client.assertion, setting);
  if (COMPACT_JWT.test(assertion)) return assertion;
  throw new LockkeeperError('SECRET_UNUSABLE', {
    expected: `${setting.what} as a signed JWT of the platform`,
    found: 'something else',
    next: 'Name the file where the platform puts its token',
  });
}

interface Grant {
  readonly subject: Subject | undefined;
  readonly assertion: string | undefined;
}

function grantOf(
  { scope, resource, audience }: OAuthClient,
  { subject, assertion }: Grant,
): Record<string, string> {
  const exchange = subject && {
    grant_type: GRANT,
    subject_token: subject.token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
  };
  const platform = assertion === undefined ? undefined : { grant_type: JWT_BEARER, assertion };
  return {
    ...(exchange ?? platform ?? { grant_type: 'client_credentials' }),
    ...(scope === undefined ? {} : { scope }),
    ...(resource === undefined ? {} : { resource }),
    ...(audience === undefined ? {} : { audience }),
  };
}

export interface Shown {
  readonly headers: Record<string, string>;
  readonly fields: Record<string, string>;
}

/** What a client shows of itself at a token endpoint. Throws what `readSecret` throws. */
export async function authOf(
  { auth, clientId, tokenUrl }: Pick<OAuthClient, 'auth' | 'clientId' | 'tokenUrl'>,
  setting: Setting,
): Promise<Shown> {
  if (auth.method === 'none') return { headers: {}, fields: { client_id: clientId } };
  if (auth.method === 'private_key_jwt') {
    const assertion = await assertionOf(
      await readSecret(auth.key, setting),
      { auth, clientId, tokenUrl },
      setting,
    );
    return {
      headers: {},
      fields: { client_id: clientId, client_assertion_type: ASSERTION, client_assertion: assertion },
    };
  }
  const secret = await readSecret(auth.secret, setting);
  return shownWith(auth.method, clientId, secret);
}

/** A client's secret in the place where the endpoint wants it. */
export function shownWith(method: 'basic' | 'post', clientId: string, secret: string): Shown {
  if (method === 'post') return { headers: {}, fields: { client_id: clientId, client_secret: secret } };
  // RFC 6749 section 2.3.1: both are form-encoded first.
  const words = [clientId, secret].map((word) => new URLSearchParams({ '': word }).toString().slice(1));
  return {
    headers: { authorization: `Basic ${Buffer.from(words.join(':')).toString('base64')}` },
    fields: {},
  };
}

type KeyAuth = Extract<OAuthClient['auth'], { method: 'private_key_jwt' }>;

async function assertionOf(
  pem: string,
  { auth, clientId, tokenUrl }: { auth: KeyAuth; clientId: string; tokenUrl: string },
  { what, now }: Setting,
): Promise<string> {
  const key = await importPKCS8(pem, auth.algorithm).catch((cause: unknown) => {
    throw new LockkeeperError('SECRET_UNUSABLE', {
      expected: `${what} as a private key for ${auth.algorithm}, PKCS #8 in PEM`,
      found: 'something else',
      next: 'Convert it with: openssl pkcs8 -topk8 -nocrypt',
      cause,
    });
  });
  const seconds = Math.floor(now() / 1000);
  return new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: auth.algorithm, ...(auth.kid === undefined ? {} : { kid: auth.kid }) })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(auth.audience ?? tokenUrl)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .sign(key);
}

interface Asked {
  readonly subject: Subject | undefined;
  readonly now: number;
}

function tokenIn(answer: Answer, client: OAuthClient, { subject, now }: Asked): Made<string> {
  const read = bearerIn(answer);
  if (typeof read === 'string') throw failed(client, read);
  const { token, life = UNSAID_SECONDS } = read;
  // An endpoint that gives back what it got would make this a way to pass the caller's own token on.
  if (subject && token === subject.token) throw failed(client, 'the caller’s own token');
  const lifeMs = Math.min(life * 1000, (subject?.expires ?? Number.POSITIVE_INFINITY) - now);
  return { value: token, until: now + lifeMs - Math.min(MARGIN_MS, lifeMs / 3) };
}

export interface Bearer {
  readonly token: string;
  /** Seconds; undefined where the endpoint does not say. */
  readonly life: number | undefined;
  /** All that the endpoint said. */
  readonly said: Readonly<Record<string, unknown>>;
}

/** The bearer token that an endpoint gave; or what was found in its place. */
export function bearerIn({ status, body }: Answer): Bearer | string {
  const said = objectIn(body);
  if (status !== 200) return `status ${status}${wordOf(said.error)}`;
  const { access_token: token, token_type: type, expires_in: life } = said;
  const issued = said.issued_token_type ?? ACCESS_TOKEN;
  if (typeof token !== 'string' || !TOKEN.test(token)) return 'an answer without a token';
  const isBearer = typeof type === 'string' && type.toLowerCase() === 'bearer';
  if (!isBearer || (issued !== ACCESS_TOKEN && issued !== JWT)) return 'a token of another kind';
  if (life !== undefined && !(typeof life === 'number' && life > 0)) return 'a token without a life';
  return { token, life: life as number | undefined, said };
}

/** An answer of an endpoint; empty where it is no object. */
export function objectIn(body: Buffer): Record<string, unknown> {
  try {
    const value = parseStrict(body, { lenient: true });
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** An endpoint's error code, of RFC 6749's alphabet; its description could hold what was sent. */
export function wordOf(error: unknown): string {
  return typeof error === 'string' && /^[a-z_]{1,60}$/.test(error) ? `, ${error}` : '';
}

function failed({ tokenUrl }: OAuthClient, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('UPSTREAM_CREDENTIAL', {
    expected: `a bearer token of ${tokenUrl}`,
    found: quote(found, 300),
    next: 'Check the upstream configuration of the gateway and what the endpoint logged',
    cause,
  });
}
