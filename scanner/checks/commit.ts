import type { GitFacts } from '../git/source.ts';
import { type Check, finding, firedOr, ok, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;

const fact = (source: string, value: string) => [{ kind: 'fact', source, value }] as const;

/** A name in a repository is whatever whoever may push there says; a commit may be in no history at all. */
export const commit: Check = {
  id: 'LK-GIT-01',
  title: 'The commit is what its tag and its history say',
  owasp: 'MCP04',
  about: 'commit',
  run: ({ git }) => {
    if (git === null) return unknown('it is no commit');
    const { report, reachable } = git;
    const found = [...ofTag(git), ...ofSignatures(git), ...ofHistory(git)];
    if (found.length === 0 && typeof reachable === 'string') return unknown(reachable);
    const name = report.tag === null ? 'no tag is named' : `${report.tag}: ${report.tagSigned}`;
    return firedOr(found, `${name}; ${report.commitSigned}`);
  },
};

function ofTag({ report, nameInTag, sameNamed }: GitFacts): Found[] {
  const { tag, commit: id } = report;
  if (tag === null) return [];
  const found: Found[] = [];
  if (nameInTag !== null && nameInTag !== tag) {
    const evidence = [
      { kind: 'change', at: `refs/tags/${tag}`, before: tag, after: nameInTag.slice(0, 200) },
    ] as const;
    found.push(
      finding('critical', `the tag ${tag} is the tag of another name, laid under this one`, evidence),
    );
  }
  if (sameNamed !== null) {
    const evidence = [{ kind: 'change', at: tag, before: id, after: sameNamed }] as const;
    found.push(finding('medium', `a branch has the name of the tag ${tag} and is another commit`, evidence));
  }
  return found;
}

function ofSignatures({ signed, report }: GitFacts): Found[] {
  const broken = [signed.tag, signed.commit].flatMap((one) =>
    one?.state === 'broken' ? [finding('high', one.message, fact(one.code, report.commit))] : [],
  );
  if (signed.tag?.state !== 'held' || signed.commit.state === 'held') return broken;
  const message = 'the tag is signed, and the commit that it names is not by anybody whom root.json names';
  return [...broken, finding('low', message, fact('git verify-commit', report.commitSigned))];
}

/** A commit that no branch has can be fetched all the same: forks share their objects with the repository. */
function ofHistory({ reachable, report }: GitFacts): Found[] {
  if (reachable !== false) return [];
  const message =
    'the commit is not in the history of the default branch: anybody with a fork may have made it';
  return [finding('high', message, fact('git merge-base --is-ancestor', report.commit))];
}

/** The tree is taken as it is stored: what a checkout would add is not in it. */
export const wholeTree: Check = {
  id: 'LK-GIT-02',
  title: 'All of the tree is there',
  owasp: 'MCP04',
  about: 'commit',
  run: ({ git }) => {
    if (git === null) return unknown('it is no commit');
    const { leftOut, pointers, report, version } = git;
    const list = (values: readonly string[], source: string) =>
      values.slice(0, 50).map((value) => ({ kind: 'fact', source, value }) as const);
    const found: Found[] = [];
    if (leftOut.length > 0)
      found.push(
        finding('low', 'links and submodules of the tree are left out', list(leftOut, 'git ls-tree')),
      );
    if (pointers.length > 0)
      found.push(
        finding(
          'medium',
          'files of Git LFS are left as pointers to what is kept elsewhere',
          list(pointers, 'pointer'),
        ),
      );
    if (found.length > 0) return { outcome: 'fired', findings: found };
    return ok(`${report.files} files${version === null ? '' : `; its package.json says version ${version}`}`);
  },
};
