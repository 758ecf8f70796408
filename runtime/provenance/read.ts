/** The wrappings that attestations travel in, each brought to one sigstore bundle. Nothing here is verified yet. */
import type { Bundle } from '@sigstore/bundle';
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { sigstoreBundle } from '../lazy.ts';
import { type BundleInput, invalid } from './policy.ts';

/** Of the whole document, in bytes: real ones have 5 to 25 kB. */
const MAX_BYTES = 256 * 1024;

const KIND = 'application/vnd.dev.sigstore.bundle';
const VERSION_3 = `${KIND}.v0.3+json`;
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  ...['0.1', '0.2', '0.3'].map((version) => `${KIND}+json;version=${version}`),
  VERSION_3,
]);

const NpmResponse = Type.Object({
  attestations: Type.Array(Type.Object({ predicateType: Type.String(), bundle: Type.Unknown() }), {
    maxItems: 20,
  }),
});

/** PEP 740 attestation object, version 1. */
const Pep740 = Type.Object({
  version: Type.Literal(1),
  verification_material: Type.Object({
    certificate: Type.String(),
    transparency_entries: Type.Array(Type.Unknown()),
  }),
  envelope: Type.Object({ statement: Type.String(), signature: Type.String() }),
});

/** A DSSE envelope whose signers name their keys as they like. */
const PlainEnvelope = Type.Object({
  payloadType: Type.String({ minLength: 1, maxLength: 200 }),
  payload: Type.String({ minLength: 1 }),
  signatures: Type.Array(Type.Object({ sig: Type.String({ minLength: 1 }) }), { minItems: 1, maxItems: 32 }),
});

export interface PlainSignature {
  readonly payloadType: string;
  readonly payload: Buffer;
  /** Base64. */
  readonly signatures: readonly string[];
}

/** The input's sigstore bundle. Throws PROVENANCE_INVALID, and JSON_INVALID for what is no strict JSON. */
export function readBundle(input: BundleInput): Bundle {
  const json = parseStrict(input.bytes, { maxBytes: MAX_BYTES });
  if (input.format === 'npm') return toBundle(select(json, input.attestation));
  return toBundle(input.format === 'pep740' ? fromPep740(json) : json);
}

/** A plain DSSE envelope. Throws as `readBundle` does. */
export function readEnvelope(bytes: Uint8Array): PlainSignature {
  const json = parseStrict(bytes, { maxBytes: MAX_BYTES });
  const envelope = assertValid(PlainEnvelope, json, 'the DSSE envelope', 'PROVENANCE_INVALID');
  return {
    payloadType: envelope.payloadType,
    payload: Buffer.from(envelope.payload, 'base64'),
    signatures: envelope.signatures.map(({ sig }) => sig),
  };
}

/** Two of one type would let a reader take the one and a person look at the other. */
function select(json: Json, predicateType: string): unknown {
  const { attestations } = assertValid(NpmResponse, json, 'the attestations', 'PROVENANCE_INVALID');
  const found = attestations.filter((attestation) => attestation.predicateType === predicateType);
  if (found.length === 1) return found[0]?.bundle;
  if (found.length === 0) throw missing(predicateType, attestations.length);
  throw invalid({ expected: `one attestation of type ${quote(predicateType)}`, found: `${found.length}` });
}

function missing(predicateType: string, count: number): LockkeeperError {
  return new LockkeeperError('PROVENANCE_MISSING', {
    expected: `an attestation of type ${quote(predicateType)}`,
    found: `${count} of other types`,
    next: 'Ask the origin itself: a proxy may leave attestations out',
  });
}

/** As the trusted publishers of PEP 740 write it; a bundle of version 0.3 with another wrapping. */
function fromPep740(json: Json): unknown {
  const { verification_material, envelope } = assertValid(
    Pep740,
    json,
    'the attestation as PEP 740 says',
    'PROVENANCE_INVALID',
  );
  return {
    mediaType: VERSION_3,
    verificationMaterial: {
      certificate: { rawBytes: verification_material.certificate },
      tlogEntries: verification_material.transparency_entries,
    },
    dsseEnvelope: {
      payload: envelope.statement,
      payloadType: 'application/vnd.in-toto+json',
      signatures: [{ sig: envelope.signature }],
    },
  };
}

/** The library looks at a media type's beginning alone; here it is one of four. */
export function toBundle(json: unknown): Bundle {
  const { mediaType } = (json ?? {}) as { mediaType?: unknown };
  if (typeof mediaType !== 'string' || !MEDIA_TYPES.has(mediaType)) {
    throw invalid({
      expected: 'a sigstore bundle of version 0.1 to 0.3',
      found: typeof mediaType === 'string' ? `media type ${quote(mediaType)}` : 'none',
    });
  }
  try {
    return sigstoreBundle().bundleFromJSON(json);
  } catch (cause) {
    const found = quote(cause instanceof Error ? cause.message : String(cause));
    throw invalid({ expected: `a complete bundle of type ${mediaType}`, found, cause });
  }
}
