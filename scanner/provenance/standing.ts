/** What is known of one signature: it holds, it does not, there is none, or nobody can say. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Builder, type Provenance, RANKS, type Rank } from '../../schemas/origin.ts';

export type Standing<T> =
  | { readonly state: 'held'; readonly value: T }
  | { readonly state: 'broken'; readonly code: string; readonly message: string }
  /** A fact: who would give it has none. */
  | { readonly state: 'absent'; readonly note: string }
  | { readonly state: 'unknown'; readonly reason: string };

/** A build as its certificate tells it. */
export interface Built {
  readonly builder: Builder;
  readonly runner: string | null;
  readonly trigger: string | null;
}

/** All that is signed of one package version, verified offline. */
export interface Attested {
  /** By the package registry, over name, version and bytes. */
  readonly signature: Standing<{ readonly keyids: readonly string[] }>;
  /** That these bytes were published under this name; a certificate's where a workflow signed it. */
  readonly publish: Standing<{ readonly at: string | null; readonly built: Built | null }>;
  /** That a build of a repository's commit made these bytes. */
  readonly build: Standing<Built>;
  /** Repositories that the package's own files name as its own, as `https://host/owner/name`. */
  readonly claimed: readonly string[];
  /** The commit that the registry says it was published from; unsigned. */
  readonly commit: string | null;
}

export const held = <T>(value: T): Standing<T> => ({ state: 'held', value });
export const absent = (note: string): Standing<never> => ({ state: 'absent', note });
export const notKnown = (reason: string): Standing<never> => ({ state: 'unknown', reason });

/** What a verification comes to. A trust file that cannot be used says nothing about the signature. */
export function standingOf<T>(verify: () => Standing<T>): Standing<T> {
  try {
    return verify();
  } catch (error) {
    if (!(error instanceof LockkeeperError)) throw error;
    const { code, expected, found } = error;
    const message = `expected ${expected}; found ${found}`;
    if (code === 'ROOT_UNTRUSTED' || code === 'CONFIG_INVALID') return notKnown(message);
    return code === 'PROVENANCE_MISSING' ? absent(error.found) : { state: 'broken', code, message };
  }
}

/** Whoever built it, by the strongest of what holds. */
export function builtIn({ build, publish }: Attested): Built | null {
  if (build.state === 'held') return build.value;
  return publish.state === 'held' ? publish.value.built : null;
}

/** Does a build's repository stand among those that the package names? Hosts treat letter case alike. */
export function isBound({ builder }: Built, claimed: readonly string[]): boolean {
  const own = builder.repository?.toLowerCase();
  return own !== undefined && claimed.some((one) => one.toLowerCase() === own);
}

/** The highest rank that holds; null where nothing holds and something is not known. */
export function rankOf({ signature, publish, build, claimed }: Attested): Rank | null {
  if (build.state === 'held') return isBound(build.value, claimed) ? 'bound-provenance' : 'provenance';
  if (publish.state === 'held') return 'publish-attestation';
  if (signature.state === 'held') return 'registry-signature';
  return [signature, publish, build].some(({ state }) => state === 'unknown') ? null : 'none';
}

export function summaryOf(attested: Attested): Provenance | null {
  const rank = rankOf(attested);
  return rank === null ? null : { rank, builder: builtIn(attested)?.builder ?? null };
}

/** Below zero: the first is less. */
export function compareRanks(a: Rank, b: Rank): number {
  return RANKS.indexOf(a) - RANKS.indexOf(b);
}

export const RANK_WORDS: Readonly<Record<Rank, string>> = {
  none: 'nothing signed',
  'registry-signature': "the registry's signature",
  'publish-attestation': 'a publish attestation',
  provenance: 'provenance of a build',
  'bound-provenance': 'provenance of a build of its own repository',
};
