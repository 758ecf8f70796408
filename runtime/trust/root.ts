/** Opening root.json: from a pinned set of root keys, along the chain, to the keys and persons behind every role. */
import type { KeyObject } from 'node:crypto';
import { type Envelope, readPublicKey, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError, refusing } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { ROOT_TYPE, type RoleName, Root, type RootIdentity, type RootKey } from '../../schemas/root.ts';
import { assertValid } from '../../schemas/validate.ts';
import { identityTable } from './identities.ts';

/** Five minutes of clock difference between registry and this machine are tolerated. */
export const CLOCK_SKEW_MS = 5 * 60_000;

/** What a project or an administrator pinned: the ids of the root keys, and how many of them must have signed. */
export interface RootPin {
  readonly rootKeys: readonly string[];
  readonly threshold: number;
}

/** A root and the earlier ones that lead to it from a pin, oldest first, each one version after the other. */
export interface RootEvidence {
  readonly root: Envelope;
  readonly rootChain: readonly Envelope[];
}

/** A root whose signatures, form and dates were checked. Keys outside their own dates are not in it. */
export interface TrustedRoot {
  readonly root: Root;
  /** From the one that the pin vouches for to this one: those that were verified, of all that were shown. */
  readonly chain: readonly Envelope[];
  keys(role: RoleName): ReadonlyMap<string, KeyObject>;
  /** The identity of this role that is called so, inside its dates. */
  identity(role: RoleName, keyid: string): RootIdentity | undefined;
  /** Whether a key or an identity of this role is called so. */
  holds(role: RoleName, keyid: string): boolean;
  personOf(keyid: string): string | undefined;
}

/** A root as it is written: form and key ids checked, no signature. */
export interface ReadRoot {
  readonly envelope: Envelope;
  readonly root: Root;
  readonly table: KeyTable;
  readonly identities: ReadonlyMap<string, RootIdentity>;
}

/**
 * Steps: 1 each root's payload type, form and key ids; 2 the oldest signed by the pinned keys; 3 each next one a version
 * later, signed by the one before it; 4 each signed by its own root keys; 5 the newest one's dates; 6 its promise of two
 * approvals. Thresholds count persons, as TUF (5.3) does keys. Throws ROOT_UNTRUSTED, ROOT_EXPIRED or DOCUMENT_INVALID.
 */
export function openRoot({ root, rootChain }: RootEvidence, pin: RootPin, now: Date): TrustedRoot {
  const newest = readRoot(root);
  const all = [...rootChain.map(readRoot), newest];
  // An older root had to hold when it was made; the newest has to hold now.
  const dateOf = (one: ReadRoot): Date => (one === newest ? now : new Date(one.root.issuedAt));
  // The chain may begin before what was pinned: who pinned a later root starts there.
  const chain = all.slice(
    all.findLastIndex((one) => pinnedWhoSigned(one, pin, dateOf(one)) >= pin.threshold),
  );
  let before: ReadRoot | null = null;
  for (const one of chain) {
    if (before === null) assertPinSigned(one, pin, dateOf(one));
    else assertFollows(before, one, dateOf(one));
    assertOwnThreshold(one, dateOf(one));
    before = one;
  }
  assertDates(newest.root, now);
  if (!newest.root.trial && newest.root.roles.approver.threshold < 2)
    throw untrusted(
      'a root that asks for two approvals, or says that it is a trial',
      'one that asks for one',
    );
  return trustedAt(
    newest,
    now,
    chain.map(({ envelope }) => envelope),
  );
}

/** A root as it counted at another time: for judging what was signed then. Whoever asks has verified its signatures. */
export function trustedAt(one: ReadRoot, at: Date, chain = [one.envelope]): TrustedRoot {
  const identity: TrustedRoot['identity'] = (role, keyid) => {
    const known = one.root.roles[role].keyids.includes(keyid) ? one.identities.get(keyid) : undefined;
    return known && isDated(known, at) ? known : undefined;
  };
  return {
    root: one.root,
    chain,
    keys: (role) => keysOfRole(one, { role, at }),
    identity,
    holds: (role, keyid) => keysOfRole(one, { role, at }).has(keyid) || identity(role, keyid) !== undefined,
    personOf: (keyid) => (one.table.get(keyid)?.entry ?? one.identities.get(keyid))?.person,
  };
}

/** Form and key ids alone. Throws ROOT_UNTRUSTED or DOCUMENT_INVALID. */
export function readRoot(envelope: Envelope): ReadRoot {
  if (envelope.payloadType !== ROOT_TYPE)
    throw untrusted(`the payload type ${ROOT_TYPE}`, envelope.payloadType);
  const root = assertValid(Root, parseStrict(Buffer.from(envelope.payload, 'base64')), 'root.json');
  return { envelope, root, table: keyTable(root), identities: identityTable(root) };
}

/** A pinned key counts while the root itself still says that it is one, and inside its own dates. */
function pinnedWhoSigned(one: ReadRoot, pin: RootPin, at: Date): number {
  const active = keysOfRole(one, { role: 'root', at });
  const pinned = new Map([...active].filter(([keyid]) => pin.rootKeys.includes(keyid)));
  return personsWhoSigned(one.envelope, pinned, one).size;
}

function assertPinSigned(one: ReadRoot, pin: RootPin, at: Date): void {
  const signed = pinnedWhoSigned(one, pin, at);
  if (signed >= pin.threshold) return;
  throw untrusted(
    `signatures of ${pin.threshold} of the pinned root keys ${pin.rootKeys.map(short).join(', ')}`,
    signed === 0 ? 'none of them' : `${signed}`,
  );
}

/** One version after the other: signed by the threshold of the one before it. */
export function assertFollows(before: ReadRoot, next: ReadRoot, at: Date): void {
  if (next.root.version !== before.root.version + 1)
    throw untrusted(
      `root version ${before.root.version + 1} after ${before.root.version}`,
      `version ${next.root.version}`,
    );
  const { threshold } = before.root.roles.root;
  const signed = personsWhoSigned(next.envelope, keysOfRole(before, { role: 'root', at }), before);
  if (signed.size >= threshold) return;
  throw untrusted(
    `root version ${next.root.version} signed by ${threshold} of the root keys of version ${before.root.version}`,
    listed(signed),
  );
}

/** What a machine accepted last, and what was pinned there then. */
export interface SeenRoot {
  readonly root: Envelope;
  readonly pin: RootPin;
}

/** What to pin of a verified root: of each holder the newest key, so that a person with two counts once. */
export function pinOfRoot({ keys, roles }: Root): { rootKeys: string[]; threshold: number } {
  const newest = new Map<string, RootKey>();
  for (const key of keys.filter(({ keyid }) => roles.root.keyids.includes(keyid))) {
    const other = newest.get(key.person);
    if (!other || Date.parse(other.notBefore) <= Date.parse(key.notBefore)) newest.set(key.person, key);
  }
  return { rootKeys: [...newest.values()].map(({ keyid }) => keyid), threshold: roles.root.threshold };
}

export function assertOwnThreshold(one: ReadRoot, at: Date): void {
  const { threshold } = one.root.roles.root;
  const signed = personsWhoSigned(one.envelope, keysOfRole(one, { role: 'root', at }), one);
  if (signed.size >= threshold) return;
  throw untrusted(
    `root version ${one.root.version} signed by ${threshold} of its own root keys`,
    listed(signed),
  );
}

export function listed(signed: ReadonlySet<string>): string {
  return signed.size === 0 ? 'none of them' : `${signed.size} (${[...signed].join(', ')})`;
}

/** Persons, not keys: two keys of one person are one. */
export function personsWhoSigned(
  envelope: Envelope,
  keys: ReadonlyMap<string, KeyObject>,
  { table }: ReadRoot,
): Set<string> {
  return new Set([...verifiedKeys(envelope, keys)].map((keyid) => table.get(keyid)?.entry.person ?? keyid));
}

function assertDates(root: Root, now: Date): void {
  // Written so that a date that is none counts as over.
  if (!(now.getTime() < Date.parse(root.expires))) {
    throw new LockkeeperError('ROOT_EXPIRED', {
      expected: `a root valid at ${now.toISOString()}`,
      found: `one that ended at ${root.expires}`,
      next: 'Ask the registry administrator for a new root, then run: lk lock',
    });
  }
  if (!(Date.parse(root.issuedAt) <= now.getTime() + CLOCK_SKEW_MS))
    throw untrusted(`a root issued before ${now.toISOString()}`, `one issued at ${root.issuedAt}`);
}

/** The first twelve hex digits of a digest or key id, as people compare them. */
export function short(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

const untrusted = refusing(
  'ROOT_UNTRUSTED',
  'If the registry was rebuilt on purpose, pin its new root with: lk login; otherwise treat this as an attack',
);

type KeyTable = ReadonlyMap<string, { key: KeyObject; entry: RootKey }>;

function keyTable(root: Root): KeyTable {
  const table = new Map<string, { key: KeyObject; entry: RootKey }>();
  for (const entry of root.keys) {
    const { key, keyid } = readPublicKey(entry.publicKey);
    if (table.has(keyid)) throw untrusted('each key once', `key ${short(keyid)} twice`);
    if (keyid !== entry.keyid)
      throw untrusted(`key ${entry.keyid} of ${entry.person}`, `a public key whose id is ${keyid}`);
    table.set(keyid, { key, entry });
  }
  return table;
}

function keysOfRole(
  { root, table }: ReadRoot,
  { role, at }: { role: RoleName; at: Date },
): ReadonlyMap<string, KeyObject> {
  const found = new Map<string, KeyObject>();
  for (const keyid of root.roles[role].keyids) {
    const known = table.get(keyid);
    if (known && isDated(known.entry, at)) found.set(keyid, known.key);
  }
  return found;
}

function isDated({ notBefore, notAfter }: Pick<RootKey, 'notBefore' | 'notAfter'>, at: Date): boolean {
  return Date.parse(notBefore) <= at.getTime() && at.getTime() < Date.parse(notAfter);
}
