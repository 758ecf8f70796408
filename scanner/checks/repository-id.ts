import { builtIn } from '../provenance/standing.ts';
import { type Check, finding, firedOr, ok, unknown } from './check.ts';

/** Names are given away and taken again; the number that the host gave a repository is not. */
export const repositoryId: Check = {
  id: 'LK-REP-02',
  title: 'Its repository is the same one under its name',
  owasp: 'MCP04',
  about: 'package',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ repository, attested, baseline }) => {
    if (typeof repository === 'string') return unknown(repository);
    const { found } = repository;
    if (found === null) return unknown('its repository is not there: LK-REP-01');
    const built = typeof attested === 'string' ? null : builtIn(attested)?.builder;
    const before = baseline?.origin?.repository ?? null;
    const sameName = (name: string | null | undefined): boolean =>
      name?.toLowerCase() === found.name.toLowerCase();
    const known: readonly (readonly [string, string | null, string | null | undefined])[] = [
      ['it was built in', built?.repositoryId ?? null, built?.repository?.replace(/^https:\/\/[^/]+\//, '')],
      ['was seen at the last approval', before?.id ?? null, before?.name],
    ];
    const comparable = known.filter(([, id, name]) => id !== null && sameName(name));
    if (comparable.length === 0) return ok(`number ${found.id}; nothing earlier to compare it with`);
    const findings = comparable
      .filter(([, id]) => id !== found.id)
      .map(([what, id]) =>
        finding('critical', `${found.name} was made again: another repository of that name ${what}`, [
          { kind: 'change', at: 'repository id', before: id ?? '', after: found.id },
        ]),
      );
    return firedOr(findings, `number ${found.id}, as before`);
  },
};
