/** A reviewer's signed statement about one release: an in-toto statement in a DSSE envelope. */
import { Closed, Digest, Environment, Instant, Person, Purl, ServerName, Sha512, Version } from './common.ts';
import type { Envelope } from './dsse.ts';
import { digestOf } from './json.ts';
import { Provenance } from './origin.ts';
import { Launch, Permissions, type Release } from './release.ts';
import { type Static, Type } from './type.ts';

export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
export const APPROVAL_PREDICATE = 'https://lockkeeper.dev/approval/v1';

/** The release that the reviewer read the difference from, as it was approved then. */
export const DeltaFrom = Closed({
  version: Version,
  closureDigest: Digest,
  surfaceDigest: Digest,
  approvals: Type.Array(Digest, { minItems: 1, maxItems: 64, uniqueItems: true }),
});
export type DeltaFrom = Static<typeof DeltaFrom>;

export const Approval = Closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject: Type.Array(
    Closed({
      name: Purl,
      digest: Closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), sha512: Sha512 }),
    }),
    { minItems: 1, maxItems: 20_000 },
  ),
  predicateType: Type.Literal(APPROVAL_PREDICATE),
  predicate: Closed({
    decision: Type.Literal('approved'),
    server: Closed({ name: ServerName, version: Version, purl: Purl }),
    closureDigest: Digest,
    surfaceDigest: Digest,
    reportDigest: Digest,
    permissions: Permissions,
    launch: Launch,
    /** What is signed of the package, and who built it. Absent: nothing is known to be signed. */
    provenance: Type.Optional(Provenance),
    /** Empty means none: a release approved for no environment runs nowhere. */
    environments: Type.Array(Environment, { maxItems: 32, uniqueItems: true }),
    /** Ids of checks that fired or are unknown and that this reviewer accepts, each with a reason. */
    accepts: Type.Record(
      Type.String({ pattern: '^LK-[A-Z]+-[0-9]{2}$' }),
      Type.String({ minLength: 3, maxLength: 500 }),
      { additionalProperties: false },
    ),
    /** Absent: the reviewer read the whole release. */
    deltaFrom: Type.Optional(DeltaFrom),
    requestedBy: Person,
    approvedBy: Person,
    notBefore: Instant,
    expires: Instant,
  }),
});
export type Approval = Static<typeof Approval>;

export type ApprovalSubject = Approval['subject'][number];

/** The subjects an approval must carry for this closure: every artifact, by both digests, in location order. */
export function subjectsOf(release: Pick<Release, 'closure'>): ApprovalSubject[] {
  return (release.closure?.artifacts ?? []).map((artifact) => ({
    name: artifact.purl,
    digest: { sha256: artifact.sha256.slice('sha256:'.length), sha512: artifact.sha512 },
  }));
}

/** An envelope's identity: over its canonical JSON, so that it names payload, type and signatures alike. */
export function envelopeDigest(envelope: Envelope): string {
  return digestOf(envelope);
}
