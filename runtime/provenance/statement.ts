/** What was signed: an in-toto statement, about which bytes, and in agreement with who signed it. */
import { createHash } from 'node:crypto';
import type { Json } from '../../schemas/common.ts';
import { quote } from '../../schemas/errors.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import {
  type BundleInput,
  type BundlePolicy,
  type CertificateIdentity,
  elsewhere,
  invalid,
  type KeyIdentity,
  type Statement,
  type Subject,
  stranger,
} from './policy.ts';

const STATEMENT_PAYLOAD = 'application/vnd.in-toto+json';
const STATEMENT_TYPES: readonly string[] = [
  'https://in-toto.io/Statement/v0.1',
  'https://in-toto.io/Statement/v1',
];
/** SHA-1 and MD5 bind nothing. */
const STRONG = ['sha256', 'sha384', 'sha512'] as const;

const InToto = Type.Object({
  _type: Type.Union(STATEMENT_TYPES.map((type) => Type.Literal(type))),
  predicateType: Type.String(),
  subject: Type.Array(
    Type.Object({
      name: Type.Optional(Type.String()),
      digest: Type.Record(Type.String(), Type.String()),
    }),
    { minItems: 1, maxItems: 10_000 },
  ),
  predicate: Type.Optional(Type.Unknown()),
});

/** The fields of SLSA provenance v1 that say again what the certificate says. */
const SlsaV1 = Type.Object({
  buildDefinition: Type.Object({
    externalParameters: Type.Object({ workflow: Type.Object({ repository: Type.String() }) }),
    resolvedDependencies: Type.Optional(
      Type.Array(
        Type.Object({ digest: Type.Optional(Type.Object({ gitCommit: Type.Optional(Type.String()) })) }),
      ),
    ),
  }),
});

/** Reads verified bytes. Throws PROVENANCE_INVALID, or JSON_INVALID for what is no strict JSON. */
export function readStatement(payloadType: string, payload: Uint8Array): Statement {
  if (payloadType !== STATEMENT_PAYLOAD) {
    throw invalid({ expected: `a payload of type ${STATEMENT_PAYLOAD}`, found: quote(payloadType) });
  }
  const json = parseStrict(payload);
  if (!isValid(InToto, json)) throw invalid({ expected: 'an in-toto statement', found: 'other JSON' });
  return {
    predicateType: json.predicateType,
    subjects: json.subject.map(({ name, digest }) => ({ name: name ?? null, digest })),
    predicate: (json.predicate ?? null) as Json,
    digest: sha256(payload),
  };
}

/**
 * Type, subject name and artifact digest as demanded. An attestation of one package, as its registry keeps it, has one
 * subject. Throws PROVENANCE_SUBJECT.
 */
export function assertAbout(statement: Statement, input: BundleInput, policy: BundlePolicy): void {
  const { predicateType, subjects } = statement;
  const beside = input.format === 'npm' ? [input.attestation] : [];
  const types = policy.predicateType === undefined ? beside : [...beside, policy.predicateType];
  for (const wanted of types) {
    if (wanted !== predicateType)
      throw elsewhere(`a statement of type ${quote(wanted)}`, quote(predicateType));
  }
  const single = input.format === 'npm' || input.format === 'pep740';
  if (single && subjects.length !== 1) throw elsewhere('one subject', `${subjects.length}`);
  const named =
    policy.subject === undefined ? subjects : subjects.filter(({ name }) => name === policy.subject);
  if (named.length === 0) throw elsewhere(`the subject ${quote(policy.subject ?? '')}`, names(subjects));
  const { artifact } = input;
  if (artifact === null || named.some((subject) => isOf(subject, artifact))) return;
  throw elsewhere(`a subject with ${sha256(artifact)}, the artifact's own digest`, names(named));
}

/** Every digest of an algorithm that binds is the artifact's, and there is at least one. */
function isOf({ digest }: Subject, artifact: Uint8Array): boolean {
  const given = STRONG.filter((algorithm) => Object.hasOwn(digest, algorithm));
  return (
    given.length > 0 &&
    given.every((algorithm) => digest[algorithm] === createHash(algorithm).update(artifact).digest('hex'))
  );
}

/** The certificate is the authority; a predicate that says otherwise is false. Throws PROVENANCE_IDENTITY. */
export function assertAgrees(statement: Statement, identity: CertificateIdentity | KeyIdentity): void {
  if (identity.kind !== 'certificate' || statement.predicateType !== 'https://slsa.dev/provenance/v1') return;
  if (!isValid(SlsaV1, statement.predicate)) return;
  const { externalParameters, resolvedDependencies = [] } = statement.predicate.buildDefinition;
  const { repository } = externalParameters.workflow;
  if (identity.repository !== null && repository !== identity.repository) {
    throw stranger(`provenance of ${quote(identity.repository)}, as certified`, quote(repository));
  }
  const commits = resolvedDependencies.flatMap(({ digest }) => digest?.gitCommit ?? []);
  if (identity.commit !== null && commits.length > 0 && !commits.includes(identity.commit)) {
    throw stranger(`provenance of commit ${identity.commit}, as certified`, quote(commits.join(', ')));
  }
}

function names(subjects: readonly Subject[]): string {
  const shown = subjects.slice(0, 3).map(({ name, digest }) => {
    const [algorithm = 'no digest', hex = ''] = Object.entries(digest)[0] ?? [];
    return quote(`${name ?? 'unnamed'} ${algorithm} ${hex.slice(0, 16)}`.trim());
  });
  return `${shown.join(', ')}${subjects.length > 3 ? ` and ${subjects.length - 3} more` : ''}`;
}
