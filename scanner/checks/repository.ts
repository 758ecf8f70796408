import type { RepositoryFacts } from '../github/look.ts';
import type { Upstream } from '../ports.ts';
import { type Check, finding, firedOr, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;

const fact = (value: string) => [{ kind: 'fact', source: 'GitHub, repository', value }] as const;

/** A name that moved, was given up or is kept by nobody is one that somebody else may take. */
export const repository: Check = {
  id: 'LK-REP-01',
  title: 'Its repository stands as it stood',
  owasp: 'MCP04',
  about: 'package',
  run: ({ repository: seen, baseline, upstream }) => {
    if (typeof seen === 'string') return unknown(seen);
    const { asked, found } = seen;
    if (found === null) {
      const message = `it names ${asked} as its repository, and nobody sees one there`;
      return { outcome: 'fired', findings: [finding('high', message, fact('no such repository'))] };
    }
    const before = baseline?.origin?.repository?.name ?? null;
    return firedOr(
      [
        ...moved(asked, found.name),
        ...otherThan(before, found.name),
        ...neglected(found),
        ...younger(found, upstream),
      ],
      `${found.name}, of ${found.createdAt.slice(0, 10)}`,
    );
  },
};

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function moved(asked: string, name: string): Found[] {
  if (same(asked, name)) return [];
  const evidence = [{ kind: 'change', at: 'repository', before: asked, after: name }] as const;
  return [
    finding('high', `it names ${asked}, which was renamed or transferred and answers as ${name}`, evidence),
  ];
}

function otherThan(before: string | null, name: string): Found[] {
  if (before === null || same(before, name)) return [];
  const evidence = [{ kind: 'change', at: 'repository', before, after: name }] as const;
  return [finding('high', 'another repository than at the last approval', evidence)];
}

function neglected(found: NonNullable<RepositoryFacts['found']>): Found[] {
  return [
    ...(found.archived
      ? [finding('medium', 'its repository is archived: nobody keeps it', fact('archived'))]
      : []),
    ...(found.disabled ? [finding('high', 'its repository is disabled', fact('disabled'))] : []),
    ...(found.fork ? [finding('low', 'its repository is a fork of another one', fact('fork'))] : []),
  ];
}

/** A repository made after the package is not the one that the package began in. */
function younger(found: NonNullable<RepositoryFacts['found']>, upstream: Upstream | string): Found[] {
  const times = typeof upstream === 'string' ? [] : (upstream.history ?? []).flatMap(({ at }) => at ?? []);
  const [first] = times.sort();
  const made = Date.parse(found.createdAt);
  if (first === undefined || Number.isNaN(made) || made <= Date.parse(first)) return [];
  const evidence = [{ kind: 'change', at: 'made', before: first, after: found.createdAt }] as const;
  return [finding('medium', 'its repository is younger than its first version', evidence)];
}
