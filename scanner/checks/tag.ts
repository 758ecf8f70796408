import type { RepositoryFacts } from '../github/look.ts';
import { packageIn } from '../github/repository.ts';
import { builtIn } from '../provenance/standing.ts';
import { type Check, type Facts, finding, firedOr, ok, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;
type Seen = NonNullable<RepositoryFacts['found']>;

/** Whoever steals a publisher's token seldom has the repository as well: a version without its tag is how that shows. */
export const tag: Check = {
  id: 'LK-REL-03',
  title: 'The version is tagged, and tags stay',
  owasp: 'MCP04',
  about: 'package',
  readsAttested: true,
  run: ({ repository, attested, rootPurl }) => {
    if (typeof repository === 'string') return unknown(repository);
    const { found } = repository;
    if (found === null) return unknown('its repository is not there: LK-REP-01');
    const findings = [...missing(found, rootPurl), ...moved(found, attested), ...movedSince(found)];
    if (findings.length === 0 && found.tag === null) return ok(`${found.name} tags nothing`);
    const released = found.released === true ? 'with a release' : 'without a release';
    return firedOr(findings, `${found.tag?.name} at ${found.tag?.commit.slice(0, 12)}, ${released}`);
  },
};

function missing({ tag: own, tagged, name }: Seen, purl: string): Found[] {
  if (own !== null || !tagged) return [];
  const { version } = packageIn(purl);
  const evidence = [{ kind: 'fact', source: 'GitHub, tags', value: `none for ${version}` }] as const;
  return [finding('high', `${name} tags versions, and not ${version}`, evidence)];
}

/** Against the commit that was built, else the one that the registry tells. */
function moved({ tag: own }: Seen, attested: Facts['attested']): Found[] {
  if (own === null || typeof attested === 'string') return [];
  const built = builtIn(attested)?.builder.commit ?? null;
  const commit = built ?? attested.commit;
  if (commit === null || commit === own.commit) return [];
  const evidence = [{ kind: 'change', at: `tag ${own.name}`, before: commit, after: own.commit }] as const;
  const how = built === null ? 'was published from, by its registry' : 'was built from';
  return [
    finding(built === null ? 'medium' : 'high', `its tag points to another commit than it ${how}`, evidence),
  ];
}

function movedSince({ before }: Seen): Found[] {
  if (before === null || before.commit === before.was) return [];
  const after = before.commit ?? 'none';
  const evidence = [{ kind: 'change', at: `tag ${before.name}`, before: before.was, after }] as const;
  return [finding('high', 'the tag of the last approved version was moved or taken away since', evidence)];
}
