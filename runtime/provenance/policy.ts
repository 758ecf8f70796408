/** What a caller demands of an attestation, what is handed in, and what comes out. Values are exact, never patterns. */
import type { Digest, Json } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';

/**
 * Who must have signed. A certificate is demanded by its issuer (`null`: the certificate names none, as with GitHub's
 * release attestations) and by at least one of the other three: an issuer alone is everybody with an account there.
 */
export type SignerPolicy =
  | {
      readonly kind: 'certificate';
      readonly issuer: string | null;
      /** Subject alternative name: the workflow that signed, or an e-mail address. */
      readonly san?: string;
      /** Source repository, as a URL. For a reusable workflow this is the caller's, unlike the SAN. */
      readonly repository?: string;
      /** Top-level workflow with its ref, as a URL. */
      readonly workflow?: string;
    }
  /** Whoever has a certificate: for a caller that compares the identity that comes back itself. */
  | { readonly kind: 'whoever' }
  /** A key of the package registry, out of the trust file with this digest. */
  | { readonly kind: 'npm-key'; readonly keys: Digest }
  /** One public key, SPKI in PEM. */
  | { readonly kind: 'key'; readonly pem: string };

export interface BundlePolicy {
  /** Digest of the one sigstore trusted root that counts; `null` only where nothing but a plain key does. */
  readonly root: Digest | null;
  readonly signer: SignerPolicy;
  readonly predicateType?: string;
  /** Name that the statement must give to the artifact, such as its purl. */
  readonly subject?: string;
}

export type BundleInput = {
  readonly bytes: Uint8Array;
  /** Bytes the attestation must be about; `null`: the caller compares the returned subjects itself. */
  readonly artifact: Uint8Array | null;
} & (
  | { readonly format: 'sigstore' | 'pep740' | 'dsse' }
  /** Which attestation of the package registry's answer, by the predicate type written beside it. */
  | { readonly format: 'npm'; readonly attestation: string }
);

/** What the certificate says, each `null` where it is silent: older certificates carry less. */
export interface CertificateIdentity {
  readonly kind: 'certificate';
  readonly issuer: string | null;
  readonly san: string;
  readonly repository: string | null;
  readonly repositoryId: string | null;
  readonly workflow: string | null;
  readonly commit: string | null;
  readonly ref: string | null;
  readonly runner: string | null;
  readonly trigger: string | null;
  readonly run: string | null;
  /** Digest of the certificate's DER. */
  readonly certificate: Digest;
}

export interface KeyIdentity {
  readonly kind: 'key';
  /** As the bundle names it; of a plain envelope, the digest of the key. */
  readonly keyid: string;
}

export interface Subject {
  readonly name: string | null;
  /** Hex digests by algorithm, as the signer wrote them. */
  readonly digest: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly predicateType: string;
  readonly subjects: readonly Subject[];
  readonly predicate: Json;
  /** Digest of the signed bytes: a bundle's own digest is no identity, for its wrapping can be rewritten. */
  readonly digest: Digest;
}

export interface VerifiedBundle {
  readonly identity: CertificateIdentity | KeyIdentity;
  /** `null` for a signature over the artifact itself. */
  readonly statement: Statement | null;
  /** Transparency logs that carry it. `integratedAt` only where the log signed that time. */
  readonly entries: readonly { readonly logId: string; readonly integratedAt: Date | null }[];
}

interface Sides {
  readonly expected: string;
  readonly found: string;
  readonly cause?: unknown;
}

/** The signature, its certificate or its log entry does not hold. */
export function invalid(sides: Sides): LockkeeperError {
  const next =
    'Fetch the attestation again from its origin; if it comes the same, do not approve the release';
  return new LockkeeperError('PROVENANCE_INVALID', { ...sides, next });
}

/** It holds, and somebody else made it. */
export function stranger(expected: string, found: string): LockkeeperError {
  const next = 'Find out who published this release; change the policy only if that is who should';
  return new LockkeeperError('PROVENANCE_IDENTITY', { expected, found, next });
}

/** It holds, and speaks of something else. */
export function elsewhere(expected: string, found: string): LockkeeperError {
  const next = 'Fetch the artifact and its attestation again from their origin, both of the same version';
  return new LockkeeperError('PROVENANCE_SUBJECT', { expected, found, next });
}

/** The policy itself cannot be applied. */
export function unusable(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', { expected, found, next: 'Correct the provenance policy' });
}
