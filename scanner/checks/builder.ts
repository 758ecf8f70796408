import type { Builder } from '../../schemas/origin.ts';
import { builtIn } from '../provenance/standing.ts';
import { type Check, finding, firedOr, ok, unknown } from './check.ts';

/** Exact values: a repository that was renamed keeps its id, one that was made again does not. */
export const builder: Check = {
  id: 'LK-PRV-04',
  title: 'Built by whom the last approved was',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested, baseline }) => {
    if (typeof attested === 'string') return unknown(attested);
    const now = builtIn(attested)?.builder ?? null;
    if (baseline === null)
      return now ? ok(`first release seen; built by ${now.san}`) : nobody(attested.build);
    if (baseline.origin === null) return unknown(`who built ${baseline.version} was not looked at`);
    const before = baseline.origin.provenance?.builder ?? null;
    if (before === null) return now ? ok(`the first one with a builder: ${now.san}`) : nobody(attested.build);
    if (now === null) return unknown('nobody is known to have built it: LK-PRV-03 tells of that');
    const changes = changesOf(before, now);
    const findings = changes.map(([at, was, is]) =>
      finding('critical', `another ${at} than ${baseline.version} was built by`, [
        { kind: 'change', at, before: was, after: is },
      ]),
    );
    return firedOr(findings, now.san);
  },
};

function nobody(build: { readonly state: string; readonly reason?: string }): ReturnType<typeof ok> {
  return build.state === 'absent'
    ? ok('there is no provenance')
    : unknown(build.reason ?? 'it does not hold');
}

type Change = readonly [what: string, before: string, after: string];

function changesOf(before: Builder, now: Builder): Change[] {
  const pairs: readonly (readonly [string, string | null, string | null])[] = [
    ['issuer', before.issuer, now.issuer],
    ['repository id', before.repositoryId, now.repositoryId],
    ['repository', before.repository, now.repository],
    ['workflow', pathOf(before.workflow), pathOf(now.workflow)],
    ['signer', pathOf(before.san), pathOf(now.san)],
  ];
  return pairs.flatMap(([what, was, is]): Change[] =>
    was === is || (was === null && is !== null) ? [] : [[what, was ?? 'none', is ?? 'none']],
  );
}

/** A workflow without the tag or branch that it ran for, which differs with every release. */
function pathOf(uri: string | null): string | null {
  return uri?.replace(/@[^@]*$/, '') ?? null;
}
