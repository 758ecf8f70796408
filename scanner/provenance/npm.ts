/** What the package registry and a workflow signed of an npm package: asked for, and verified from the bytes. */
import npmFetch from 'npm-registry-fetch';
import { readBounded } from '../../runtime/fetched.ts';
import { verifyRegistrySignature } from '../../runtime/provenance/registry-signature.ts';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import type { PackageRef } from '../closure.ts';
import { isAbsent } from '../failure.ts';
import type { Attestations, Known, NpmOptions } from '../ports.ts';
import { claimedByNpm } from './claimed.ts';
import { integrityOf, verifiedBuild, verifiedPublish } from './npm-verify.ts';
import { type Attested, absent, held, notKnown, type Standing, standingOf } from './standing.ts';
import { NPM_PIN, pinOf } from './trust.ts';

/** Of an answer, in bytes: what the verifier reads at most. */
const MAX_BYTES = 256 * 1024;
const ASK_MS = 30_000;

const Signatures = Type.Array(Type.Object({ keyid: Type.String(), sig: Type.String() }), {
  minItems: 1,
  maxItems: 20,
});

/** Never throws for what the registry says or leaves out: that is what the standings tell. */
export async function npmAttested(ref: PackageRef, known: Known, npm: NpmOptions): Promise<Attestations> {
  const claimed = claimedByNpm(known.files);
  const answer = await askFor(`-/npm/v1/attestations/${ref.name}@${ref.version}`, ref, npm);
  const bytes = Buffer.isBuffer(answer) ? answer : null;
  const without = bytes === null ? none(answer as null | string, known) : notKnown('nobody was asked');
  const attested: Attested = {
    ...{ publish: without, build: without, commit: commitIn(known) },
    ...npmSigned(ref, known, bytes),
    claimed: claimed.map(({ url }) => url),
  };
  return { attested, claimed, answer: bytes };
}

/** From the bytes alone: the registry's signature, and what its answer holds, if there is one. */
export function npmSigned(
  ref: PackageRef,
  known: Known,
  bytes: Buffer | null,
): Pick<Attested, 'signature'> & Partial<Pick<Attested, 'publish' | 'build'>> {
  if (bytes === null) return { signature: signatureOf(ref, known, null) };
  const at = { ref, bytes, known };
  const without = absent('none of this type among its attestations');
  const publish = orAbsent(without, () => verifiedPublish(at));
  const build = orAbsent(without, () => verifiedBuild(at));
  const publishedAt = publish.state === 'held' ? publish.value.at : null;
  return { publish, build, signature: signatureOf(ref, known, publishedAt) };
}

function orAbsent<T>(without: Standing<never>, verify: () => Standing<T> | null): Standing<T> {
  return standingOf(() => verify() ?? without);
}

/** The answer's bytes, null where there is none, or why it could not be asked. */
async function askFor(path: string, ref: PackageRef, npm: NpmOptions): Promise<Buffer | null | string> {
  try {
    const signal = AbortSignal.timeout(ASK_MS);
    const options = { ...npm, spec: ref.name, signal, preferOnline: true, fetchRetries: 0 };
    const { body } = await npmFetch(path, options);
    const bytes = await readBounded(body as AsyncIterable<Buffer>, MAX_BYTES);
    return bytes ?? `its attestations have more than ${MAX_BYTES} bytes`;
  } catch (error) {
    if (isAbsent(error)) return null;
    const { code = '', message = '' } = error as { code?: string; message?: string };
    return `the package registry could not be asked for attestations: ${`${code} ${message}`.trim().slice(0, 200)}`;
  }
}

/** No answer is a fact only from a registry that passes signatures on, and that names none for this version. */
function none(answer: null | string, { upstream }: Known): Standing<never> {
  if (answer !== null) return notKnown(answer);
  if (typeof upstream === 'string') return notKnown(upstream);
  const { attestations } = distIn(upstream.slice);
  if (attestations !== null && attestations !== undefined)
    return notKnown('the package registry names attestations and does not give them');
  if (upstream.history?.some(({ signed, attested }) => signed || attested) === true)
    return absent('the package registry has no attestation of this version');
  return notKnown('the package registry tells signatures of no version: a proxy leaves them out');
}

function signatureOf(ref: PackageRef, known: Known, attestedAt: string | null): Attested['signature'] {
  const { upstream, archive } = known;
  if (typeof upstream === 'string') return notKnown(upstream);
  const { signatures } = distIn(upstream.slice);
  if (!isValid(Signatures, signatures)) {
    const others = upstream.history?.filter(({ signed }) => signed).length ?? 0;
    if (others === 0)
      return notKnown('the package registry tells signatures of no version: a proxy leaves them out');
    return absent(`no signature of this version, and of ${others} others`);
  }
  const pin = pinOf(known.trust, NPM_PIN);
  if (typeof pin === 'string') return notKnown(pin);
  const told = attestedAt ?? upstream.publishedAt;
  const verify = (publishedAt: Date | null): readonly string[] =>
    verifyRegistrySignature(
      { ...ref, integrity: integrityOf(archive), signatures, publishedAt },
      pin.root,
      pin.files,
    );
  return standingOf(() => {
    // Without a date, a key that ended may have signed yesterday.
    if (told !== null) return held({ keyids: verify(new Date(told)) });
    const keyids = verify(null);
    const today = standingOf(() => held({ keyids: verify(new Date()) }));
    return today.state === 'held'
      ? held({ keyids })
      : notKnown('its key ended, and when it signed is not told');
  });
}

function distIn(slice: JsonObject): JsonObject {
  const manifest = slice.manifest as JsonObject | undefined;
  const dist: Json | undefined = manifest?.dist;
  return isObject(dist) ? dist : {};
}

function commitIn({ upstream }: Known): string | null {
  if (typeof upstream === 'string') return null;
  const { gitHead } = (upstream.slice.manifest ?? {}) as { gitHead?: Json };
  return typeof gitHead === 'string' && /^[0-9a-f]{40}$/.test(gitHead) ? gitHead : null;
}
