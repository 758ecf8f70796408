/**
 * The identity provider, asked by the registry itself: what it says of people goes from it to here and through nobody's
 * hands. Questions are bounded, and no redirect is followed.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ask } from '../../runtime/identity/http.ts';
import { endpointOf, isAnswerOf, issuerMetadata } from '../../runtime/identity/issuer.ts';
import { keeper } from '../../runtime/identity/kept.ts';
import { authOf, objectIn, wordOf } from '../../runtime/identity/oauth.ts';
import type { KeySetting } from '../../runtime/identity/signed.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { SignInConfig } from '../../schemas/sign-in.ts';

export interface Asked {
  readonly redirect: string;
  /** S256 of a verifier that whoever signs in keeps. */
  readonly challenge: string;
  readonly nonce: string;
  readonly state: string;
}

export interface DeviceGrant {
  readonly deviceCode: string;
  readonly code: string;
  readonly url: string;
  readonly intervalSeconds: number;
  readonly lifeSeconds: number;
}

export interface Given {
  readonly idToken: string;
  /** Opens what the provider says of the person, and nothing here. */
  readonly accessToken: string | null;
}

export interface Provider {
  /** That it is there, and says of itself what sign-ins take. */
  assertThere(): Promise<void>;
  /** Where a person's browser is sent. */
  authorizationUrl(asked: Asked): Promise<string>;
  /** What it gives for a code that came back. Throws SIGN_IN_INVALID where the provider does not take it. */
  redeem(
    code: string,
    asked: { redirect: string; verifier: string; iss: string | undefined },
  ): Promise<Given>;
  device(): Promise<DeviceGrant>;
  /** The same for a device code; null while the person has not answered. */
  poll(deviceCode: string): Promise<Given | null>;
  /** What it says of the person beside the ID token; nothing, where it has no place for that. */
  userinfo(given: Given): Promise<JsonObject>;
}

export interface ProviderSetting extends KeySetting {
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const FRESH_MS = 600_000;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const NEVER = ['invalid_grant', 'expired_token', 'access_denied'];
const BEARER = /^[A-Za-z0-9._~+/-]{1,16384}=*$/;
const WAITING = ['authorization_pending', 'slow_down'];
/** Of what a provider says for people to read and type, that much is passed on. */
const MAX_CODE = 100;

/** Asks nobody yet. Every method throws IDENTITY_UNVERIFIED while the provider does not answer as one. */
export async function openProvider(config: SignInConfig, setting: ProviderSetting): Promise<Provider> {
  const { issuer } = config;
  const ca = config.ca === undefined ? undefined : await readFile(resolve(setting.dir, config.ca), 'utf8');
  const kept = keeper<JsonObject>(setting.now, 1);
  const metadata = (): Promise<JsonObject> =>
    kept.get('', async () => ({
      value: await issuerMetadata(issuer, { ca }),
      until: setting.now() + FRESH_MS,
    }));
  const tell = (cause: Error): never => {
    throw unanswered(issuer, cause);
  };
  const endpoint = async (name: string): Promise<string> =>
    metadata()
      .then((said) => endpointOf(issuer, said, name))
      .catch(tell);
  const post = async (url: string, fields: Record<string, string>): Promise<Said> => {
    const shown = await shownBy(config, { url, setting });
    const form = new URLSearchParams({ ...fields, ...shown.fields });
    const { status, body } = await ask({ url, headers: shown.headers, form, ca }).catch(tell);
    return { status, said: objectIn(body) };
  };
  return {
    assertThere: async () => {
      await endpoint('authorization_endpoint');
      await endpoint('token_endpoint');
    },
    authorizationUrl: async (asked) => addressed(await endpoint('authorization_endpoint'), config, asked),
    redeem: async (code, { redirect, verifier, iss }) => {
      assertAnswered(config, await metadata().catch(tell), iss);
      const fields = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirect,
        code_verifier: verifier,
      };
      return givenIn(await post(await endpoint('token_endpoint'), fields), issuer);
    },
    device: async () => {
      const answer = await post(await endpoint('device_authorization_endpoint'), { scope: scopesOf(config) });
      try {
        return grantIn(answer, issuer);
      } catch (cause) {
        return tell(cause as Error);
      }
    },
    poll: async (deviceCode) => {
      const fields = { grant_type: DEVICE_GRANT, device_code: deviceCode };
      const answer = await post(await endpoint('token_endpoint'), fields);
      const waits = answer.status === 400 && WAITING.includes(String(answer.said.error));
      return waits ? null : givenIn(answer, issuer);
    },
    userinfo: async ({ accessToken }) => {
      const said = await metadata().catch(tell);
      if (accessToken === null || said.userinfo_endpoint === undefined) return {};
      const headers = { authorization: `Bearer ${accessToken}` };
      const { status, body } = await ask({ url: await endpoint('userinfo_endpoint'), headers, ca }).catch(
        tell,
      );
      return status === 200
        ? (objectIn(body) as JsonObject)
        : tell(new Error(`status ${status} to what it says of a person`));
    },
  };
}

interface Said {
  readonly status: number;
  readonly said: Record<string, unknown>;
}

/** A client without a secret names itself alone. */
async function shownBy(
  { clientId, clientAuth: auth }: SignInConfig,
  { url: tokenUrl, setting }: { url: string; setting: ProviderSetting },
): Promise<Awaited<ReturnType<typeof authOf>>> {
  if (!auth) return { headers: {}, fields: { client_id: clientId } };
  return authOf(
    { auth, clientId, tokenUrl },
    { ...setting, what: 'the secret of the identity provider’s client' },
  );
}

function scopesOf({ scopes = ['profile', 'email'] }: SignInConfig): string {
  return [...new Set(['openid', ...scopes])].join(' ');
}

function addressed(endpoint: string, config: SignInConfig, asked: Asked): string {
  const url = new URL(endpoint);
  const words = {
    response_type: 'code',
    client_id: config.clientId,
    scope: scopesOf(config),
    redirect_uri: asked.redirect,
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: asked.challenge,
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(words)) url.searchParams.set(name, value);
  return url.href;
}

function assertAnswered({ issuer }: SignInConfig, metadata: JsonObject, iss: string | undefined): void {
  if (isAnswerOf(issuer, metadata, iss)) return;
  throw invalid(
    `an answer of ${issuer}`,
    iss === undefined ? 'one that does not say whose it is' : quote(iss, 200),
  );
}

function givenIn({ status, said }: Said, issuer: string): Given {
  const { id_token: idToken, access_token: accessToken } = said;
  if (status === 200 && typeof idToken === 'string')
    return {
      idToken,
      accessToken: typeof accessToken === 'string' && BEARER.test(accessToken) ? accessToken : null,
    };
  if (status === 400 && NEVER.includes(String(said.error)))
    throw invalid(`a sign-in that ${issuer} completed`, `${said.error}, in its words`);
  throw unanswered(
    issuer,
    new Error(status === 200 ? 'an answer without an ID token' : `status ${status}${wordOf(said.error)}`),
  );
}

function grantIn({ status, said }: Said, issuer: string): DeviceGrant {
  const { device_code: deviceCode, user_code: code, expires_in: life, interval = 5 } = said;
  const texts = [deviceCode, code].every((text) => typeof text === 'string' && text !== '');
  const numbers = [life, interval].every((count) => typeof count === 'number' && count > 0);
  if (status !== 200 || !texts || !numbers)
    throw new Error(`status ${status}${wordOf(said.error)} to a device that asks for a code`);
  return {
    deviceCode: String(deviceCode),
    code: String(code).slice(0, MAX_CODE),
    url: endpointOf(issuer, said as JsonObject, 'verification_uri'),
    intervalSeconds: Math.min(Math.ceil(Number(interval)), 60),
    lifeSeconds: Number(life),
  };
}

export function invalid(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('SIGN_IN_INVALID', { expected, found, next: 'Sign in anew: lk login URL' });
}

function unanswered(issuer: string, cause: Error): LockkeeperError {
  return new LockkeeperError('IDENTITY_UNVERIFIED', {
    expected: `an answer of ${issuer}, where people sign in`,
    found: quote(cause instanceof LockkeeperError ? cause.found : cause.message, 300),
    next: 'Check that the registry reaches it, and the file that LOCKKEEPER_OIDC names; then try again',
    cause,
  });
}
