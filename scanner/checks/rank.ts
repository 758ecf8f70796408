import type { Rank } from '../../schemas/origin.ts';
import type { Upstream } from '../ports.ts';
import { builtIn, compareRanks, RANK_WORDS, rankOf } from '../provenance/standing.ts';
import { type Check, type Facts, finding, type Outcome, ok, unknown } from './check.ts';

/** A stolen account publishes without the workflow: what was signed before and is not any more is how that shows. */
export const rank: Check = {
  id: 'LK-PRV-03',
  title: 'Signed as much as before',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested, baseline, upstream, rootPurl }) => {
    if (typeof attested === 'string') return unknown(attested);
    const now = rankOf(attested);
    const before = baseline?.origin?.provenance?.rank ?? null;
    if (baseline !== null && before !== null && compareRanks(now ?? 'none', before) < 0)
      return downgrade(now, { rank: before, of: `${baseline.version}, the last approved` }, whyIn(attested));
    const earlier = typeof upstream === 'string' ? null : attestedBefore(upstream, rootPurl);
    if (earlier !== null && attested.build.state === 'absent' && builtIn(attested) === null)
      return downgrade(
        now,
        { rank: 'provenance', of: `${earlier}, as the registry lists it` },
        whyIn(attested),
      );
    if (now === null || (now === 'none' && whyIn(attested) !== '')) return unknown(whyIn(attested));
    if (baseline !== null && before === null)
      return unknown(`${RANK_WORDS[now]}; what was signed of ${baseline.version} was not known`);
    return ok(RANK_WORDS[now]);
  },
};

type Attested = Exclude<Facts['attested'], string>;

function whyIn({ signature, publish, build }: Attested): string {
  const [why = ''] = [build, publish, signature].flatMap((one) => {
    if (one.state === 'unknown') return [one.reason];
    return one.state === 'broken' ? [one.message] : [];
  });
  return why;
}

/** By time of publication, not by number: an old line may get a version today. */
function attestedBefore({ history, publishedAt }: Upstream, purl: string): string | null {
  const version = decodeURIComponent(purl.split('@').at(-1) ?? '');
  if (history === null || publishedAt === null) return null;
  const stable = !version.includes('-');
  const earlier = history.filter(
    (one) =>
      one.attested &&
      one.at !== null &&
      one.at < publishedAt &&
      one.version !== version &&
      (!stable || !one.version.includes('-')),
  );
  return earlier.sort((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1)).at(-1)?.version ?? null;
}

function downgrade(now: Rank | null, before: { rank: Rank; of: string }, why: string): Outcome {
  const seen = now === null ? `nothing that can be verified (${why})` : RANK_WORDS[now];
  const message = `${before.of}, had ${RANK_WORDS[before.rank]}; this version has ${seen}`;
  const after = now ?? 'unknown';
  const evidence = { kind: 'change', at: 'what is signed', before: before.rank, after } as const;
  return { outcome: 'fired', findings: [finding('high', message, [evidence])] };
}
