/**
 * What a server says of whom it believes (RFC 9728), asked over the pinned connection to itself: nobody else can say it,
 * and no address that it names leads elsewhere.
 */
import { refusing } from '../../schemas/errors.ts';
import { SecureUrl } from '../../schemas/identity.ts';
import { isValid } from '../../schemas/validate.ts';
import { objectIn } from '../identity/oauth.ts';
import type { Channel } from '../remote/channel.ts';
import { question } from '../remote/question.ts';
import { type Challenge, scopesIn } from './challenge.ts';
import { told } from './words.ts';

export interface Resource {
  /** What tokens are asked for, letter by letter as it was published. */
  readonly resource: string;
  readonly issuers: readonly string[];
  /** Null where it names none. */
  readonly scopes: readonly string[] | null;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
const MAX_ISSUERS = 10;
const invalid = refusing(
  'METADATA_INVALID',
  'Nothing was asked of anybody it names; tell the operator of the server',
);

/** Throws METADATA_INVALID: what is not of this very server, or says it in two ways, is not believed. */
export async function resourceOf(
  channel: Channel,
  url: string,
  challenge: Challenge | null,
): Promise<Resource> {
  const headers = { accept: 'application/json' };
  for (const path of placesOf(url, challenge)) {
    const { status, body } = await question(channel, { method: 'GET', path, headers }, 'body');
    if (status === 404 && challenge?.metadata == null) continue;
    if (status !== 200) throw invalid(`what ${url} says of who may sign people in`, `status ${status}`);
    return read(url, objectIn(body));
  }
  throw invalid(`${url} to say who signs people in for it (${WELL_KNOWN})`, 'that it says nothing of it');
}

function placesOf(url: string, challenge: Challenge | null): string[] {
  const { origin, pathname } = new URL(url);
  const named = challenge?.metadata ?? null;
  if (named === null) {
    const path = pathname.replace(/\/+$/, '');
    return [...new Set([`${WELL_KNOWN}${path}`, WELL_KNOWN])];
  }
  const at = URL.canParse(named) ? new URL(named) : null;
  // Elsewhere would be an address that the server has this machine ask, and an answer that the pins do not hold.
  if (at?.origin !== origin || at.username !== '' || at.password !== '')
    throw invalid(`metadata of ${url} at ${origin}`, told(named));
  return [`${at.pathname}${at.search}`];
}

function read(url: string, said: Record<string, unknown>): Resource {
  const { resource, authorization_servers: issuers, scopes_supported: scopes } = said;
  if (typeof resource !== 'string' || !isPartOf(url, resource))
    throw invalid(
      `metadata of ${url}`,
      `metadata of ${typeof resource === 'string' ? told(resource) : 'no address'}`,
    );
  if (!Array.isArray(issuers) || issuers.length === 0 || issuers.length > MAX_ISSUERS)
    throw invalid(`one to ${MAX_ISSUERS} authorization servers of ${url}`, 'another number of them');
  if (!issuers.every((one) => typeof one === 'string' && /^https?:\/\/[!-~]{1,500}$/.test(one)))
    throw invalid(`addresses of authorization servers of ${url}`, 'something else');
  const list = scopes === undefined ? null : scopesIn(Array.isArray(scopes) ? scopes.join(' ') : '"');
  if (scopes !== undefined && list === null) throw invalid(`a list of scopes of ${url}`, 'something else');
  return { resource, issuers, scopes: list };
}

/** The address itself, or a path above it at the same origin: never another server. */
function isPartOf(url: string, resource: string): boolean {
  if (!isValid(SecureUrl, resource) || !URL.canParse(resource)) return false;
  const [at, whole] = [new URL(url), new URL(resource)];
  if (whole.origin !== at.origin || whole.username !== '' || whole.password !== '' || whole.hash !== '')
    return false;
  if (whole.search !== '') return false;
  const [path, above] = [at.pathname, whole.pathname].map((text) => `${text.replace(/\/+$/, '')}/`);
  return (path ?? '').startsWith(above ?? '/');
}
