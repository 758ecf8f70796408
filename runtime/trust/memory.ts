/** What a machine remembers of a registry's roots, whatever project they came with. */
import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import {
  CLOCK_SKEW_MS,
  listed,
  personsWhoSigned,
  type ReadRoot,
  type RootEvidence,
  type RootPin,
  readRoot,
  type SeenRoot,
  short,
  type TrustedRoot,
} from './root.ts';

/** Every root of a registry that a machine believed: the newest, and by version the digest of each one's payload. */
export interface RootMemory {
  readonly newest: Envelope;
  readonly digests: Readonly<Record<string, string>>;
  /** When this machine first believed the newest; not in what older versions of this program wrote. */
  readonly since?: string | undefined;
  /** When a person began it anew, if ever: locks seen before that are of another registry. */
  readonly began?: string | undefined;
}

/** A root that was verified from a pin, with all that was shown of the ones before it. */
export interface Shown {
  readonly evidence: RootEvidence;
  readonly trusted: Pick<TrustedRoot, 'chain'>;
}

/**
 * 1 no root is another one than before, 2 later ones follow the newest, 3 an older one is one that was believed.
 * Throws ROOT_FORK, ROOT_UNTRUSTED or ROOT_ROLLBACK.
 */
export function assertRemembered({ evidence, trusted }: Shown, memory: RootMemory): void {
  for (const envelope of trusted.chain) {
    const { version } = readRoot(envelope).root;
    const known = digestKnown(memory, version);
    if (known === undefined || known === payloadDigest(envelope)) continue;
    throw new LockkeeperError('ROOT_FORK', {
      expected: `root version ${version} with the digest ${short(known)}, as this machine believed it before`,
      found: `another one, ${short(payloadDigest(envelope))}`,
      next: 'Keep both and tell your security team; if the registry was rebuilt on purpose: lk login URL --code CODE --new-root',
    });
  }
  assertFollowing(evidence, memory.newest);
  const newest = readRoot(memory.newest).root.version;
  const { version } = readRoot(evidence.root).root;
  // A key of before could make one that was never seen.
  if (version < newest && digestKnown(memory, version) === undefined)
    throw rollback(`root version ${newest} or newer, or one believed before that`, `version ${version}`);
}

/**
 * The older root of a lock counts for what was signed before this machine knew its successor: the registry signs under
 * the newest alone, and what is dated back is over soon. Throws ROOT_ROLLBACK.
 */
export function assertOfItsTime(
  { rootVersion, issuedAt }: { rootVersion: number; issuedAt: string },
  memory: RootMemory,
): void {
  const { root } = readRoot(memory.newest);
  const since = memory.since ?? root.issuedAt;
  if (rootVersion >= root.version || Date.parse(issuedAt) <= Date.parse(since) + CLOCK_SKEW_MS) return;
  throw rollback(
    `root version ${root.version}, which this machine knows since ${since}`,
    `version ${rootVersion} under a lock of ${issuedAt}`,
  );
}

/** What is remembered from now on, of roots that were asserted to go with what is there. */
export function remembering({ chain }: Shown['trusted'], memory: RootMemory | null, now: Date): RootMemory {
  const newest = memory ? readRoot(memory.newest).root.version : 0;
  // Beside a newest one that is known, only what follows it is proven.
  const added = chain
    .map((envelope) => ({ envelope, version: readRoot(envelope).root.version }))
    .filter(({ version }) => version > newest);
  const last = added.at(-1);
  if (last === undefined && memory) return memory;
  if (last === undefined) throw new Error('no root to remember');
  const digests = Object.fromEntries(
    added.map(({ envelope, version }) => [`${version}`, payloadDigest(envelope)]),
  );
  return {
    ...memory,
    newest: last.envelope,
    digests: { ...digests, ...memory?.digests },
    since: now.toISOString(),
  };
}

/** As a project remembers it: who pinned other keys since said by hand where to begin. Throws as `assertFollowing`. */
export function assertContinues(evidence: RootEvidence, seen: SeenRoot, pin: RootPin): void {
  if (isDeepStrictEqual(pinOf(pin), pinOf(seen.pin))) assertFollowing(evidence, seen.root);
}

/**
 * A pinned key may be one that was retired since: who saw a root goes on from that one. Each later root at hand is
 * signed by the one before it, the one seen first; another text under the version seen is a fork, and one that is
 * reached over a gap is unproven. Keys count whatever their own dates say, for a machine may wake up late.
 * Throws ROOT_FORK or ROOT_UNTRUSTED.
 */
function assertFollowing({ root, rootChain }: RootEvidence, seen: Envelope): void {
  const first = readRoot(seen);
  let before = first;
  for (const one of [...rootChain, root].map(readRoot)) {
    // What is older than the one seen says nothing; all else goes up, so that none hides behind a later one.
    if (one.root.version < first.root.version || one.envelope.payload === before.envelope.payload) continue;
    const signed = whoSigned(one, before);
    if (one.root.version <= before.root.version || signed.size < before.root.roles.root.threshold)
      throw unlinked(before, one, signed);
    before = one;
  }
}

function whoSigned(one: ReadRoot, before: ReadRoot): Set<string> {
  const keys = new Map<string, KeyObject>();
  for (const keyid of before.root.roles.root.keyids) {
    const key = before.table.get(keyid)?.key;
    if (key) keys.set(keyid, key);
  }
  return personsWhoSigned(one.envelope, keys, before);
}

function unlinked(before: ReadRoot, one: ReadRoot, signed: ReadonlySet<string>): LockkeeperError {
  const { version, roles } = before.root;
  const gap = one.root.version > version + 1;
  return new LockkeeperError(gap ? 'ROOT_UNTRUSTED' : 'ROOT_FORK', {
    expected: `what follows root version ${version}, signed by ${roles.root.threshold} of its root keys`,
    found: `root version ${one.root.version} signed by ${listed(signed)}`,
    next: gap
      ? 'Show the roots between: lk keys root follow, or in a bundle lk export bundle FILE --pin OLD-PIN'
      : 'Keep both and tell your security team; if the registry was rebuilt on purpose: lk login URL --code CODE --new-root',
  });
}

function rollback(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('ROOT_ROLLBACK', { expected, found, next: 'Run: lk lock' });
}

function digestKnown({ digests }: RootMemory, version: number): string | undefined {
  return Object.hasOwn(digests, `${version}`) ? digests[`${version}`] : undefined;
}

function payloadDigest({ payload }: Envelope): string {
  return sha256(Buffer.from(payload, 'base64'));
}

function pinOf({ rootKeys, threshold }: RootPin): unknown {
  return { rootKeys: [...rootKeys].sort(), threshold };
}
