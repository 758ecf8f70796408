import type { Finding } from '../../schemas/finding.ts';
import { isAllowed } from '../installed/licence.ts';
import type { InstalledPackage } from '../installed/package.ts';
import { licenceCounts } from '../sbom/sbom.ts';
import { type Check, finding, firedOr, gravest, unknown } from './check.ts';
import { nameOf } from './packages.ts';

const SHOWN = 8;

/** Told: which licences a company takes is for it to say, in its policy; then what is not on its list is graver. */
export const licences: Check = {
  id: 'LK-LIC-01',
  title: 'Licences that are known and permitted',
  owasp: 'MCP04',
  about: 'package or image',
  readsPolicy: true,
  run: ({ installed, baseline, policy }) => {
    const { packages, gaps } = installed;
    const [gap] = gaps;
    if (packages.length === 0) return unknown(gap ?? 'no package was found, so no licence is known');
    const allowed = policy.scan.licences ?? [];
    const before = baseline === null ? null : (baseline.licences ?? null);
    const findings = [
      ...refused(packages, allowed),
      ...unread(packages, allowed),
      ...(before === null ? [] : changed(packages, before)),
    ];
    if (findings.length === 0 && gap !== undefined && allowed.length > 0) return unknown(gap);
    const list = licenceCounts(packages)
      .slice(0, SHOWN)
      .map(({ licence, packages: count }) => `${licence ?? 'unknown'} ${count}`);
    return firedOr(gravest(findings), list.join(', '));
  },
};

type Found = Omit<Finding, 'check'>[];

function evidence(packages: readonly InstalledPackage[]): Parameters<typeof finding>[2] {
  return packages.map(({ purl, licence }) => ({
    kind: 'fact',
    source: purl,
    value: worded(licence),
  }));
}

function named(packages: readonly InstalledPackage[]): string {
  const names = [...new Set(packages.map(({ purl }) => nameOf(purl)))];
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
}

function refused(packages: readonly InstalledPackage[], allowed: readonly string[]): Found {
  if (allowed.length === 0) return [];
  const list = new Set(allowed);
  const outside = packages.filter(
    ({ licence: { expression } }) => expression !== null && !isAllowed(expression, list),
  );
  return [...Map.groupBy(outside, ({ licence }) => licence.expression)].map(([expression, some]) =>
    finding('high', `${expression} is not on the policy's list: ${named(some)}`, evidence(some)),
  );
}

function unread(packages: readonly InstalledPackage[], allowed: readonly string[]): Found {
  const some = packages.filter(({ licence }) => licence.expression === null);
  if (some.length === 0) return [];
  const whose = some.length === 1 ? 'one package says' : `${some.length} packages say`;
  const message = `${whose} no licence that could be read: ${named(some)}`;
  return [finding(allowed.length > 0 ? 'high' : 'low', message, evidence(some))];
}

/** The same package under another licence than in the release that was approved last. */
function changed(packages: readonly InstalledPackage[], before: ReadonlyMap<string, string | null>): Found {
  const old = new Map<string, Set<string | null>>();
  for (const [purl, licence] of before) {
    const held = old.get(nameOf(purl)) ?? new Set();
    old.set(nameOf(purl), held.add(licence));
  }
  const fresh = Map.groupBy(packages, ({ purl }) => nameOf(purl));
  return [...fresh].flatMap(([name, some]) => {
    const was = old.get(name);
    if (was === undefined) return [];
    const other = some.filter(({ licence }) => !was.has(licence.expression));
    const [first] = other;
    if (first === undefined) return [];
    const [from, to] = [[...was].map(under).join(' and '), under(first.licence.expression)];
    return [finding('medium', `${name} was under ${from}, and is under ${to} now`, evidence(other))];
  });
}
function under(licence: string | null): string {
  return licence ?? 'a licence that could not be read';
}

function worded({ expression, said, from }: InstalledPackage['licence']): string {
  if (expression === null) return said === null ? 'nothing is said' : `"${said}"`;
  return from === 'text' ? `${expression}, read from its text` : expression;
}
