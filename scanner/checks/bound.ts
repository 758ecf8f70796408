import { type Built, builtIn, isBound } from '../provenance/standing.ts';
import { type Check, type Facts, finding, firedOr, ok, unknown } from './check.ts';

type Found = ReturnType<typeof finding>;

/** The certificate says which commit of which repository was built; whatever the package says otherwise is not its own. */
export const bound: Check = {
  id: 'LK-PRV-02',
  title: 'Provenance names what the package names',
  owasp: 'MCP04',
  about: 'package or image',
  gatesFiredOnly: true,
  readsAttested: true,
  run: ({ attested, rootPurl }) => {
    if (typeof attested === 'string') return unknown(attested);
    const about = [attested.publish, attested.build].flatMap((one) =>
      one.state === 'broken' && one.code === 'PROVENANCE_SUBJECT' ? [one.message] : [],
    );
    if (about.length > 0)
      return { outcome: 'fired', findings: about.map((text) => otherThing(text, rootPurl)) };
    const built = builtIn(attested);
    if (built === null) {
      const { build } = attested;
      return build.state === 'absent' ? ok('there is no provenance to compare') : unknown(whyNot(attested));
    }
    return firedOr([...repository(built, attested.claimed), ...commit(built, attested)], agreed(built));
  },
};

function whyNot({ build }: Exclude<Facts['attested'], string>): string {
  if (build.state === 'unknown') return build.reason;
  return 'the provenance does not hold: LK-PRV-01 tells why';
}

function agreed({ builder }: Built): string {
  return `${builder.repository ?? builder.san} at ${builder.commit?.slice(0, 12) ?? 'a commit it does not tell'}`;
}

function otherThing(message: string, purl: string): Found {
  const evidence = [{ kind: 'fact', source: 'PROVENANCE_SUBJECT', value: purl }] as const;
  return finding('critical', `its attestation is about something else: ${message}`, evidence);
}

function repository(built: Built, claimed: readonly string[]): Found[] {
  const own = built.builder.repository;
  if (own === null || claimed.length === 0 || isBound(built, claimed)) return [];
  const evidence = { kind: 'change', at: 'repository', before: claimed.join(', '), after: own } as const;
  return [
    finding('critical', `it names ${claimed.join(', ')} as its repository and was built from ${own}`, [
      evidence,
    ]),
  ];
}

function commit({ builder }: Built, attested: { readonly commit: string | null }): Found[] {
  const told = attested.commit;
  if (told === null || builder.commit === null || told === builder.commit) return [];
  const evidence = { kind: 'change', at: 'commit', before: told, after: builder.commit } as const;
  return [finding('high', 'the registry tells another commit than it was built from', [evidence])];
}
