/**
 * The keys of one issuer, kept. Asked for at most once at a time and once in the cool-down; used for `freshMs` without
 * asking, for `staleMs` more while nobody answers, and then no longer.
 */
import { type CompactJWSHeaderParameters, type CryptoKey, createLocalJWKSet, errors, type JWK } from 'jose';
import { isObject, type Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';

export interface KeysSetting {
  readonly issuer: string;
  readonly load: () => Promise<Json>;
  readonly freshMs: number;
  readonly staleMs: number;
  readonly coolMs: number;
  readonly now: () => number;
  /** Told of each question that failed. */
  readonly onTrouble: (error: LockkeeperError) => void;
}

export interface IssuerKeys {
  /** The one key for a header. Throws TOKEN_INVALID where there is none, IDENTITY_UNVERIFIED where nobody can tell. */
  find(header: CompactJWSHeaderParameters): Promise<CryptoKey>;
  /** Changes when the keys do. Throws IDENTITY_UNVERIFIED as `find` does. */
  generation(): Promise<string>;
}

interface Kept {
  readonly pick: (header: CompactJWSHeaderParameters) => Promise<CryptoKey>;
  readonly digest: string;
  readonly at: number;
}

const MAX_KEYS = 100;

export function openKeys(setting: KeysSetting): IssuerKeys {
  const { issuer, now, freshMs, staleMs, coolMs } = setting;
  let kept: Kept | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let flight: Promise<void> | null = null;
  let trouble = 'no answer yet';

  const load = async (): Promise<void> => {
    try {
      kept = { ...keySet(await setting.load()), at: now() };
    } catch (cause) {
      trouble = cause instanceof LockkeeperError ? cause.found : (cause as Error).message;
      setting.onTrouble(unverified(issuer, trouble));
    }
  };
  /** Waits for the question that is out, asks when it may, or leaves it. */
  const refresh = async (): Promise<void> => {
    if (!flight) {
      // A clock that went back counts as cooled down.
      if (Math.abs(now() - askedAt) < coolMs) return;
      askedAt = now();
      flight = load().finally(() => {
        flight = null;
      });
    }
    await flight;
  };
  const within = (most: number): Kept | null => {
    const age = kept ? now() - kept.at : -1;
    return age >= 0 && age < most ? kept : null;
  };
  const current = async (): Promise<Kept> => {
    const fresh = within(freshMs);
    if (fresh) return fresh;
    await refresh();
    const usable = within(freshMs + staleMs);
    if (usable) return usable;
    throw unverified(issuer, trouble);
  };
  return {
    generation: async () => (await current()).digest,
    find: async (header) => {
      const before = await current();
      const found = await before.pick(header).catch(orNone);
      if (found) return found;
      await refresh();
      const after = await current();
      const again = after === before ? null : await after.pick(header).catch(orNone);
      if (again) return again;
      throw new LockkeeperError('TOKEN_INVALID', {
        expected: `a token signed by a key of ${issuer}`,
        found: `the key ${quote(header.kid ?? '(not named)', 100)}, which is not one of them`,
        next: 'Get a new token from the issuer',
      });
    },
  };
}

function orNone(error: unknown): null {
  if (error instanceof errors.JWKSNoMatchingKey) return null;
  throw error;
}

/** Public keys for signatures alone; what else stands in a set is left aside. */
function keySet(value: Json): Pick<Kept, 'pick' | 'digest'> {
  const list = (value as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list)) throw new Error('no key set');
  const keys = list.filter(isPublic);
  if (keys.length === 0) throw new Error('a key set without a public key');
  if (keys.length > MAX_KEYS) throw new Error(`a key set of more than ${MAX_KEYS} keys`);
  const pick = createLocalJWKSet({ keys });
  return { pick: (header) => pick(header), digest: sha256(JSON.stringify(keys)) };
}

function isPublic(key: unknown): key is JWK {
  if (!isObject(key)) return false;
  const { kty, d, k } = key as JWK;
  return (kty === 'RSA' || kty === 'EC' || kty === 'OKP') && d === undefined && k === undefined;
}

function unverified(issuer: string, found: string): LockkeeperError {
  return new LockkeeperError('IDENTITY_UNVERIFIED', {
    expected: `the keys of ${issuer}`,
    found: quote(found, 300),
    next: 'Check that the issuer can be reached from here, and try again',
  });
}
