/**
 * Signatures by an identity: the key was made for this one signature, a certificate of some minutes says whose it is, and
 * a log or a timestamp says when. Verified offline, from one trusted root; what stands in for the key has one written form.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Bundle } from '@sigstore/bundle';
import { Closed } from '../../schemas/common.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { sigstoreBundle, sigstoreVerify } from '../lazy.ts';
import { assertSigner, leafOf } from './identity.ts';
import { invalid } from './policy.ts';
import { toBundle } from './read.ts';
import { assertBound } from './unbound.ts';
import { verifySigner } from './verify.ts';

/** Of the material, in bytes: real ones have 4 to 8 kB. */
const MAX_BYTES = 64 * 1024;

/** Version 0.3 of sigstore's bundle. */
const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const Material = Closed({
  mediaType: Type.Literal(MEDIA_TYPE),
  verificationMaterial: Type.Unknown(),
});
export type Material = Static<typeof Material>;

export interface KeylessSignature {
  readonly payloadType: string;
  /** All three in base64; `sigstore` is the material. */
  readonly payload: string;
  readonly sig: string;
  readonly sigstore: string;
}

/** Who has to have signed, and between which instants. Exact values. */
export interface KeylessSigner {
  readonly issuer: string;
  readonly san: string;
  readonly notBefore: string;
  readonly notAfter: string;
}

/** What an envelope carries beside the signature of a bundle. */
export function materialOf(bundle: Bundle): Material {
  const { mediaType, verificationMaterial } = JSON.parse(
    JSON.stringify(sigstoreBundle().bundleToJSON(bundle)),
  );
  return { mediaType, verificationMaterial };
}

/**
 * 1 the material's form, 2 nothing in it that nobody signed, 3 certificate, log and times under the one root, 4 the
 * identity, 5 every time inside the signer's dates. Throws PROVENANCE_INVALID, PROVENANCE_IDENTITY, ROOT_UNTRUSTED or
 * JSON_INVALID.
 */
export function assertKeyless(
  { payloadType, payload, sig, sigstore }: KeylessSignature,
  signer: KeylessSigner,
  trustedRoot: Uint8Array,
): void {
  const json = parseStrict(Buffer.from(sigstore, 'base64'), { maxBytes: MAX_BYTES });
  const material = assertValid(Material, json, 'what stands in for the key', 'PROVENANCE_INVALID');
  const bundle = toBundle({ ...material, dsseEnvelope: { payloadType, payload, signatures: [{ sig }] } });
  if (!isDeepStrictEqual(materialOf(bundle), json))
    throw invalid({ expected: 'the material of a bundle in its one written form', found: 'another' });
  const leaf = leafOf(bundle);
  assertBound(bundle, leaf, null);
  const { issuer, san } = signer;
  const demanded = { kind: 'certificate', issuer, san } as const;
  const policy = { root: sha256(trustedRoot), signer: demanded };
  const found = verifySigner(bundle, null, { policy, trustRoots: [trustedRoot], leaf });
  if (found.kind !== 'certificate') throw invalid({ expected: 'a certificate', found: 'a bare key' });
  assertSigner(found, demanded);
  assertTimes(bundle, signer);
}

/** A time counts where the log or the authority signed it; there is one, and all agree with the signer's dates. */
function assertTimes(bundle: Bundle, { notBefore, notAfter }: KeylessSigner): void {
  if (bundle.verificationMaterial.tlogEntries.length === 0)
    throw invalid({ expected: 'an entry in a transparency log', found: 'none' });
  const times = sigstoreVerify()
    .toSignedEntity(bundle)
    .timestamps.flatMap((stamp) => {
      if (stamp.$case === 'timestamp-authority') return [stamp.timestamp.signingTime];
      const { inclusionPromise, integratedTime } = stamp.tlogEntry;
      return inclusionPromise ? [new Date(Number(integratedTime) * 1000)] : [];
    });
  // Logs tell whole seconds.
  const [from, until] = [Math.floor(Date.parse(notBefore) / 1000) * 1000, Date.parse(notAfter)];
  const outside = times.find((time) => !(time.getTime() >= from && time.getTime() < until));
  if (times.length > 0 && outside === undefined) return;
  throw invalid({
    expected: `a signature made from ${notBefore} until ${notAfter}`,
    found: outside === undefined ? 'one without a time' : `one of ${outside.toISOString()}`,
  });
}
