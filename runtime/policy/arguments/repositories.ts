/** Repositories inside of arguments: `owner/name`, an address of one, or an owner and a name beside each other. */
import { type Leaf, lastName } from './leaves.ts';
import type { Truth } from './predicate.ts';

const REPOSITORY =
  /^(?:repo|repos|repository|repositories|repo_?name|repo_?url|repository_?url|full_?name)$/i;
const OWNER = /^(?:owner|org|organi[sz]ation|namespace)$/i;
const PART = '[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?';

/** What a policy may name: `acme/site`, or `acme/*` for all of one owner. */
export function isRepository(text: string): boolean {
  return new RegExp(`^${PART}/(?:${PART}|\\*)$`).test(text);
}

/** Each repository that is named, as `owner/name` where an owner stands beside a name. `named`: these are meant. */
export function repositoriesIn(leaves: readonly Leaf[], named: boolean): readonly Leaf[] {
  const owners = leaves.filter((leaf) => OWNER.test(lastName(leaf)));
  return leaves
    .filter((leaf) => !OWNER.test(lastName(leaf)) && (named || REPOSITORY.test(lastName(leaf))))
    .flatMap((leaf) => {
      const { name, value } = leaf;
      const beside = owners.filter((owner) => folderOf(owner) === folderOf(leaf));
      if (beside.length === 0 || typeof value !== 'string' || value.includes('/')) return [leaf];
      // Which of two owners is meant only the server knows: each of them is one repository.
      return beside.map((owner) =>
        typeof owner.value === 'string' ? { name, value: `${owner.value}/${value}` } : leaf,
      );
    });
}

function folderOf({ name }: Leaf): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

export function repositoryTruth(value: string, patterns: readonly string[]): Truth {
  const found = fullName(value);
  if (found === null) return 'unknown';
  const owner = found.slice(0, found.indexOf('/'));
  return patterns.includes(found) || patterns.includes(`${owner}/*`) ? 'yes' : 'no';
}

const ADDRESS = new RegExp(
  `^(?:https://[a-z0-9.-]+/|ssh://git@[a-z0-9.-]+/|git@[a-z0-9.-]+:)(${PART})/(${PART}?)/?$`,
  'i',
);

/** In small letters; the hosts that keep repositories do not tell large ones apart. */
function fullName(value: string): string | null {
  if (value.length > 500) return null;
  const plain = new RegExp(`^(${PART})/(${PART})$`).exec(value);
  const [, owner, name] = plain ?? ADDRESS.exec(value) ?? [];
  if (owner === undefined || name === undefined) return null;
  const bare = name.replace(/\.git$/i, '');
  return bare === '' ? null : `${owner}/${bare}`.toLowerCase();
}
