/**
 * DSSE envelopes (secure-systems-lab/dsse v1): what is signed is the exact payload bytes with their type, never a
 * re-serialisation. Keys are Ed25519 or ECDSA P-256 with SHA-256; P-256 signatures are read as DER or as raw r||s.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { Closed, KeyId } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';
import { sha256 } from './json.ts';
import { type Static, Type } from './type.ts';

/** Canonical: the bits that the last character does not need are zero, so that bytes are written in one way. */
export const Base64 = Type.String({
  pattern: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$',
  description: 'canonical base64',
});

export const Signature = Closed({ keyid: KeyId, sig: Base64 });
export type Signature = Static<typeof Signature>;

/** Of a key, or of an identity: then `sigstore` has what stands in for the key, as JSON in base64. */
export const EnvelopeSignature = Closed({
  ...Signature.properties,
  sigstore: Type.Optional(Type.Intersect([Base64, Type.String({ maxLength: 100_000 })])),
});

export type EnvelopeSignature = Static<typeof EnvelopeSignature>;

export const Envelope = Closed({
  payloadType: Type.String({ minLength: 1, maxLength: 200 }),
  payload: Base64,
  signatures: Type.Array(EnvelopeSignature, { minItems: 1, maxItems: 32 }),
});
export type Envelope = Static<typeof Envelope>;

/** Pre-authentication encoding: lengths in bytes, so that type and payload cannot run into each other. */
export function pae(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ]);
}

/** A public key as its SPKI PEM. Throws KEY_UNKNOWN for anything but Ed25519 and P-256. */
export function readPublicKey(pem: string): { key: KeyObject; keyid: string } {
  let key: KeyObject;
  // Node makes a public key of a private one as well; that one is nobody's to publish.
  if (!/^\s*-----BEGIN PUBLIC KEY-----/.test(pem)) throw badKey('a public key in PEM', 'something else');
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw badKey('a public key in PEM', 'text that is not one', cause);
  }
  assertAlgorithm(key);
  return { key, keyid: keyIdOf(key) };
}

export function readPrivateKey(pem: string): { key: KeyObject; keyid: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw badKey('a private key in PKCS#8 PEM', 'text that is not one', cause);
  }
  assertAlgorithm(key);
  return { key, keyid: keyIdOf(createPublicKey(key)) };
}

function assertAlgorithm(key: KeyObject): void {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ed25519') return;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') return;
  throw badKey(
    'an Ed25519 or P-256 key',
    quote(`${key.asymmetricKeyType ?? 'unknown'} ${curve ?? ''}`.trim()),
  );
}

function badKey(expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('KEY_UNKNOWN', { expected, found, next: 'Make one with: lk keys new', cause });
}

/** The key's name everywhere: SHA-256 over its SPKI DER. */
export function keyIdOf(publicKey: KeyObject): string {
  return sha256(publicKey.export({ type: 'spki', format: 'der' }));
}

/** Signs bytes as DSSE does. Returns standard base64; P-256 as DER. */
export function signBytes(payloadType: string, payload: Uint8Array, privateKey: KeyObject): Signature {
  const algorithm = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const sig = sign(algorithm, pae(payloadType, payload), privateKey).toString('base64');
  return { keyid: keyIdOf(createPublicKey(privateKey)), sig };
}

export function verifyBytes(
  payloadType: string,
  payload: Uint8Array,
  signature: Signature,
  key: KeyObject,
): boolean {
  return verifySignature(pae(payloadType, payload), Buffer.from(signature.sig, 'base64'), key);
}

/** A signature over these very bytes. 64 bytes of P-256 may be r||s, and rarely DER: length alone does not tell. */
export function verifySignature(bytes: Uint8Array, sig: Uint8Array, key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ed25519') return sig.length === 64 && verify(null, bytes, key, sig);
  const as = (dsaEncoding: 'der' | 'ieee-p1363'): boolean =>
    verify('sha256', bytes, { key, dsaEncoding }, sig);
  return (sig.length === 64 && as('ieee-p1363')) || as('der');
}

export function seal(payloadType: string, payload: Uint8Array, privateKeys: readonly KeyObject[]): Envelope {
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: privateKeys.map((key) => signBytes(payloadType, payload, key)),
  };
}

/**
 * The ids of the given keys whose signature on the envelope verifies. Unknown key ids are ignored; a signature that brings
 * more than a key's is none of a key.
 */
export function verifiedKeys(envelope: Envelope, keys: ReadonlyMap<string, KeyObject>): Set<string> {
  const payload = Buffer.from(envelope.payload, 'base64');
  const good = new Set<string>();
  for (const signature of envelope.signatures) {
    const key = keys.get(signature.keyid);
    if (key && signature.sigstore === undefined && verifyBytes(envelope.payloadType, payload, signature, key))
      good.add(signature.keyid);
  }
  return good;
}
