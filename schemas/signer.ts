/** Whoever signs, wherever the key is: in a file, in an SSH agent, behind a program. All sign the same bytes. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import {
  type Envelope,
  type EnvelopeSignature,
  keyIdOf,
  pae,
  type Signature,
  verifySignature,
} from './dsse.ts';
import { LockkeeperError } from './errors.ts';

/** What a key signs when it is named for the first time; a signature for nothing. */
export const TRIAL_TYPE = 'application/vnd.lockkeeper.signer-trial';

export interface Signer {
  readonly keyid: string;
  readonly publicKey: KeyObject;
  /** Ed25519 over the bytes themselves, or ECDSA over their SHA-256, as DER or r||s. */
  sign(bytes: Uint8Array): Promise<Buffer>;
}

/** Whoever signs without a key of their own; what is made verifies on its own. */
export interface IdentitySigner {
  readonly keyid: string;
  readonly publicKey: null;
  seal(payloadType: string, payload: Uint8Array): Promise<EnvelopeSignature>;
}

/** A private key in this process. */
export function keySigner(privateKey: KeyObject): Signer {
  const publicKey = createPublicKey(privateKey);
  const algorithm = privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  return {
    keyid: keyIdOf(publicKey),
    publicKey,
    sign: async (bytes) => sign(algorithm, bytes, privateKey),
  };
}

/** Signs bytes as DSSE does, and verifies before it answers. Throws SIGNER_FAILED for what does not verify. */
export async function signWith(signer: Signer, payloadType: string, payload: Uint8Array): Promise<Signature> {
  const bytes = pae(payloadType, payload);
  const sig = await signer.sign(bytes);
  if (verifySignature(bytes, sig, signer.publicKey))
    return { keyid: signer.keyid, sig: sig.toString('base64') };
  throw new LockkeeperError('SIGNER_FAILED', {
    expected: `a signature that verifies with the key ${signer.keyid}`,
    found: `${sig.length} bytes that do not`,
    next: 'Nothing was sent. Check that it signs with this key, and the bytes it is given, without another hash',
  });
}

export async function sealWith(
  signer: Signer | IdentitySigner,
  payloadType: string,
  payload: Uint8Array,
): Promise<Envelope> {
  const signature =
    signer.publicKey === null
      ? await signer.seal(payloadType, payload)
      : await signWith(signer, payloadType, payload);
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [signature] };
}
