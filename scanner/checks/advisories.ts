/** What is publicly known against the packages that were found, as it is handed to the scan. */
import { type Affecting, advisoryLine } from '../../schemas/advisory.ts';
import { type Check, type Facts, finding, gravest, type Outcome, ok, unknown } from './check.ts';

/** Feeds bring news every day: one without any for so long stands still. */
const STALE_HOURS = 48;

/** Malware first of all: one known package of the tree is enough. */
export const knownMalware: Check = {
  id: 'LK-ADV-01',
  title: 'No known malware in the closure',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAdvisories: true,
  run: (facts) => judged(facts, 'malware'),
};

/** Told, not gated: whether a weakness can be reached is for reviewers to say. */
export const knownVulnerabilities: Check = {
  id: 'LK-ADV-02',
  title: 'No known vulnerability in the closure',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAdvisories: true,
  run: (facts) => judged(facts, 'vulnerability'),
};

/** What is known is known however old the feed is; that nothing is known counts only while it is fresh. */
function judged({ advisories, installed, now }: Facts, kind: Affecting['kind']): Outcome {
  if (typeof advisories === 'string') return unknown(advisories);
  const { newest, affecting, missing, unread = [] } = advisories;
  const found = affecting.filter((one) => one.kind === kind);
  if (found.length > 0) return { outcome: 'fired', findings: gravest(found.map(findingOf)) };
  if (missing.length > 0) {
    const whose = missing.join(', ');
    return unknown(`no advisories of ${whose} are loaded (lk advisories import; lk scan --advisories)`);
  }
  if (newest === null)
    return unknown('no advisories were ever loaded: set LOCKKEEPER_ADVISORIES, or lk advisories import');
  if (unread.length > 0)
    return unknown(
      `${unread.length} of the records about these packages could not be read: ${unread.join(', ')}`,
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
