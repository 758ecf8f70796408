/**
 * A person signs in for one locked server: it is asked whom it believes, what it names is held against what the person
 * allowed, and only then is anybody else asked or anything opened.
 */
import { createHash, randomBytes } from 'node:crypto';
import { LockkeeperError } from '../../schemas/errors.ts';
import { isAnswerOf } from '../identity/issuer.ts';
import type { Bearer } from '../identity/oauth.ts';
import { assertSecureUrl } from '../identity/url.ts';
import { type Channel, openChannel } from '../remote/channel.ts';
import { question } from '../remote/question.ts';
import type { Dial } from '../remote/tls.ts';
import {
  type Authorization,
  authorizationOf,
  type From,
  knownClient,
  registered,
  tokenFrom,
} from './authorization.ts';
import { type Challenge, challengeIn, scopesIn } from './challenge.ts';
import { type Client, type Grant, whereOf } from './grants.ts';
import { type Resource, resourceOf } from './resource.ts';
import { optionOf, told } from './words.ts';

/** The browser of a person, and the way back from it. */
export interface Person {
  readonly redirect: string;
  /** Shows them this address; gives what came back in the state that this was opened with. */
  ask(url: string): Promise<{ readonly code: string; readonly iss: string | undefined }>;
  close(): void;
}

export interface Wish {
  readonly registry: string;
  readonly launch: Dial['launch'];
  readonly record: Dial['record'];
  /** The one authorization server that the person allows; without it nobody is asked. */
  readonly issuer: string | undefined;
  /** Scopes besides those that the server asks for. */
  readonly scopes: readonly string[];
  /** A client that is registered there; without it one registers itself. */
  readonly client: { readonly id: string; readonly secret?: string } | undefined;
  /** Authorities of the authorization server, in PEM. */
  readonly ca: string | undefined;
  /** What there was before. */
  readonly held: Grant | null;
  readonly now: () => Date;
  /** Opens the way back. */
  readonly open: (state: string) => Promise<Person>;
}

/** 43 characters, as RFC 7636 has them at least. */
const RANDOM_BYTES = 32;
const OFFLINE = 'offline_access';

/**
 * Throws ISSUER_UNNAMED, METADATA_INVALID, SIGN_IN_REFUSED, SIGN_IN_INVALID, UPSTREAM_CREDENTIAL and what the pinned
 * connection throws. What it gives is kept by whoever asked.
 */
export async function signInTo(wish: Wish): Promise<Grant> {
  // 1 whom the server believes, in its own words over its own connection
  const { resource, challenge } = await asked(wish);
  // 2 one that the person allowed, and no other
  const issuer = allowed(wish, resource);
  // 3 what that one says of itself
  const from: From = { ca: wish.ca, reach: wish.launch.reach };
  const at = await authorizationOf(issuer, from);
  const state = random();
  const person = await wish.open(state);
  try {
    // 4 a client there: never one of another authorization server
    const { redirect } = person;
    const client = wish.client ? knownClient(at, wish.client) : await registered(at, redirect, from);
    // 5 the person decides
    const scopes = scopesOf(wish, { resource, challenge, at });
    const verifier = random();
    const url = addressOf(at, { client, redirect, state, verifier, scopes, resource: resource.resource });
    const { code, iss } = await person.ask(url);
    // 6 the answer is of whom was asked
    if (!isAnswerOf(issuer, at.metadata, iss)) throw anothers(issuer, iss);
    // 7 the code is good for a token with the verifier alone
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirect,
      code_verifier: verifier,
      resource: resource.resource,
    };
    const given = await tokenFrom(at, { client, fields }, from);
    return grantOf(wish, { at, client, resource, scopes, given });
  } finally {
    person.close();
  }
}

async function asked(wish: Wish): Promise<{ resource: Resource; challenge: Challenge | null }> {
  const channel = await openChannel({ launch: wish.launch, record: wish.record });
  try {
    const challenge = await challengeOf(channel, wish.launch.url);
    return { challenge, resource: await resourceOf(channel, wish.launch.url, challenge) };
  } finally {
    await channel.destroy();
  }
}

/** What the server says to a question that shows nothing: most want to know who asks before they look at it. */
async function challengeOf(channel: Channel, url: string): Promise<Challenge | null> {
  const headers = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': '2025-11-25',
  };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }));
  const path = new URL(url).pathname;
  const reply = await question(channel, { method: 'POST', path, headers, body }, 'head');
  if (reply.status !== 401 && reply.status !== 403) return null;
  return challengeIn(reply.header('www-authenticate'));
}

function allowed({ issuer, launch }: Wish, { issuers }: Resource): string {
  if (issuer !== undefined && issuers.includes(issuer)) {
    assertSecureUrl(issuer, 'an authorization server');
    return issuer;
  }
  const [first = ''] = issuers;
  const named = issuers.map(told).join(', ');
  throw new LockkeeperError('ISSUER_UNNAMED', {
    expected:
      issuer === undefined
        ? `an authorization server that you allow for ${launch.url}`
        : `${launch.url} to name the authorization server ${told(issuer)}`,
    found: `that it names ${named}`,
    next: `If that is whom you trust with your sign-in there, run it again with${optionOf('issuer', first) || ' --issuer and its address'}; nobody was asked`,
  });
}

interface Found {
  readonly resource: Resource;
  readonly challenge: Challenge | null;
  readonly at: Authorization;
}

/** What the server asks for, else all that it knows of; what was held before stays, so that more is never less. */
function scopesOf({ scopes, held, launch }: Wish, { resource, challenge, at }: Found): string[] {
  const wanted = challenge?.scopes.length ? challenge.scopes : (resource.scopes ?? []);
  const before = held?.issuer === at.issuer && held.url === launch.url ? held.scopes : [];
  const chosen = scopes.length > 0 ? scopes : wanted;
  const offline = at.scopes.includes(OFFLINE) ? [OFFLINE] : [];
  return [...new Set([...before, ...chosen, ...offline])];
}

interface Question {
  readonly client: Client;
  readonly redirect: string;
  readonly state: string;
  readonly verifier: string;
  readonly scopes: readonly string[];
  readonly resource: string;
}

function addressOf({ authorizeUrl }: Authorization, asks: Question): string {
  const url = new URL(authorizeUrl);
  const words = {
    response_type: 'code',
    client_id: asks.client.id,
    redirect_uri: asks.redirect,
    state: asks.state,
    code_challenge: createHash('sha256').update(asks.verifier).digest('base64url'),
    code_challenge_method: 'S256',
    resource: asks.resource,
    ...(asks.scopes.length > 0 ? { scope: asks.scopes.join(' ') } : {}),
    // OpenID Connect gives what outlives the visit to those alone who were asked for it.
    ...(asks.scopes.includes(OFFLINE) ? { prompt: 'consent' } : {}),
  };
  for (const [name, value] of Object.entries(words)) url.searchParams.set(name, value);
  return url.href;
}

function grantOf(
  { registry, launch, ca, now }: Wish,
  {
    at,
    client,
    resource,
    scopes,
    given,
  }: Omit<Found, 'challenge'> & {
    readonly client: Client;
    readonly scopes: readonly string[];
    readonly given: Bearer;
  },
): Grant {
  return {
    ...whereOf(registry, launch),
    issuer: at.issuer,
    resource: resource.resource,
    tokenUrl: at.tokenUrl,
    client,
    ...(ca === undefined ? {} : { ca }),
    ...held(given, scopes, now()),
  };
}

/** What is kept of a token: RFC 6749 has the scopes told where they are not those that were asked for. */
export function held(
  { token, life, said }: Bearer,
  asked: readonly string[],
  now: Date,
): Pick<Grant, 'access' | 'since' | 'until' | 'scopes' | 'refresh'> {
  const told = typeof said.scope === 'string' ? scopesIn(said.scope) : null;
  const refresh = said.refresh_token;
  const isToken = typeof refresh === 'string' && /^[!-~]{1,16384}$/.test(refresh);
  return {
    access: token,
    since: now.toISOString(),
    until:
      life === undefined ? null : new Date(now.getTime() + Math.min(life, MAX_LIFE) * 1000).toISOString(),
    scopes: told ?? [...asked],
    ...(isToken ? { refresh } : {}),
  };
}

/** Seconds: a year. */
const MAX_LIFE = 31_536_000;

function anothers(issuer: string, iss: string | undefined): LockkeeperError {
  return new LockkeeperError('SIGN_IN_INVALID', {
    expected: `an answer of ${issuer}`,
    found: iss === undefined ? 'one that does not say whose it is' : told(iss),
    next: 'The code went to nobody. Sign in again: lk login --server NAME',
  });
}

function random(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url');
}
