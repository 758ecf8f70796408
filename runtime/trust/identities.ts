/** Who of a root signs without a key. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { identityKeyId, KEYLESS_ROLES, type Root, type RootIdentity } from '../../schemas/root.ts';

/** Identities by what they are called. Throws ROOT_UNTRUSTED for one called otherwise, twice, or in a role of keys alone. */
export function identityTable(root: Root): ReadonlyMap<string, RootIdentity> {
  const table = new Map<string, RootIdentity>();
  for (const identity of root.keyless?.identities ?? []) {
    const { keyid, san, person } = identity;
    const named = identityKeyId(identity);
    if (table.has(named)) throw untrusted('each identity once', `${san} twice`);
    if (keyid !== named) throw untrusted(`${named} as the id of ${san}, who is ${person}`, keyid);
    table.set(named, identity);
  }
  const keysAlone = Object.entries(root.roles).filter(([role]) => !KEYLESS.has(role));
  for (const [role, { keyids }] of keysAlone) {
    const found = keyids.map((keyid) => table.get(keyid)).find((identity) => identity !== undefined);
    if (found) throw untrusted(`keys as ${role}`, `${found.san}, who has none`);
  }
  return table;
}

const KEYLESS: ReadonlySet<string> = new Set(KEYLESS_ROLES);

function untrusted(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('ROOT_UNTRUSTED', {
    expected: `a root with ${expected}`,
    found,
    next: 'Have its holders make another: lk keys root init',
  });
}
