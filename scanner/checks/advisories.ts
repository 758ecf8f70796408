/** What is publicly known against the packages of the closure, as the registry hands it to the scan. */
import { type Affecting, advisoryLine } from '../../schemas/advisory.ts';
import { type Check, type Facts, finding, gravest, type Outcome, ok, unknown } from './check.ts';

/** Feeds bring news every day: one without any for so long stands still. */
export const STALE_HOURS = 48;

/** Malware first of all: one known package of the tree is enough. */
export const knownMalware: Check = {
  id: 'LK-ADV-01',
  title: 'No known malware in the closure',
  owasp: 'MCP04',
  gatesFiredOnly: true,
  readsPackage: true,
  readsList: true,
  readsAdvisories: true,
  run: (facts) => judged(facts, 'malware'),
};

/** Told, not gated: whether a weakness can be reached is for reviewers to say. */
export const knownVulnerabilities: Check = {
  id: 'LK-ADV-02',
  title: 'No known vulnerability in the closure',
  owasp: 'MCP04',
  gatesFiredOnly: true,
  readsPackage: true,
  readsList: true,
  readsAdvisories: true,
  run: (facts) => judged(facts, 'vulnerability'),
};

/** What is known is known however old the feed is; that nothing is known counts only while it is fresh. */
function judged({ advisories, installed, now }: Facts, kind: Affecting['kind']): Outcome {
  if (typeof advisories === 'string') return unknown(advisories);
  const { newest, affecting } = advisories;
  const found = affecting.filter((one) => one.kind === kind);
  if (found.length > 0) return { outcome: 'fired', findings: gravest(found.map(findingOf)) };
  if (newest === null)
    return unknown(
      'no advisories were ever loaded: set LOCKKEEPER_ADVISORIES, or bring them with lk advisories import',
    );
  const hours = (now.getTime() - Date.parse(newest)) / 3_600_000;
  if (hours > STALE_HOURS)
    return unknown(
      `the newest advisory is ${Math.floor(hours)} hours old; more than ${STALE_HOURS} is stale`,
    );
  const { packages, gaps } = installed;
  const [gap] = gaps;
  if (gap !== undefined || packages.length === 0) return unknown(gap ?? 'no package was found to look up');
  return ok(`none against ${packages.length} packages, of advisories up to ${newest}`);
}

function findingOf(one: Affecting): ReturnType<typeof finding> {
  const evidence = one.purls.map((value) => ({ kind: 'fact', source: `advisory ${one.id}`, value }) as const);
  return finding(one.severity ?? 'medium', advisoryLine(one), evidence);
}
