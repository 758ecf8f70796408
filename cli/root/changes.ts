/** Edits of a root that is being made. Each is pure: a root in, another root out. */
import { readPublicKey } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { readNoteKey } from '../../schemas/note.ts';
import {
  holdersOf,
  identityKeyId,
  KEYLESS_ROLES,
  type RoleName,
  type Root,
  type RootIdentity,
  type RootKey,
} from '../../schemas/root.ts';

const TO_COME: ReadonlySet<RoleName> = new Set(['approver', 'revoker']);
const ROLES: readonly RoleName[] = ['root', 'approver', 'lock', 'scanner', 'revoker'];

export function roleNamed(name: string): RoleName {
  const found = ROLES.find((role) => role === name);
  if (found) return found;
  throw new LockkeeperError('USAGE', {
    expected: `a role: ${ROLES.join(', ')}`,
    found: quote(name),
    next: 'See: lk keys root --help',
  });
}

export interface NewKey {
  readonly person: string;
  readonly publicKey: string;
  /** RFC 3339. */
  readonly from: string;
}

/** A key of a person in these roles. Throws KEY_UNKNOWN for a key that is somebody else's. */
export function addKey(root: Root, key: NewKey, roles: readonly RoleName[]): Root {
  const { keyid } = readPublicKey(key.publicKey);
  const known = root.keys.find((one) => one.keyid === keyid);
  if (known && known.person !== key.person)
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a key of ${key.person}`,
      found: `one that is ${known.person}'s in this root`,
      next: 'One key has one person; use another key',
    });
  const entry: RootKey = {
    keyid,
    publicKey: key.publicKey,
    person: key.person,
    notBefore: key.from,
    notAfter: root.expires,
  };
  const named = { ...root.roles };
  for (const role of roles)
    named[role] = { ...named[role], keyids: [...new Set([...named[role].keyids, keyid])] };
  return { ...root, keys: known ? root.keys : [...root.keys, entry], roles: named };
}

export interface NewIdentity {
  readonly person: string;
  readonly issuer: string;
  readonly san: string;
  /** RFC 3339. */
  readonly from: string;
  /** In base64; null for the one that the root has. */
  readonly trustedRoot: string | null;
}

/** An identity of a person in these roles. Throws KEY_UNKNOWN for somebody else's, USAGE for a role of keys alone. */
export function addIdentity(root: Root, added: NewIdentity, roles: readonly RoleName[]): Root {
  const { person, issuer, san, from } = added;
  const keyid = identityKeyId({ issuer, san });
  const known = root.keyless?.identities.find((one) => one.keyid === keyid);
  if (known && known.person !== person)
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `an identity of ${person}`,
      found: `one that is ${known.person}'s in this root`,
      next: 'One identity has one person; name another',
    });
  const other = roles.find((role) => !(KEYLESS_ROLES as readonly string[]).includes(role));
  const trustedRoot = added.trustedRoot ?? root.keyless?.trustedRoot;
  if (other !== undefined || trustedRoot === undefined)
    throw new LockkeeperError('USAGE', {
      expected: other
        ? `--role ${KEYLESS_ROLES.join(' or ')} for an identity`
        : '--trusted-root of the sigstore instance that certifies it',
      found: other ?? 'no value',
      next: 'See: lk keys root --help',
    });
  const entry: RootIdentity = { keyid, issuer, san, person, notBefore: from, notAfter: root.expires };
  const before = root.keyless?.identities ?? [];
  const named = { ...root.roles };
  for (const role of roles)
    named[role] = { ...named[role], keyids: [...new Set([...named[role].keyids, keyid])] };
  const keyless = { trustedRoot, identities: known ? before : [...before, entry] };
  return { ...root, keyless, roles: named };
}

/** A person's keys out of these roles; out of the root where no role is left. Throws NOT_FOUND when there is none. */
export function removePerson(root: Root, person: string, roles: readonly RoleName[]): Root {
  const theirs = holdersOf(root)
    .filter((holder) => holder.person === person)
    .map(({ keyid }) => keyid);
  const named = { ...root.roles };
  for (const role of roles)
    named[role] = { ...named[role], keyids: named[role].keyids.filter((keyid) => !theirs.includes(keyid)) };
  const after = withoutIdle({ ...root, roles: named });
  if (JSON.stringify(after.roles) !== JSON.stringify(root.roles)) return after;
  throw new LockkeeperError('NOT_FOUND', {
    expected: `a key of ${quote(person, 64)} as ${roles.join(', ')}`,
    found: `${[...new Set(holdersOf(root).map((holder) => holder.person))].sort().join(', ')}`,
    next: 'Look at the root with: lk keys root show',
  });
}

function withoutIdle(root: Root): Root {
  const used = new Set(ROLES.flatMap((role) => root.roles[role].keyids));
  const { keyless, ...rest } = root;
  const identities = keyless?.identities.filter(({ keyid }) => used.has(keyid)) ?? [];
  const keys = root.keys.filter(({ keyid }) => used.has(keyid));
  return keyless && identities.length > 0
    ? { ...rest, keys, keyless: { ...keyless, identities } }
    : { ...rest, keys };
}

/** Another key of the same person takes over; the one before it counts until `until`, or no longer (null). */
export function replaceKey(root: Root, role: RoleName, next: NewKey & { until: string | null }): Root {
  const before = root.keys.filter(
    (key) => key.person === next.person && root.roles[role].keyids.includes(key.keyid),
  );
  const { keyid } = readPublicKey(next.publicKey);
  if (before.length === 0 || before.some((key) => key.keyid === keyid))
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `another key of ${quote(next.person, 64)} as ${role}, to take the place of one there is`,
      found: before.length === 0 ? 'none to replace' : 'the same key',
      next: 'Look at the root with: lk keys root show',
    });
  const roles = ROLES.filter((name) => before.some((key) => root.roles[name].keyids.includes(key.keyid)));
  const added = addKey(root, next, roles);
  const ids = before.map((key) => key.keyid);
  if (next.until === null) {
    const named = { ...added.roles };
    for (const name of roles)
      named[name] = { ...named[name], keyids: named[name].keyids.filter((id) => !ids.includes(id)) };
    return withoutIdle({ ...added, roles: named });
  }
  const { until } = next;
  const keys = added.keys.map((key) => (ids.includes(key.keyid) ? { ...key, notAfter: until } : key));
  return { ...added, keys };
}

/** The log's next key beside the one before it: what that one signed stays verifiable for one root more. */
export function rotateLog(root: Root, key: string): Root {
  const { name } = readNoteKey(key);
  if (name !== root.log.origin)
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a key of the log ${root.log.origin}`,
      found: `one of ${quote(name)}`,
      next: 'Take the key that the registry has standing by: leave --public-key out',
    });
  return { ...root, log: { ...root.log, keys: [...new Set([...root.log.keys, key])].slice(-2) } };
}

/** Keys and identities that lasted as long as the root before last as long as this one. */
export function lasting(root: Root, before: string): Root {
  const renewed = <T extends { readonly notAfter: string }>(one: T): T =>
    one.notAfter === before ? { ...one, notAfter: root.expires } : one;
  const { keyless } = root;
  return {
    ...root,
    keys: root.keys.map(renewed),
    ...(keyless ? { keyless: { ...keyless, identities: keyless.identities.map(renewed) } } : {}),
  };
}

export function setThreshold(root: Root, role: RoleName, threshold: number): Root {
  return { ...root, roles: { ...root.roles, [role]: { ...root.roles[role], threshold } } };
}

/**
 * What nobody could meet is refused before anybody signs it: a threshold above the persons there are. Reviewers may
 * still be to come. Throws ROOT_UNTRUSTED.
 */
export function assertMeetable(root: Root): void {
  for (const role of ROLES) {
    const { keyids, threshold } = root.roles[role];
    const persons = new Set(
      holdersOf(root)
        .filter(({ keyid }) => keyids.includes(keyid))
        .map(({ person }) => person),
    );
    if (TO_COME.has(role) || persons.size >= threshold) continue;
    throw new LockkeeperError('ROOT_UNTRUSTED', {
      expected: `${threshold} persons as ${role}, as the root itself asks`,
      found: persons.size === 0 ? 'none' : `${persons.size} (${[...persons].sort().join(', ')})`,
      next: 'Add a person, or lower the threshold: lk keys root set --threshold',
    });
  }
  const witnesses = root.log.witnesses.length;
  if (root.log.threshold > witnesses)
    throw new LockkeeperError('ROOT_UNTRUSTED', {
      expected: `at least ${root.log.threshold} witnesses, as the root itself asks`,
      found: `${witnesses}`,
      next: 'Add one with: lk keys root set --witness KEY',
    });
}
