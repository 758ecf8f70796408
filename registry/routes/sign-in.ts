/**
 * Signing in: by a one-time code, or through the identity provider. That begins here, goes through the person's browser,
 * and ends here, once.
 */
import { randomBytes } from 'node:crypto';
import { NothingBody, SignInBody, type TokenView } from '../../schemas/api.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import { BeginBody, EndBody } from '../../schemas/sign-in.ts';
import type { Call, Handlers } from '../app.ts';
import { attempts, NOBODY } from '../auth.ts';
import { type Begun, begin, findBegun, mayPoll, personOfAccount, takeBegun } from '../db/identities.ts';
import { newToken, useCode } from '../db/people.ts';
import type { Deps } from '../deps.ts';
import { recordEvent } from '../log.ts';
import { type Vouched, verifyIdToken, withUserinfo } from '../oidc/id-token.ts';
import { type Oidc, providerOf } from '../oidc/open.ts';
import { isWhole } from '../oidc/person.ts';
import { type Given, invalid } from '../oidc/provider.ts';
import { signInAs } from '../oidc/sign-in.ts';
import { rolesByHand } from '../people.ts';

/** A person types a password and answers a second factor meanwhile. */
const BEGUN_SECONDS = 600;
/** A sign-in by code lasts a working week. */
const CODE_HOURS = 120;
const BEGINS_A_MINUTE = 30;
const FAILURES_A_MINUTE = 10;
/** The registry's own page, and a port of the person's own machine (RFC 8252): nobody else is told a code. */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):\d{1,5}\/[\w/-]{0,50}$/;

export function signInRoutes(deps: Deps): Handlers {
  const begins = attempts(BEGINS_A_MINUTE, 'sign-ins begun');
  const failures = attempts(FAILURES_A_MINUTE, 'failed sign-ins');
  const counted = ({ request }: Call): void => {
    begins.check(request.ip);
    begins.count(request.ip);
  };
  return {
    signInWays: async () => {
      const { oidc } = deps;
      return { provider: oidc ? { issuer: oidc.config.issuer, device: oidc.config.device === true } : null };
    },
    signInBegin: async (call) => {
      const { redirect, challenge, state } = call.body(BeginBody);
      const { provider } = providerOf(deps);
      assertRedirect(redirect, deps);
      counted(call);
      const nonce = randomBytes(32).toString('base64url');
      const url = await provider.authorizationUrl({ redirect, challenge, state, nonce });
      return { ...(await begun(deps, { nonce, redirect, deviceCode: null })), url };
    },
    signInDevice: async (call) => {
      call.body(NothingBody);
      const { provider, config } = providerOf(deps);
      if (config.device !== true) throw noDevices();
      counted(call);
      const { deviceCode, code, url, intervalSeconds: interval, lifeSeconds } = await provider.device();
      const seconds = Math.min(lifeSeconds, BEGUN_SECONDS);
      const made = await begun(deps, { nonce: null, redirect: null, deviceCode }, { seconds, interval });
      return { ...made, code, url, interval };
    },
    signIn: (call) => {
      const { code } = call.body(SignInBody);
      return counting(call, failures, () => byCode(code, { from: call.request.ip, deps }));
    },
    signInEnd: (call) => {
      const body = call.body(EndBody);
      const oidc = providerOf(deps);
      return counting(call, failures, () => end(body, { from: call.request.ip, oidc, deps }));
    },
  };
}

/** Whoever failed too often is not heard. */
async function counting<T>(
  { request: { ip } }: Call,
  failures: ReturnType<typeof attempts>,
  work: () => Promise<T>,
): Promise<T> {
  failures.check(ip);
  try {
    return await work();
  } catch (error) {
    if (isRefusal(error)) failures.count(ip);
    throw error;
  }
}

async function byCode(code: string, { from, deps }: Pick<Ending, 'from' | 'deps'>): Promise<TokenView> {
  const found = await useCode(deps.pool, code);
  try {
    if (!found)
      throw new LockkeeperError('CODE_INVALID', {
        expected: 'a code that was given out, not used and not too old',
        found: 'another',
        next: 'Ask for a new one; the registry prints its administrator’s at start',
      });
    const { person } = found;
    const roles = rolesByHand(found.roles, deps);
    const grant = await newToken(deps.pool, person, { roles, hours: CODE_HOURS });
    await recordEvent(deps.pool, { person, action: 'signed-in', subject: from });
    return { ...grant, person, roles };
  } catch (error) {
    if (isRefusal(error))
      await recordRefusal(deps, { from, person: found?.person, detail: { code: error.code } });
    throw error;
  }
}

async function recordRefusal(
  { pool }: Deps,
  { from, person = NOBODY.person, detail }: { from: string; person: string | undefined; detail: object },
): Promise<void> {
  await recordEvent(pool, { person, action: 'sign-in.refused', subject: from, detail });
}

/** What says something of who asked; a provider that is away, and a person who takes their time, do not. */
const REFUSALS: readonly Code[] = [
  'CODE_INVALID',
  'FORBIDDEN',
  'SIGN_IN_INVALID',
  'SIGN_IN_REFUSED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'IDENTITY_UNNAMED',
  'STATE_CONFLICT',
  'REQUEST_INVALID',
];

function isRefusal(error: unknown): error is LockkeeperError {
  return error instanceof LockkeeperError && REFUSALS.includes(error.code);
}

interface Ending {
  readonly from: string;
  readonly oidc: Oidc;
  readonly deps: Deps;
}

/** Whose account it was is found out last, so a refusal says it where it is known. */
async function end(body: Parts, ending: Ending): Promise<TokenView> {
  const { from, oidc, deps } = ending;
  let vouched: Vouched | null = null;
  try {
    const { given, nonce } = await givenFor(body, ending);
    vouched = await verifyIdToken(given.idToken, { ...oidc, nonce, now: oidc.now() });
    return await signInAs(withUserinfo(vouched, await wantedOf(vouched, oidc, given)), ending);
  } catch (error) {
    if (isRefusal(error)) {
      const known = vouched && (await personOfAccount(deps.pool, vouched));
      const about = vouched ? { issuer: vouched.issuer, subject: vouched.subject } : {};
      await recordRefusal(deps, { from, person: known?.person, detail: { code: error.code, ...about } });
    }
    throw error;
  }
}

/** Many providers put names and groups into the ID token; of the others they are asked for. */
async function wantedOf({ claims }: Vouched, { config, provider }: Oidc, given: Given): Promise<JsonObject> {
  return isWhole(claims, config) ? {} : provider.userinfo(given);
}

interface Parts {
  readonly id: string;
  readonly code?: string;
  readonly verifier?: string;
  readonly iss?: string;
}

/** What began is used up before the provider is asked: a code is tried once. A device asks until somebody answered. */
async function givenFor(
  { id, code, verifier, iss }: Parts,
  { oidc: { provider }, deps: { pool } }: Ending,
): Promise<{ given: Given; nonce: string | null }> {
  const open = await findBegun(pool, id);
  if (open?.deviceCode) {
    const given = (await mayPoll(pool, id)) ? await provider.poll(open.deviceCode) : null;
    if (given === null) throw pending();
    if (!(await takeBegun(pool, id))) throw unknown();
    return { given, nonce: null };
  }
  const taken = open && (await takeBegun(pool, id));
  if (!taken?.redirect) throw unknown();
  if (code === undefined || verifier === undefined)
    throw invalid('the code that came back, and the verifier of this sign-in', 'neither, or one of them');
  const { redirect, nonce } = taken;
  return { given: await provider.redeem(code, { redirect, verifier, iss }), nonce };
}

async function begun(
  { pool }: Deps,
  what: Begun,
  life: { seconds: number; interval?: number } = { seconds: BEGUN_SECONDS },
): Promise<{ id: string; expires: string }> {
  const made = await begin(pool, what, life);
  if (made) return made;
  throw new LockkeeperError('RATE_LIMITED', {
    expected: 'fewer sign-ins that began and did not end',
    found: 'too many of them',
    next: 'Wait a few minutes',
  });
}

function assertRedirect(redirect: string, { publicUrl }: Deps): void {
  if (redirect === `${publicUrl()}/` || LOOPBACK.test(redirect)) return;
  throw new LockkeeperError('REQUEST_INVALID', {
    expected: 'a way back to a port of 127.0.0.1, or to the page of this registry',
    found: 'one to another place',
    next: 'Sign in with: lk login URL',
  });
}

function unknown(): LockkeeperError {
  return invalid('a sign-in that began here, in the last ten minutes, and did not end', 'none of that name');
}

function pending(): LockkeeperError {
  return new LockkeeperError('SIGN_IN_PENDING', {
    expected: 'somebody to have typed the code at the identity provider',
    found: 'nobody yet',
    next: 'Ask again in a few seconds',
  });
}

function noDevices(): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected:
      'a provider that signs in by a code typed elsewhere, and "device": true in the file of LOCKKEEPER_OIDC',
    found: 'a registry that does not let people in so',
    next: 'Run lk login URL where there is a browser',
  });
}
