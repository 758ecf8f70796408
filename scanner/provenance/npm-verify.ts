/** The two attestations that npm keeps of a version, from the registry's answer. */
import { createHash } from 'node:crypto';
import { elsewhere } from '../../runtime/provenance/policy.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import { type PackageRef, purlOf } from '../closure.ts';
import type { Known } from '../ports.ts';
import { builtBy, PROVENANCE_TYPES, timeIn } from './signed.ts';
import { type Attested, held, notKnown } from './standing.ts';
import { anyBuilder, NPM_PIN, pinOf, SIGSTORE_PIN } from './trust.ts';

const PUBLISH = 'https://github.com/npm/attestation/tree/main/specs/publish/v0.1';
const Listed = Type.Object({ attestations: Type.Array(Type.Object({ predicateType: Type.String() })) });
const Published = Type.Object({ name: Type.String(), version: Type.String() });

export interface Answered {
  readonly ref: PackageRef;
  readonly bytes: Buffer | null;
  readonly known: Known;
}

/** Subresource integrity of the bytes that came, whatever was promised. */
export function integrityOf(archive: Buffer): string {
  return `sha512-${createHash('sha512').update(archive).digest('base64')}`;
}

function has({ bytes }: Answered, type: string): boolean {
  const json = bytes === null ? null : parseStrict(bytes);
  // What is no list is for the verifier to refuse.
  return !isValid(Listed, json) || json.attestations.some(({ predicateType }) => predicateType === type);
}

/** Null where the answer has none. Throws what `verifyBundle` throws. */
export function verifiedPublish(at: Answered): Attested['publish'] | null {
  if (!has(at, PUBLISH)) return null;
  const [sigstore, npm] = [SIGSTORE_PIN, NPM_PIN].map((name) => pinOf(at.known.trust, name));
  if (typeof sigstore !== 'object' || typeof npm !== 'object')
    return notKnown(`${[sigstore, npm].find((one) => typeof one === 'string')}`);
  const { bytes, ref, known } = at;
  const { entries, statement } = verifyBundle(
    { format: 'npm', bytes: bytes ?? Buffer.alloc(0), artifact: known.archive, attestation: PUBLISH },
    {
      root: sigstore.root,
      signer: { kind: 'npm-key', keys: npm.root },
      predicateType: PUBLISH,
      subject: purlOf(ref),
    },
    sigstore.files,
  );
  const { predicate } = statement ?? {};
  if (!isValid(Published, predicate) || predicate.name !== ref.name || predicate.version !== ref.version)
    throw elsewhere(
      `a publication of ${ref.name}@${ref.version}`,
      quote(JSON.stringify(predicate ?? null), 200),
    );
  return held({ at: timeIn(entries), built: null });
}

/** Null where the answer has none. Throws what `verifyBundle` throws. */
export function verifiedBuild(at: Answered): Attested['build'] | null {
  const type = PROVENANCE_TYPES.find((one) => has(at, one));
  if (type === undefined) return null;
  const pin = pinOf(at.known.trust, SIGSTORE_PIN);
  if (typeof pin === 'string') return notKnown(pin);
  const { bytes, ref, known } = at;
  const { identity } = verifyBundle(
    { format: 'npm', bytes: bytes ?? Buffer.alloc(0), artifact: known.archive, attestation: type },
    anyBuilder(pin.root, type, purlOf(ref)),
    pin.files,
  );
  return held(builtBy(identity));
}
