/** What the servers of one lock are together, which none of them is alone. */
import { labelsOf, type Unlabelled, worldOf } from '../runtime/policy/world.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import { pointerOf, type Surface } from '../schemas/surface.ts';
import { textsOf } from './checks/texts.ts';

export interface Across {
  /** Names of tools or prompts that a model could take for one another, with the servers that have them. */
  readonly collisions: readonly { readonly name: string; readonly servers: readonly string[] }[];
  /** Texts of one server about a tool of another. */
  readonly references: readonly { readonly from: string; readonly at: string; readonly to: string }[];
  /** Tools that read text of strangers, that read private data, that send out; a flow where there is one of each. */
  readonly flow: {
    readonly untrusted: readonly string[];
    readonly private: readonly string[];
    readonly out: readonly string[];
    readonly closes: boolean;
  };
  /** All that one of them may touch. */
  readonly reach: {
    readonly hosts: readonly string[];
    readonly files: readonly string[];
    readonly variables: readonly string[];
    readonly secrets: readonly string[];
  };
  /** Tools without a reviewed label: they count by their hints, as far as their server may do such a thing at all. */
  readonly unlabelled: number;
  /** Servers whose texts are not at hand: of them only names and permissions are known. */
  readonly unread: readonly string[];
}

export interface Lockful {
  readonly entries: ReadonlyMap<string, LockEntry>;
  readonly surfaces: ReadonlyMap<string, Surface>;
  readonly unlabelled?: Unlabelled;
}

/** Pure; linear in the texts of all servers. */
export function across({ entries, surfaces, unlabelled = 'annotations' }: Lockful): Across {
  const world = [...worldOf(entries, surfaces, unlabelled).values()].filter(({ kind }) => kind === 'tools');
  const having = (trait: string, may: (entry: LockEntry) => boolean): string[] =>
    world.flatMap(({ server, name, attributes }) => {
      const entry = entries.get(server);
      const counts = entry && (labelsOf(name, entry) !== undefined || may(entry));
      return counts && attributes[trait] === true ? [`${server}/${name}`] : [];
    });
  const [untrusted, own] = [having('readsUntrusted', isFed), having('readsPrivate', isFed)];
  const out = having('sendsOut', isConnected);
  return {
    collisions: collisionsIn(entries),
    references: referencesIn(entries, surfaces),
    flow: { untrusted, private: own, out, closes: untrusted.length > 0 && own.length > 0 && out.length > 0 },
    reach: reachOf([...entries.values()]),
    unlabelled: [...entries.values()].reduce(
      (sum, entry) =>
        sum + Object.keys(entry.surface.tools).filter((tool) => labelsOf(tool, entry) === undefined).length,
      0,
    ),
    unread: [...entries.keys()].filter((alias) => !surfaces.has(alias)),
  };
}

/** Whether it may reach anything outside: what may not sends nothing out, whatever its tools say of themselves. */
function isConnected({ permissions, launch }: LockEntry): boolean {
  return !isLocal(launch) || permissions.egress.length > 0;
}

/** Whether it is given anything to read but its own bytes. */
function isFed(entry: LockEntry): boolean {
  const { mounts, env, secrets = [] } = entry.permissions;
  return isConnected(entry) || mounts.length + env.length + secrets.length > 0;
}

/** As a hasty reader sees a name: no case, no separators, look-alikes folded as far as compatibility goes. */
function folded(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.\-/]+/g, '');
}

function collisionsIn(entries: ReadonlyMap<string, LockEntry>): Across['collisions'] {
  const found = new Map<string, { name: string; servers: Set<string> }>();
  for (const [alias, { surface }] of entries)
    for (const name of [...Object.keys(surface.tools), ...Object.keys(surface.prompts)]) {
      const one = found.get(folded(name)) ?? { name, servers: new Set() };
      one.servers.add(alias);
      found.set(folded(name), one);
    }
  return [...found.values()]
    .filter(({ servers }) => servers.size > 1)
    .map(({ name, servers }) => ({ name, servers: [...servers].sort() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names that are no word of ordinary language: those others may speak of without meaning the tool. */
function isDistinct(name: string): boolean {
  return name.length >= 6 && /[_.\-/]|[a-z][A-Z]/.test(name);
}

function referencesIn(
  entries: ReadonlyMap<string, LockEntry>,
  surfaces: ReadonlyMap<string, Surface>,
): Across['references'] {
  const owners = new Map<string, string[]>();
  for (const [alias, { surface }] of entries)
    for (const name of Object.keys(surface.tools).filter(isDistinct))
      owners.set(name, [...(owners.get(name) ?? []), alias]);
  const found: { from: string; at: string; to: string }[] = [];
  for (const [from, surface] of surfaces)
    for (const { at, text } of textsOf(surface))
      for (const word of new Set(text.match(/[A-Za-z0-9][A-Za-z0-9_.\-/]{4,127}/g) ?? []))
        for (const to of owners.get(word.replace(/[.\-/]+$/, '')) ?? [])
          if (to !== from && !Object.hasOwn(surface.tools, word) && !at.endsWith(pointerOf(word)))
            found.push({ from, at, to: `${to}/${word.replace(/[.\-/]+$/, '')}` });
  return found;
}

function reachOf(entries: readonly LockEntry[]): Across['reach'] {
  const sorted = (words: readonly string[]): string[] => [...new Set(words)].sort();
  const all = entries.map(({ permissions }) => permissions);
  return {
    hosts: sorted(
      entries.flatMap(({ permissions, launch }) =>
        isLocal(launch) ? permissions.egress : [new URL(launch.url).host],
      ),
    ),
    files: sorted(all.flatMap(({ mounts }) => mounts.map(({ target, mode }) => `${target} (${mode})`))),
    variables: sorted(all.flatMap(({ env }) => env)),
    secrets: sorted(all.flatMap(({ secrets = [] }) => secrets)),
  };
}
