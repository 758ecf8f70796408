/**
 * Parts of a bundle that the library leaves unread, so that a changed byte would pass: they are compared here with what
 * is signed. Without this, one attestation has many written forms.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { HashAlgorithm } from '@sigstore/protobuf-specs';
import { sigstoreSpecs } from '../lazy.ts';
import { elsewhere, invalid } from './policy.ts';

/** Throws PROVENANCE_INVALID, or PROVENANCE_SUBJECT for a signature over another artifact. */
export function assertBound(bundle: Bundle, leaf: Buffer | undefined, artifact: Uint8Array | null): void {
  if (leaf) assertDer(leaf);
  for (const { inclusionProof } of bundle.verificationMaterial.tlogEntries) {
    if (inclusionProof) assertProof(inclusionProof);
  }
  if (bundle.content.$case === 'messageSignature' && artifact !== null) {
    assertMessage(bundle.content.messageSignature.messageDigest, artifact);
  }
}

/** One certificate in its one encoding, and nothing after it. */
function assertDer(leaf: Buffer): void {
  try {
    if (new X509Certificate(leaf).raw.equals(leaf)) return;
  } catch (cause) {
    throw invalid({ expected: 'an X.509 certificate', found: 'bytes that are none', cause });
  }
  throw invalid({ expected: 'a certificate in DER', found: 'another encoding of one' });
}

interface Proof {
  readonly rootHash: Buffer;
  readonly treeSize: string;
  readonly checkpoint?: { readonly envelope: string } | undefined;
}

/** Size and root hash beside a proof are those of the checkpoint that its log signed. */
function assertProof({ rootHash, treeSize, checkpoint }: Proof): void {
  if (!checkpoint) return;
  const [, size = '', root = ''] = checkpoint.envelope.split('\n');
  if (size === treeSize && root === rootHash.toString('base64')) return;
  throw invalid({
    expected: `an inclusion proof for the signed checkpoint of size ${JSON.stringify(size)}`,
    found: `one for size ${JSON.stringify(treeSize)} with root hash ${rootHash.toString('base64')}`,
  });
}

interface MessageDigest {
  readonly algorithm: HashAlgorithm;
  readonly digest: Buffer;
}

function assertMessage({ algorithm, digest }: MessageDigest, artifact: Uint8Array): void {
  const own = createHash('sha256').update(artifact).digest();
  if (algorithm === sigstoreSpecs().HashAlgorithm.SHA2_256 && digest.equals(own)) return;
  throw elsewhere(`a signature over sha256:${own.toString('hex')}`, `one over ${digest.toString('hex')}`);
}
