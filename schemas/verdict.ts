/**
 * What a scan concluded, signed by the scanner's key: a SLSA Verification Summary Attestation (predicate v1, in a DSSE
 * envelope), so that any tool that reads such summaries can use it. Its resource is the release; its subjects are every
 * artifact of the closure; its inputs are the report and all evidence, each by digest.
 */
import { subjectsOf } from './approval.ts';
import { Closed, Instant, Purl, Sha512 } from './common.ts';
import type { Report } from './finding.ts';
import { digestOf } from './json.ts';
import type { Policy } from './policy.ts';
import type { Closure } from './release.ts';
import { concludeReport } from './scan.ts';
import { type Static, Type } from './type.ts';
import { VERSION } from './version.ts';

const VERDICT_PREDICATE = 'https://slsa.dev/verification_summary/v1';
const VERIFIER = 'https://lockkeeper.dev/scanner';

const Sha256Hex = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Named = Closed({
  uri: Type.String({ minLength: 1, maxLength: 700 }),
  digest: Closed({ sha256: Sha256Hex }),
});

export const Verdict = Closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject: Type.Array(Closed({ name: Purl, digest: Closed({ sha256: Sha256Hex, sha512: Sha512 }) }), {
    minItems: 1,
    maxItems: 20_000,
  }),
  predicateType: Type.Literal(VERDICT_PREDICATE),
  predicate: Closed({
    verifier: Closed({ id: Type.Literal(VERIFIER), version: Closed({ lockkeeper: Type.String() }) }),
    timeVerified: Instant,
    resourceUri: Purl,
    policy: Named,
    /** The report first, then what it rests on. */
    inputAttestations: Type.Array(Named, { minItems: 1, maxItems: 100 }),
    /** PASSED: no check that gates fired, and none is unknown. */
    verificationResult: Type.Union([Type.Literal('PASSED'), Type.Literal('FAILED')]),
    /** Levels of the SLSA build track are not claimed by a scan. */
    verifiedLevels: Type.Array(Type.String(), { maxItems: 0 }),
    slsaVersion: Type.Literal('1.1'),
  }),
});
export type Verdict = Static<typeof Verdict>;

interface Scanned {
  readonly report: Report;
  readonly reportDigest: string;
  readonly closure: Closure;
}

/** Pure: the same scan gives the same statement. */
export function verdictOf({ report, reportDigest, closure }: Scanned, policy: Policy): Verdict {
  const named = (uri: string, digest: string): Static<typeof Named> => ({
    uri,
    digest: { sha256: digest.slice('sha256:'.length) },
  });
  const evidence = Object.entries(report.evidence).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectsOf({ closure }),
    predicateType: VERDICT_PREDICATE,
    predicate: {
      verifier: { id: VERIFIER, version: { lockkeeper: VERSION } },
      timeVerified: report.again?.at ?? report.scannedAt,
      resourceUri: report.release.purl,
      policy: named('policy', digestOf(policy)),
      inputAttestations: [
        named('report', reportDigest),
        ...evidence.map(([name, digest]) => named(`evidence/${name}`, digest)),
      ],
      verificationResult: concludeReport(report) === 'ok' ? 'PASSED' : 'FAILED',
      verifiedLevels: [],
      slsaVersion: '1.1',
    },
  };
}
