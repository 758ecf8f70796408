/** What is signed of an image, verified offline: by whoever signed it, and by the build that made it. */

import type { ImageConfig } from '../../runtime/store/image/parts.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { OciRef } from '../../schemas/oci.ts';
import type { Attestations, Known } from '../ports.ts';
import { claimedAt } from '../provenance/claimed.ts';
import {
  assertOneRepository,
  buildIn,
  firstOf,
  isBuild,
  type Signed,
  signedIn,
} from '../provenance/signed.ts';
import { type Attested, absent, held, notKnown, type Standing, standingOf } from '../provenance/standing.ts';
import { type Pins, pinOf, SIGSTORE_PIN } from '../provenance/trust.ts';
import { assertSigned } from './cosign.ts';
import type { OciOptions } from './options.ts';
import { asEvidence, type ImageSignature, type OciSignatures, ociSignatures } from './signatures.ts';

/** What cosign signs of an image, in a statement; the older form is no statement. */
const SIGNED = 'https://sigstore.dev/cosign/sign/v1';

export interface AttestedImage {
  readonly ref: OciRef;
  readonly options: OciOptions;
  readonly config: Pick<ImageConfig, 'source' | 'revision'>;
  /** Index and manifest, by digest: what a signature may be about. */
  readonly documents: ReadonlyMap<string, Buffer>;
}

/** Never throws for what the registry says or leaves out: that is what the standings tell. */
export async function imageAttested(
  image: AttestedImage,
  { trust }: Pick<Known, 'trust'>,
): Promise<Attestations> {
  const { ref, options, config, documents } = image;
  const found = await ociSignatures(ref, [...documents.keys()], options).catch(
    (error: unknown) => asLockkeeperError(error).message,
  );
  const claimed = claimedAt(config.source);
  const attested: Attested = {
    signature: absent('container registries sign no images'),
    ...imageSigned(found, documents, trust),
    claimed: claimed.map((one) => one.url),
    commit: config.revision,
  };
  return { attested, claimed, answer: typeof found === 'string' ? null : asEvidence(found) };
}

/** From what was found alone; a string says why nothing is known. */
export function imageSigned(
  found: OciSignatures | string,
  documents: AttestedImage['documents'],
  trust: Known['trust'],
): Pick<Attested, 'publish' | 'build'> {
  const all = verified(found, documents, trust);
  return {
    publish: firstOf(
      all,
      ({ type }) => type === SIGNED,
      'none of its signatures is a signature by a person or a workflow',
    ),
    build: buildIn(all, 'none of its signatures is a build'),
  };
}

/** All that have a certificate have to hold, and those that speak of its making by one repository. */
function verified(
  found: OciSignatures | string,
  documents: AttestedImage['documents'],
  trust: Known['trust'],
): Standing<readonly Signed[]> {
  if (typeof found === 'string') return notKnown(found);
  const { bundles } = found;
  if (bundles.length === 0) return absent('the container registry has no signature of it');
  const certified = bundles.filter((one) => !isBareKey(one));
  if (certified.length === 0) return notKnown('it is signed by a key alone, and no root says whose that is');
  const pin = pinOf(trust, SIGSTORE_PIN);
  if (typeof pin === 'string') return notKnown(pin);
  return standingOf(() => {
    const all = certified.map((one) => verifiedOne(one, documents, pin));
    assertOneRepository(all.filter((one) => one.type === SIGNED || isBuild(one)));
    return held(all);
  });
}

/** As the bundle writes it; whoever lies about it has signed nothing that counts. */
function isBareKey({ bundle }: ImageSignature): boolean {
  try {
    const { verificationMaterial } = JSON.parse(bundle.toString('utf8')) as { verificationMaterial?: object };
    return verificationMaterial !== undefined && 'publicKey' in verificationMaterial;
  } catch {
    return false;
  }
}

function verifiedOne(
  { about, bundle, payload }: ImageSignature,
  documents: AttestedImage['documents'],
  pin: Pins,
): Signed {
  const artifact = payload ?? documents.get(about) ?? null;
  const signed = signedIn({ format: 'sigstore', bytes: bundle, artifact }, pin);
  if (payload === null) return signed;
  assertSigned(payload, about);
  return { ...signed, type: SIGNED };
}
