/** Opening root.json: from a pinned set of root keys to the keys and persons behind every role. */
import type { KeyObject } from 'node:crypto';
import { type Envelope, readPublicKey, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { ROOT_TYPE, type RoleName, Root, type RootKey } from '../../schemas/root.ts';
import { assertValid } from '../../schemas/validate.ts';

/** Five minutes of clock difference between registry and this machine are tolerated. */
export const CLOCK_SKEW_MS = 5 * 60_000;

/** What a project or an administrator pinned: the ids of the root keys, and how many of them must have signed. */
export interface RootPin {
  readonly rootKeys: readonly string[];
  readonly threshold: number;
}

/** A root whose signatures, form and dates were checked. Keys outside their own dates are not in it. */
export interface TrustedRoot {
  readonly root: Root;
  keys(role: RoleName): ReadonlyMap<string, KeyObject>;
  personOf(keyid: string): string | undefined;
}

/**
 * Steps: 1 payload type, 2 signatures of pinned keys that the document itself carries, 3 form, 4 expiry, 5 key ids.
 * Throws ROOT_UNTRUSTED, ROOT_EXPIRED or DOCUMENT_INVALID.
 */
export function openRoot(envelope: Envelope, pin: RootPin, now: Date): TrustedRoot {
  if (envelope.payloadType !== ROOT_TYPE)
    throw untrusted(`the payload type ${ROOT_TYPE}`, envelope.payloadType);
  const root = assertValid(Root, parseStrict(Buffer.from(envelope.payload, 'base64')), 'root.json');
  const keys = keyTable(root);
  // A pinned key counts while the root itself still says that it is one, and inside its own dates.
  const active = keysOfRole(root, keys, { role: 'root', now });
  const pinned = new Map([...active].filter(([keyid]) => pin.rootKeys.includes(keyid)));
  const signed = verifiedKeys(envelope, pinned);
  if (signed.size < pin.threshold) {
    throw untrusted(
      `signatures of ${pin.threshold} of the pinned root keys ${pin.rootKeys.map(short).join(', ')}`,
      signed.size === 0 ? 'none of them' : `${signed.size}`,
    );
  }
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
  if (!root.trial && root.roles.approver.threshold < 2)
    throw untrusted(
      'a root that asks for two approvals, or says that it is a trial',
      'one that asks for one',
    );
  return {
    root,
    keys: (role) => keysOfRole(root, keys, { role, now }),
    personOf: (keyid) => keys.get(keyid)?.entry.person,
  };
}

/** The first twelve hex digits of a digest or key id, as people compare them. */
export function short(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

function untrusted(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('ROOT_UNTRUSTED', {
    expected,
    found,
    next: 'If the registry was rebuilt on purpose, pin its new root with: lk login; otherwise treat this as an attack',
  });
}

type KeyTable = Map<string, { key: KeyObject; entry: RootKey }>;

function keyTable(root: Root): KeyTable {
  const table: KeyTable = new Map();
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
  root: Root,
  keys: KeyTable,
  at: { role: RoleName; now: Date },
): ReadonlyMap<string, KeyObject> {
  const time = at.now.getTime();
  const found = new Map<string, KeyObject>();
  for (const keyid of root.roles[at.role].keyids) {
    const known = keys.get(keyid);
    if (!known) continue;
    const { notBefore, notAfter } = known.entry;
    if (Date.parse(notBefore) <= time && time < Date.parse(notAfter)) found.set(keyid, known.key);
  }
  return found;
}
