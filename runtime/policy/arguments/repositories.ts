/** Repositories inside of arguments: `owner/name`, an address of one, or an owner and a name beside each other. */
import type { Json } from '../../../schemas/common.ts';
import { type Leaf, lastName } from './leaves.ts';
import type { Truth } from './predicate.ts';

const REPOSITORY =
  /^(?:repo|repos|repository|repositories|repo_?name|repo_?url|repository_?url|full_?name)$/i;
const OWNER = /^(?:owner|org|organi[sz]ation|namespace)$/i;
/** Owners beside one name that are looked at: each of them with each name would be too many. */
const MAX_OWNERS = 10;
const PART = '[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?';

const HOST = '[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)+';
/** Where an address is that names what a policy names without a host. */
const USUAL = 'github.com';

/** What a policy may name: `acme/site`, or `acme/*` for all of one owner; `git.acme.test/acme/*` at another host than usual. */
export function isRepository(text: string): boolean {
  return new RegExp(`^(?:${HOST}/)?${PART}/(?:${PART}|\\*)$`).test(text);
}

/** An address that can only be of one, whatever its argument is called. */
const ITSELF =
  /^(?:(?:git@|ssh:\/\/|git:\/\/|git\+)\S+|[a-z][a-z+]*:\/\/\S+\.git(?:[/?#]\S*)?|(?:https?:\/\/)?(?:[^/?#\s]*@)?(?:www\.)?(?:github|gitlab|bitbucket)\.(?:com|org)(?::\d*)?\/[^/\s]+\/\S+)$/i;

/** Characters of a value that are looked at for that. */
const LOOKED_AT = 1000;

function looksLikeRepository(leaf: Leaf): boolean {
  const { value, isName } = leaf;
  if (typeof value === 'string' && ITSELF.test(value.trimStart().slice(0, LOOKED_AT).trimEnd())) return true;
  return REPOSITORY.test(lastName(leaf)) && (!isName || String(value).includes('/'));
}

/** Each repository that is named, as `owner/name` where an owner stands beside a name. `named`: these are meant. */
export function repositoriesIn(leaves: readonly Leaf[], named: boolean): readonly Leaf[] {
  const owners = ownersIn(leaves);
  return leaves
    .filter((leaf) => !OWNER.test(lastName(leaf)) && ((named && !leaf.isName) || looksLikeRepository(leaf)))
    .flatMap((leaf) => {
      const { value } = leaf;
      const beside = owners.get(folderOf(leaf));
      // A name that stands alone is no certain repository.
      if (!beside || beside.size > MAX_OWNERS || typeof value !== 'string' || value.includes('/'))
        return [leaf];
      // Which of two owners is meant only the server knows: each of them is one repository.
      return [...beside].map((owner) =>
        typeof owner === 'string' ? { ...leaf, value: `${owner}/${value}` } : leaf,
      );
    });
}

/** By the folder that they stand in; each once. */
function ownersIn(leaves: readonly Leaf[]): ReadonlyMap<string, ReadonlySet<Json>> {
  const owners = new Map<string, Set<Json>>();
  for (const leaf of leaves) {
    if (leaf.isName || !OWNER.test(lastName(leaf))) continue;
    const folder = folderOf(leaf);
    owners.set(folder, (owners.get(folder) ?? new Set()).add(leaf.value));
  }
  return owners;
}

function folderOf({ name }: Leaf): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

/** Who owns a name at one host may be another at the next: an address is of what a policy names if its host is as well. */
export function repositoryTruth(value: string, patterns: readonly string[]): Truth {
  const found = fullName(value);
  if (found === null) return 'unknown';
  const { host, owner, name } = found;
  const named = [`${owner}/${name}`, `${owner}/*`];
  const at = named.map((one) => `${host}/${one}`);
  const isPlain = patterns.some((pattern) => named.includes(pattern));
  if (host !== null && patterns.some((pattern) => at.includes(pattern))) return 'yes';
  if (isPlain) return host === null || host === USUAL ? 'yes' : 'unknown';
  // Without a host it is at one that the server chooses.
  return host === null && patterns.some((pattern) => named.some((one) => pattern.endsWith(`/${one}`)))
    ? 'unknown'
    : 'no';
}

const ADDRESS = new RegExp(
  `^(?:https://(${HOST})/|ssh://git@(${HOST})/|git@(${HOST}):)(${PART})/(${PART}?)/?$`,
  'i',
);

interface Named {
  readonly host: string | null;
  readonly owner: string;
  readonly name: string;
}

/** In small letters; the hosts that keep repositories do not tell large ones apart. */
function fullName(value: string): Named | null {
  if (value.length > 500) return null;
  const plain = new RegExp(`^(${PART})/(${PART})$`).exec(value);
  const [, https, ssh, git, owner = plain?.[1], name = plain?.[2]] = plain ? [] : (ADDRESS.exec(value) ?? []);
  if (owner === undefined || name === undefined) return null;
  const bare = name.replace(/\.git$/i, '').toLowerCase();
  const host = (https ?? ssh ?? git)?.toLowerCase() ?? null;
  return bare === '' ? null : { host, owner: owner.toLowerCase(), name: bare };
}
