import { isNamed, packageIn } from '../github/repository.ts';
import { rankOf } from '../provenance/standing.ts';
import { type Check, finding, type Outcome, ok, unknown } from './check.ts';

/** Anybody may name a well-known repository as their own; whether it knows the package is seen in the repository. */
export const starJacking: Check = {
  id: 'LK-REP-03',
  title: 'The repository knows the package',
  owasp: 'MCP04',
  about: 'package',
  readsAttested: true,
  run: ({ repository, attested, rootPurl, bundle, git }) => {
    if (git !== null) return ok('it is a commit of the repository itself');
    if (bundle !== null) return unknown('a repository does not say which bundles are its own');
    if (typeof attested !== 'string' && rankOf(attested) === 'bound-provenance')
      return ok('it was built there: LK-PRV-02');
    if (typeof repository === 'string') return unknown(repository);
    const { found, asked } = repository;
    if (found === null) return unknown('its repository is not there: LK-REP-01');
    const { manifest } = found;
    const { name } = packageIn(rootPurl);
    if (manifest.kind === 'unnamed') return unknown('what the repository says of the package cannot be read');
    if (manifest.kind === 'none')
      return fired('medium', `${asked} has no package where ${name} says that it is kept`, 'none');
    if (isNamed(rootPurl, manifest.name)) return ok(`${asked} names it`);
    if (manifest.several)
      return unknown(`${asked} holds several packages, and ${name} does not say where it is`);
    return fired('high', `it names ${asked} as its repository, which holds another package`, manifest.name);
  },
};

function fired(severity: 'high' | 'medium', message: string, value: string): Outcome {
  const evidence = [{ kind: 'fact', source: 'GitHub, name in the package file', value }] as const;
  return { outcome: 'fired', findings: [finding(severity, message, evidence)] };
}
