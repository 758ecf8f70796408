/** What a person signed in for, shown to that server over its pinned connections, for that person alone. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Reply } from '../remote/head.ts';
import type { Credentials } from '../remote/requests.ts';
import type { Dial } from '../remote/tls.ts';
import { tokenFrom } from './authorization.ts';
import { challengeIn } from './challenge.ts';
import { held } from './flow.ts';
import { type Grant, type Grants, type Where, whereOf } from './grants.ts';
import { optionOf, told } from './words.ts';

export interface SignedIn {
  readonly grants: Grants;
  readonly registry: string;
  readonly launch: Dial['launch'];
  /** As `lk login --server` takes it. */
  readonly alias: string;
  readonly now: () => Date;
}

/** So long before its end a token is no longer used, ms. */
const MARGIN_MS = 30_000;
/** A token that is turned down within so long is not renewed: the next one would be as new, and no better. */
const NEW_MS = 60_000;

/**
 * Nothing is shown before the person signed in. A token that ended or was turned down is renewed, if it can be; for a
 * server that turns down all of them, once a minute.
 */
export function signedInCredentials(setting: SignedIn): Credentials {
  const { grants, registry, launch, alias, now } = setting;
  const where = whereOf(registry, launch);
  let shown: Grant | null = null;
  let turnedDown: string | null = null;
  const isOver = ({ access, until }: Grant): boolean =>
    access === turnedDown || (until !== null && Date.parse(until) - MARGIN_MS <= now().getTime());
  const isNew = ({ since }: Grant): boolean => {
    const age = now().getTime() - Date.parse(since);
    return age >= 0 && age < NEW_MS;
  };
  return {
    headers: async () => {
      const kept = await grants.of(where);
      shown = kept && isOver(kept) ? await renewed(setting, where, isOver) : kept;
      return shown === null ? {} : { authorization: `Bearer ${shown.access}` };
    },
    forget: (status) => {
      if (shown === null || status !== 401 || isNew(shown)) return false;
      turnedDown = shown.access;
      return shown.refresh !== undefined;
    },
    refusal: (reply) => needed(alias, shown && { ...shown, isNew: isNew(shown) }, reply),
  };
}

/** One process renews at a time: whoever comes later finds what the first one got. */
function renewed(
  { grants, launch, alias, now }: SignedIn,
  where: Where,
  isOver: (grant: Grant) => boolean,
): Promise<Grant> {
  return grants.renew(where, async (grant) => {
    if (grant && !isOver(grant)) return grant;
    if (grant?.refresh === undefined) throw ended(alias);
    const { client, issuer, tokenUrl, resource, scopes, ca, refresh } = grant;
    const fields = { grant_type: 'refresh_token', refresh_token: refresh, resource };
    const from = { ca, reach: launch.reach };
    const given = await tokenFrom({ issuer, tokenUrl }, { client, fields }, from).catch((error: unknown) => {
      throw error instanceof LockkeeperError && error.code === 'SIGN_IN_INVALID'
        ? ended(alias, error)
        : error;
    });
    return { ...grant, refresh, ...held(given, scopes, now()) };
  });
}

function needed(
  alias: string,
  grant: (Grant & { readonly isNew: boolean }) | null,
  { status, header }: Reply,
): LockkeeperError {
  const challenge = challengeIn(header('www-authenticate'));
  const missing = challenge?.scopes.filter((scope) => !grant?.scopes.includes(scope)) ?? [];
  if (grant && status === 403 && missing.length === 0)
    return new LockkeeperError('REMOTE_REFUSED', {
      expected: 'what you signed in for to be enough',
      found: `HTTP ${status}`,
      next: 'Ask the operator of the server what your account there may do; signing in again changes nothing',
    });
  const isRenewed = grant?.isNew === true && status === 401;
  return new LockkeeperError('SIGN_IN_NEEDED', {
    expected: `a sign-in of yours that ${alias} takes`,
    found: grant
      ? `HTTP ${status} to the one there is${isRenewed ? ', given within the last minute' : ''}`
      : 'none',
    words: missing.length > 0 ? `asking for ${told(missing.join(' '))}${scopesAs(missing)}` : undefined,
    next: `Run: lk login --server ${alias}${isRenewed ? '. If the server turns that down as well, ask its operator which sign-ins it takes' : ''}`,
  });
}

/** As options of the command; what means more than itself in a shell is no option. */
function scopesAs(scopes: readonly string[]): string {
  const options = scopes.map((scope) => optionOf('scope', scope)).join('');
  return options === '' ? '' : `, to be added as${options}`;
}

function ended(alias: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('SIGN_IN_NEEDED', {
    expected: `a sign-in of yours that ${alias} takes`,
    found: 'one that has ended',
    next: `Run: lk login --server ${alias}`,
    cause,
  });
}
