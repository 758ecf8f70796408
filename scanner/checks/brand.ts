import { packageIn } from '../github/repository.ts';
import { builtIn } from '../provenance/standing.ts';
import { BRANDS, type Brand, isSlip, wordsOf } from './brands.ts';
import { type Check, type Facts, finding, type Outcome, ok } from './check.ts';

/** Shorter names are one slip away from too many words. */
const MIN_SLIP = 6;

/** A name says whose a server is to whoever chooses it, and to the model. Told, not gated: many name what they connect to. */
export const brand: Check = {
  id: 'LK-NAM-01',
  title: 'Its name is not somebody else’s',
  owasp: 'MCP04',
  about: 'package',
  readsAttested: true,
  run: ({ rootPurl, attested }) => {
    const { name } = packageIn(rootPurl);
    const { scope, words } = wordsOf(name);
    const keeper = BRANDS.find(({ scopes }) => scope !== null && scopes.includes(scope));
    if (keeper) return ok(`of ${keeper.name}'s own scope`);
    const inScope = scope?.split(/[-_.]+/) ?? [];
    const all = [...inScope, ...words];
    const meant = BRANDS.find((one) => all.includes(one.name));
    if (meant)
      return judged(meant, { name, attested, loud: inScope.includes(meant.name) || words.length === 1 });
    const slipped = BRANDS.find(
      (one) => one.name.length >= MIN_SLIP && all.some((word) => isSlip(word, one.name)),
    );
    if (slipped) return fired('medium', `${name} is one slip away from the name of ${slipped.name}`, slipped);
    return ok('like no name that is known here');
  },
};

interface Named {
  readonly name: string;
  readonly attested: Facts['attested'];
  /** It stands in the scope, or is all that the name says. */
  readonly loud: boolean;
}

function judged(meant: Brand, { name, attested, loud }: Named): Outcome {
  const { proved, claimed } = ownersOf(attested);
  if (proved !== null && meant.owners.includes(proved)) return ok(`built by ${proved}`);
  const claims = claimed.some((owner) => meant.owners.includes(owner));
  const whose = claims ? 'nobody proves that it comes from there' : 'comes from somebody else';
  return fired(
    loud && !claims ? 'medium' : 'low',
    `${name} has the name of ${meant.name}, and ${whose}`,
    meant,
  );
}

function ownersOf(attested: Facts['attested']): {
  readonly proved: string | null;
  readonly claimed: readonly string[];
} {
  if (typeof attested === 'string') return { proved: null, claimed: [] };
  const ownerOf = (url: string): string => new URL(url).pathname.split('/')[1]?.toLowerCase() ?? '';
  const built = builtIn(attested)?.builder.repository ?? null;
  const proved = built !== null && URL.canParse(built) ? ownerOf(built) : null;
  return { proved, claimed: attested.claimed.map(ownerOf) };
}

function fired(severity: 'medium' | 'low', message: string, { scopes, owners }: Brand): Outcome {
  const value = `npm scopes ${scopes.join(', ')}; GitHub ${owners.join(', ')}`;
  const evidence = [{ kind: 'fact', source: 'names known here', value }] as const;
  return { outcome: 'fired', findings: [finding(severity, message, evidence)] };
}
