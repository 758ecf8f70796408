/** Signatures as cosign kept them before there were referrers: in annotations of a layer that is the signed text. */
import { createHash, X509Certificate } from 'node:crypto';
import { isObject, type JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';

export const LEGACY_LAYER = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE = 'dev.cosignproject.cosign/signature';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const LOGGED = 'dev.sigstore.cosign/bundle';
const SIGNED_TYPE = 'cosign container image signature';

/** The same as a sigstore bundle: certificate, log entry with its promise, signature over the text. Verified by others. */
export function legacyBundle(annotations: Readonly<Record<string, unknown>>, payload: Buffer): Buffer {
  const [signature, certificate, logged] = [SIGNATURE, CERTIFICATE, LOGGED].map((name) => annotations[name]);
  const entries = typeof logged === 'string' ? [entryOf(logged)] : [];
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: { ...signerOf(certificate), tlogEntries: entries, timestampVerificationData: null },
    messageSignature: {
      messageDigest: { algorithm: 'SHA2_256', digest: createHash('sha256').update(payload).digest('base64') },
      signature: typeof signature === 'string' ? signature : '',
    },
  };
  return Buffer.from(JSON.stringify(bundle));
}

function signerOf(certificate: unknown): object {
  if (typeof certificate !== 'string') return { publicKey: { hint: '' } };
  try {
    const rawBytes = new X509Certificate(certificate).raw.toString('base64');
    return { x509CertificateChain: { certificates: [{ rawBytes }] } };
  } catch {
    return { x509CertificateChain: { certificates: [] } };
  }
}

function entryOf(text: string): object {
  const { SignedEntryTimestamp: promise, Payload: payload } = objectIn(text);
  const { body, integratedTime, logIndex, logID } = (payload ?? {}) as JsonObject;
  const { kind = null, apiVersion = null } = objectIn(Buffer.from(String(body), 'base64').toString('utf8'));
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(String(logID), 'hex').toString('base64') },
    kindVersion: { kind: String(kind), version: String(apiVersion) },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: String(promise) },
    canonicalizedBody: String(body),
  };
}

function objectIn(text: string): JsonObject {
  try {
    const value = parseStrict(text);
    if (isObject(value)) return value;
  } catch {
    // What is missing will not verify.
  }
  return {};
}

/** What the signed text says is the image's digest. Throws PROVENANCE_SUBJECT for another one, or for another kind of text. */
export function assertSigned(payload: Buffer, digest: string): void {
  const { critical } = objectIn(payload.toString('utf8')) as { critical?: JsonObject };
  const image = (critical?.image ?? {}) as JsonObject;
  const named = image['docker-manifest-digest'];
  if (critical?.type === SIGNED_TYPE && named === digest) return;
  throw new LockkeeperError('PROVENANCE_SUBJECT', {
    expected: `a signature of the image ${digest}`,
    found: `one of ${quote(String(named ?? 'something else'), 100)}`,
    next: 'Do not approve this release: its signature was made for another image',
  });
}
