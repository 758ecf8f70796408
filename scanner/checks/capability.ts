import type { Finding } from '../../schemas/finding.ts';
import type { Artifact } from '../../schemas/release.ts';
import type { Capability, Use } from '../code/facts.ts';
import { type Check, type Facts, finding, firedOr, gravest, type Outcome, ok, unknown } from './check.ts';
import { changedIn, nameOf, place } from './packages.ts';

/** Gravest first; from `files` on they are ordinary. */
const ORDER: readonly Capability[] = [
  'programs',
  'native code',
  'dynamic code',
  'remote server',
  'network',
  'files of the user',
  'files',
  'environment',
];
/** Code that is shipped, but loaded by a test runner alone. */
const TEST_FILE = /(?:^|\/)(?:__tests__|tests?)\/|\.(?:test|spec)\.[cm]?[jt]sx?$/;

function isGrave({ capability: kind, path }: Use): boolean {
  return ORDER.indexOf(kind) < ORDER.indexOf('files') && !TEST_FILE.test(path);
}

function byGravity(a: Capability, b: Capability): number {
  return ORDER.indexOf(a) - ORDER.indexOf(b);
}

/** What the code can newly reach since the last approved release. Packages whose bytes are the same are not read again. */
export const capability: Check = {
  id: 'LK-CAP-01',
  title: 'No new reach since the last approval',
  owasp: 'MCP04',
  about: 'package',
  readsCode: true,
  run: (facts) =>
    facts.baseline === null ? describe(facts) : compare(facts, facts.baseline.closure.artifacts),
};

/** Native code is known by its file's name, as folders are renamed; a module is the same with promises. */
function keyOf(name: string, { capability: kind, what }: Use): string {
  return `${name} ${kind} ${kind === 'native code' ? what.replace(/^.*\//, '') : what.replace(/\/promises$/, '')}`;
}

interface Reach {
  readonly purl: string;
  readonly name: string;
  readonly uses: readonly Use[];
  /** What was not read: what it reaches is not known. */
  readonly unread: readonly { readonly path: string; readonly reason: string }[];
}

async function describe(facts: Facts): Promise<Outcome> {
  const { closure, rootPurl } = facts;
  const own = await reachOf(rootPurl, facts);
  const listed = [
    ...new Set(
      [...own.uses]
        .sort((a, b) => byGravity(a.capability, b.capability))
        .map(({ capability: kind, what }) => `${kind}: ${what}`),
    ),
  ];
  const packages = new Map<Capability, number>();
  const dark = unreadIn(own);
  for (const { purl } of closure.artifacts) {
    if (purl === rootPurl) continue;
    const reach = await reachOf(purl, facts);
    const { uses } = reach;
    dark.push(...unreadIn(reach));
    for (const kind of new Set(uses.map((use) => use.capability)))
      packages.set(kind, (packages.get(kind) ?? 0) + 1);
  }
  const others = [...packages]
    .sort(([a], [b]) => byGravity(a, b))
    .map(([kind, count]) => `${kind} in ${count}`);
  if (dark.length > 0) return unknown(`${dark.length} files were not read: ${dark[0]?.message}`);
  return ok(
    `first release; its own code uses ${listed.slice(0, 20).join(', ') || 'nothing of the kind'}; of the other ${closure.artifacts.length - 1} packages: ${others.join(', ') || 'none does'}`,
  );
}

async function compare(facts: Facts, before: readonly Artifact[]): Promise<Outcome> {
  const { closure, rootPurl } = facts;
  const known = new Set<string>();
  for (const purl of changedIn(before, closure.artifacts)) {
    const { name, uses } = await reachOf(purl, facts);
    for (const use of uses) known.add(keyOf(name, use));
  }
  const findings: Omit<Finding, 'check'>[] = [];
  const dark: Omit<Finding, 'check'>[] = [];
  const changed = changedIn(closure.artifacts, before);
  for (const purl of changed) {
    const reach = await reachOf(purl, facts);
    const fresh = reach.uses.filter((use) => !known.has(keyOf(reach.name, use)));
    findings.push(...(purl === rootPurl ? inDetail(purl, fresh) : inShort(reach, fresh)));
    dark.push(...unreadIn(reach));
  }
  if (findings.length === 0 && dark.length > 0)
    return unknown(`${dark.length} files were not read: ${dark[0]?.message}`);
  return firedOr(
    gravest([...findings, ...dark], 200),
    `${changed.length} changed packages reach nothing new`,
  );
}

/** The server's own code: a finding for each new capability, all its places as evidence. Variables are one. */
function inDetail(purl: string, uses: readonly Use[]): Omit<Finding, 'check'>[] {
  const variables = uses.filter(({ capability: kind }) => kind === 'environment').map(({ what }) => what);
  const listed = shortened([...new Set(variables)].sort());
  const groups = Map.groupBy(
    uses,
    ({ capability: kind, what }) => `${kind}: ${kind === 'environment' ? listed : what}`,
  );
  return [...groups].map(([what, places]) => {
    const grave = places.some(isGrave);
    return finding(
      grave ? 'high' : 'medium',
      `the server's own code newly uses ${what}`,
      places.map((use) => place(purl, use)),
    );
  });
}

/** So many that a person reads them in one line. */
const shortened = (words: readonly string[]): string =>
  `${words.slice(0, 8).join(', ')}${words.length > 8 ? ` and ${words.length - 8} more` : ''}`;

/** A dependency: one finding, with what is new in it. */
function inShort({ purl, name }: Reach, uses: readonly Use[]): Omit<Finding, 'check'>[] {
  if (uses.length === 0) return [];
  const what = [...new Set(uses.map((use) => `${use.capability}: ${use.what}`))].sort();
  const grave = uses.some(isGrave);
  const message = `${name} newly uses ${shortened(what)}`;
  return [
    finding(
      grave ? 'medium' : 'low',
      message,
      uses.slice(0, 20).map((use) => place(purl, use)),
    ),
  ];
}

function unreadIn({ purl, name, unread }: Reach): Omit<Finding, 'check'>[] {
  return unread.map(({ path, reason }) =>
    finding('medium', `${name} has code that was not read: ${path || 'a part of it'}, because ${reason}`, [
      { kind: 'file', artifact: purl, path, line: 0, excerpt: '' },
    ]),
  );
}

async function reachOf(purl: string, facts: Facts): Promise<Reach> {
  const { uses, unread } = await facts.code(purl);
  return { purl, name: nameOf(purl), uses, unread };
}
