/**
 * Signature bundles, verified offline: bytes in, a verdict out, no socket on the way. Cryptography is the sigstore
 * library's (certificate chain, signed certificate timestamps, log inclusion, timestamps, signature); what it leaves to
 * its caller is done here, in numbered steps.
 */
import type { Bundle } from '@sigstore/bundle';
import { readPublicKey, verifyBytes } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sigstoreVerify } from '../lazy.ts';
import { assertNames, assertSigner, identityOf, leafOf } from './identity.ts';
import {
  type BundleInput,
  type BundlePolicy,
  type CertificateIdentity,
  elsewhere,
  invalid,
  type KeyIdentity,
  type SignerPolicy,
  stranger,
  unusable,
  type VerifiedBundle,
} from './policy.ts';
import { readBundle, readEnvelope } from './read.ts';
import { assertAbout, assertAgrees, readStatement } from './statement.ts';
import { openVerifier } from './trust.ts';
import { assertBound } from './unbound.ts';

/**
 * Verifies one attestation or signature. `trustRoots` are the bytes of sigstore trusted roots and of registry key lists;
 * the policy picks by digest, and only the picked ones count. Throws PROVENANCE_INVALID (it does not hold),
 * PROVENANCE_IDENTITY (another signer), PROVENANCE_SUBJECT (about something else), PROVENANCE_MISSING (not among the
 * attestations), ROOT_UNTRUSTED, JSON_INVALID, KEY_UNKNOWN or CONFIG_INVALID. Any of them means: not verified.
 */
export function verifyBundle(
  input: BundleInput,
  policy: BundlePolicy,
  trustRoots: readonly Uint8Array[],
): VerifiedBundle {
  // 1 the policy names somebody
  assertNames(policy.signer);
  if (input.format === 'dsse') return verifyEnvelope(input, policy);
  // 2 one of the known wrappings, complete
  const bundle = readBundle(input);
  const leaf = leafOf(bundle);
  // 3 what the library would leave unread is what was signed
  assertBound(bundle, leaf, input.artifact);
  // 4 to 5 signature, certificate, logs and times under the one root; the signer
  const identity = verifySigner(bundle, input.artifact, { policy, trustRoots, leaf });
  if (policy.signer.kind === 'certificate' && identity.kind === 'certificate')
    assertSigner(identity, policy.signer);
  const entries = bundle.verificationMaterial.tlogEntries.map((entry) => ({
    logId: entry.logId?.keyId.toString('hex') ?? '',
    integratedAt: entry.inclusionPromise ? new Date(Number(entry.integratedTime) * 1000) : null,
  }));
  if (bundle.content.$case === 'messageSignature') {
    if (input.artifact === null) throw unbound();
    if (policy.predicateType !== undefined || policy.subject !== undefined)
      throw invalid({ expected: 'a signed statement', found: 'a signature over the artifact alone' });
    return { identity, statement: null, entries };
  }
  // 6 only now is the payload read, from the very bytes that were verified
  const { payloadType, payload } = bundle.content.dsseEnvelope;
  return { ...conclude({ payloadType, payload, identity }, input, policy), entries };
}

interface Trust {
  readonly policy: BundlePolicy;
  readonly trustRoots: readonly Uint8Array[];
  readonly leaf: Buffer | undefined;
}

/** The library's part. Throws PROVENANCE_INVALID, and CONFIG_INVALID without a root. */
export function verifySigner(
  bundle: Bundle,
  artifact: Uint8Array | null,
  { policy, trustRoots, leaf }: Trust,
): CertificateIdentity | KeyIdentity {
  if (policy.root === null) throw unusable('the digest of a sigstore trusted root', 'none');
  const verifier = openVerifier(policy.root, policy.signer, trustRoots);
  assertKind(policy.signer, leaf);
  try {
    const data = Buffer.from(artifact ?? []);
    const signer = verifier.verify(sigstoreVerify().toSignedEntity(bundle, data));
    if (leaf) return identityOf(signer, leaf);
  } catch (cause) {
    if (cause instanceof LockkeeperError) throw cause;
    // malformed input surfaces as any kind of error, plain TypeErrors included
    const { code = 'malformed', message = String(cause) } = cause as { code?: string; message?: string };
    // the library's last step: all else held
    const open = artifact === null && bundle.content.$case === 'messageSignature';
    if (open && code === 'SIGNATURE_ERROR') throw unbound();
    const found = quote(`${code}: ${message}`, 300);
    throw invalid({ expected: `a signature that holds under the root ${policy.root}`, found, cause });
  }
  const { content } = bundle.verificationMaterial;
  return { kind: 'key', keyid: content.$case === 'publicKey' ? content.publicKey.hint : '' };
}

function unbound(): LockkeeperError {
  return elsewhere('the artifact that this signature is over', 'none');
}

function assertKind({ kind }: SignerPolicy, leaf: Buffer | undefined): void {
  const words = (certified: boolean): string => (certified ? 'a signer with a certificate' : 'a bare key');
  const wanted = kind === 'certificate' || kind === 'whoever';
  if (wanted !== (leaf !== undefined)) throw stranger(words(wanted), words(!wanted));
}

/** A plain DSSE envelope under one given key: Ed25519, or P-256 with its signature in DER or as raw r||s. */
function verifyEnvelope(input: BundleInput, policy: BundlePolicy): VerifiedBundle {
  if (policy.signer.kind !== 'key' || policy.root !== null) {
    throw unusable(
      'a key and no root for a plain envelope, which has no log',
      `signer ${policy.signer.kind}`,
    );
  }
  const { key, keyid } = readPublicKey(policy.signer.pem);
  const { payloadType, payload, signatures } = readEnvelope(input.bytes);
  const good = signatures.some((sig) => verifyBytes(payloadType, payload, { keyid, sig }, key));
  if (!good)
    throw invalid({ expected: `a signature by the key ${keyid}`, found: 'none that fits these bytes' });
  return {
    ...conclude({ payloadType, payload, identity: { kind: 'key', keyid } }, input, policy),
    entries: [],
  };
}

interface Signed {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly identity: CertificateIdentity | KeyIdentity;
}

/** 7 about the demanded bytes, 8 in agreement with the certificate. */
function conclude(
  { payloadType, payload, identity }: Signed,
  input: BundleInput,
  policy: BundlePolicy,
): Omit<VerifiedBundle, 'entries'> {
  const statement = readStatement(payloadType, payload);
  assertAbout(statement, input, policy);
  assertAgrees(statement, identity);
  return { identity, statement };
}
