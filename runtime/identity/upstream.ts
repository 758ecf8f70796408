/** What the gateway shows to each server: a secret of its own, or a token made for it. Never what a caller came with. */
import { createHash } from 'node:crypto';
import { LockkeeperError } from '../../schemas/errors.ts';
import { UpstreamConfig, type UpstreamCredential } from '../../schemas/upstream.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Caller } from '../gate/caller.ts';
import { type Subject, subjectOf } from './identified.ts';
import { keeper } from './kept.ts';
import { readSecret, type SecretSetting } from './secret.ts';
import { seldom } from './trouble.ts';

type Headers = Readonly<Record<string, string>>;

export interface Upstream {
  /** Whether it has a credential for this server. */
  has(alias: string): boolean;
  /** None for a server that has no credential. Throws UPSTREAM_CREDENTIAL: the call is not made without it. */
  headersFor(alias: string, caller: Caller): Promise<Headers>;
  /** What the server refused is read or asked for anew, if it is not of the last 5 seconds. Whether there is a credential. */
  forget(alias: string): boolean;
}

export interface UpstreamSetting {
  /** Folder that paths are relative to. */
  readonly dir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** The servers that there are: a credential for another one refuses to start. */
  readonly aliases: readonly string[];
  /** Told why there was no credential, with places that callers are not told. */
  readonly onTrouble: (error: LockkeeperError) => void;
}

interface Way {
  headers(caller: Caller): Promise<Headers>;
  forget(): void;
}

/** A static secret is read again after so long. */
const STATIC_MS = 60_000;
const MAX_CALLERS = 10_000;
const HEADER_VALUE = /^[ -~]{1,16384}$/;

/**
 * Reads every secret once: a missing one refuses to start. Throws CONFIG_INVALID, SECRET_MISSING or SECRET_UNUSABLE.
 * No token is asked for yet.
 */
export async function openUpstream(config: unknown, setting: UpstreamSetting): Promise<Upstream> {
  const checked = assertValid(UpstreamConfig, config, 'the upstream configuration', 'CONFIG_INVALID');
  const onTrouble = seldom(setting.onTrouble, () => setting.now().getTime());
  const ways = new Map<string, Way>();
  for (const [alias, credential] of Object.entries(checked)) {
    if (!setting.aliases.includes(alias)) throw unknownServer(alias, setting.aliases);
    ways.set(alias, await openWay(alias, credential, setting));
  }
  return {
    has: (alias) => ways.has(alias),
    headersFor: async (alias, caller) => {
      try {
        return (await ways.get(alias)?.headers(caller)) ?? {};
      } catch (error) {
        if (!(error instanceof LockkeeperError)) throw error;
        onTrouble(error);
        throw error.code === 'UPSTREAM_CREDENTIAL' ? error : unreadable(alias, error);
      }
    },
    forget: (alias) => {
      ways.get(alias)?.forget();
      return ways.has(alias);
    },
  };
}

async function openWay(
  alias: string,
  credential: UpstreamCredential,
  setting: UpstreamSetting,
): Promise<Way> {
  const now = (): number => setting.now().getTime();
  const secret: SecretSetting = { ...setting, what: `the secret for ${alias}` };
  const kept = keeper<Headers>(now, MAX_CALLERS);
  const { forget } = kept;
  if (credential.kind === 'header') {
    const read = async () => ({ value: await staticHeader(credential, secret), until: now() + STATIC_MS });
    await kept.get('', read);
    return { headers: () => kept.get('', read), forget };
  }
  const { openTokenEndpoint } = await import('./oauth.ts');
  const endpoint = await openTokenEndpoint(credential, { ...secret, now });
  const ask = async (subject?: Subject) => {
    const { value, until } = await endpoint.token(subject);
    return { value: { authorization: `Bearer ${value}` }, until };
  };
  if (credential.kind !== 'token-exchange') return { headers: () => kept.get('', () => ask()), forget };
  return {
    headers: async (caller) => {
      const subject = subjectFor(alias, caller, { issuer: credential.issuer, now: now() });
      // By the very token: one that may less never gets what one that might more was given.
      return kept.get(createHash('sha256').update(subject.token).digest('base64'), () => ask(subject));
    },
    forget,
  };
}

async function staticHeader(
  { name, prefix = '', secret }: Extract<UpstreamCredential, { kind: 'header' }>,
  setting: SecretSetting,
): Promise<Headers> {
  const value = prefix + (await readSecret(secret, setting));
  if (HEADER_VALUE.test(value)) return { [name.toLowerCase()]: value };
  throw new LockkeeperError('SECRET_UNUSABLE', {
    expected: `${setting.what} as one line of ASCII for the header ${name}`,
    found: 'other characters in it',
    next: 'Put the secret alone there',
  });
}

/** A token goes to the endpoint of its own issuer's house, and to no other. */
function subjectFor(
  alias: string,
  caller: Caller,
  { issuer, now }: { issuer: string; now: number },
): Subject {
  const subject = subjectOf(caller);
  if (subject && subject.issuer === issuer && subject.expires > now) return subject;
  throw new LockkeeperError('UPSTREAM_CREDENTIAL', {
    expected: `a caller with a valid token of ${issuer}, to exchange it for one that ${alias} takes`,
    found: subject
      ? `a token of ${subject.issuer}${subject.expires > now ? '' : ' that has ended'}`
      : `one known by ${caller.via}`,
    next: 'Call with such a token',
  });
}

function unreadable(alias: string, cause: LockkeeperError): LockkeeperError {
  return new LockkeeperError('UPSTREAM_CREDENTIAL', {
    expected: `the gateway to have its credential for ${alias}`,
    found: cause.code,
    next: 'Tell whoever keeps the gateway; its own output says why',
    cause,
  });
}

function unknownServer(alias: string, aliases: readonly string[]): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `credentials for the locked servers ${aliases.join(', ') || '(none)'} alone`,
    found: alias,
    next: 'Correct the alias in the upstream configuration, or lock the server',
  });
}
