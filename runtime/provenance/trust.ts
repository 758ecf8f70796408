/** Trust roots from exact bytes: a policy names one by digest, and a verifier knows that one alone. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import type { KeyFinderFunc, TrustMaterial, Verifier } from '@sigstore/verify';
import type { Digest } from '../../schemas/common.ts';
import { readPublicKey } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { sigstoreSpecs, sigstoreVerify } from '../lazy.ts';
import { invalid, type SignerPolicy } from './policy.ts';

export const MAX_TRUST_BYTES = 1024 * 1024;

const NpmKeys = Type.Object({
  keys: Type.Array(
    Type.Object({
      keyId: Type.String({ minLength: 1 }),
      keyUsage: Type.String(),
      publicKey: Type.Object({
        rawBytes: Type.String({ minLength: 1 }),
        validFor: Type.Object({ start: Type.String(), end: Type.Optional(Type.String()) }),
      }),
    }),
    { minItems: 1, maxItems: 100 },
  ),
});
type NpmKeyEntry = Static<typeof NpmKeys>['keys'][number];

export interface TimedKey {
  readonly publicKey: KeyObject;
  readonly validFor: (at: Date) => boolean;
}

/**
 * A verifier for one sigstore instance. How much evidence it demands follows from the root: an instance that runs logs
 * has its entry in one demanded, so that no policy can wave it through. Throws ROOT_UNTRUSTED.
 */
export function openVerifier(
  root: Digest,
  signer: SignerPolicy,
  trustRoots: readonly Uint8Array[],
): Verifier {
  const { trusted, material } = materialOf(root, pick(root, trustRoots));
  const publicKey = keyFinder(signer, trustRoots);
  return new (sigstoreVerify().Verifier)(
    { ...material, publicKey },
    {
      tlogThreshold: trusted.tlogs.length > 0 ? 1 : 0,
      ctlogThreshold: trusted.ctlogs.length > 0 ? 1 : 0,
      timestampThreshold: 1,
    },
  );
}

interface Material {
  readonly root: Digest;
  readonly trusted: TrustedRoot;
  readonly material: Omit<TrustMaterial, 'publicKey'>;
}

/** Of the root that was read last: one closure has hundreds of signatures under one root. */
let last: Material | null = null;

function materialOf(root: Digest, bytes: Uint8Array): Material {
  if (last?.root === root) return last;
  const trusted = readTrustedRoot(bytes);
  last = { root, trusted, material: sigstoreVerify().toTrustMaterial(trusted) };
  return last;
}

/**
 * Whether identities can be believed under this root: it reads, and names authorities and a log, without which no signature
 * of an identity would ever hold. Throws ROOT_UNTRUSTED.
 */
export function assertKeylessRoot(bytes: Uint8Array): void {
  try {
    const root = readTrustedRoot(bytes);
    sigstoreVerify().toTrustMaterial(root);
    if (root.tlogs.length > 0) return;
  } catch (cause) {
    if (cause instanceof LockkeeperError && cause.code === 'ROOT_UNTRUSTED') throw cause;
    throw untrusted('a sigstore trusted root', 'another document', cause);
  }
  throw untrusted('a trusted root with a transparency log', 'none');
}

/** Keys of the package registry for one use, by id. Throws ROOT_UNTRUSTED or DOCUMENT_INVALID. */
export function openNpmKeys(
  keys: Digest,
  usage: 'npm:signatures' | 'npm:attestations',
  trustRoots: readonly Uint8Array[],
): ReadonlyMap<string, TimedKey> {
  const list = readNpmKeys(pick(keys, trustRoots));
  return new Map(list.filter((key) => key.keyUsage === usage).map((key) => [key.keyId, timed(key)]));
}

/** Every key of the file, whatever its use. Throws DOCUMENT_INVALID. */
export function readNpmKeys(bytes: Uint8Array): NpmKeyEntry[] {
  const json = parseStrict(bytes, { maxBytes: MAX_TRUST_BYTES });
  return assertValid(NpmKeys, json, 'the list of registry keys').keys;
}

function timed({ keyId, publicKey }: NpmKeyEntry): TimedKey {
  const start = Date.parse(publicKey.validFor.start);
  const end = publicKey.validFor.end === undefined ? Infinity : Date.parse(publicKey.validFor.end);
  if (Number.isNaN(start) || Number.isNaN(end))
    throw untrusted(`dates for the key ${quote(keyId)}`, 'other text');
  const der = Buffer.from(publicKey.rawBytes, 'base64');
  return {
    publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }),
    validFor: (at) => at.getTime() >= start && at.getTime() <= end,
  };
}

function keyFinder(signer: SignerPolicy, trustRoots: readonly Uint8Array[]): KeyFinderFunc {
  if (signer.kind === 'key') {
    const { key } = readPublicKey(signer.pem);
    return () => ({ publicKey: key, validFor: () => true });
  }
  const known =
    signer.kind === 'npm-key'
      ? openNpmKeys(signer.keys, 'npm:attestations', trustRoots)
      : new Map<string, TimedKey>();
  return (hint) => {
    const key = known.get(hint);
    if (key) return key;
    throw invalid({ expected: 'a key of the policy', found: `one named ${quote(hint)}` });
  };
}

/** The file with this digest. A root is never looked for by what it says of itself. */
function pick(digest: Digest, trustRoots: readonly Uint8Array[]): Uint8Array {
  const file = trustRoots.find((bytes) => sha256(bytes) === digest);
  if (file) return file;
  throw untrusted(
    `a trust file with ${digest}`,
    trustRoots.map((bytes) => sha256(bytes)).join(', ') || 'none',
  );
}

/** Throws ROOT_UNTRUSTED. An authority without a start date would count since 1970: the library takes it so, and it is refused here. */
export function readTrustedRoot(bytes: Uint8Array): TrustedRoot {
  const root = sigstoreSpecs().TrustedRoot.fromJSON(parseStrict(bytes, { maxBytes: MAX_TRUST_BYTES }));
  const dates = [
    ...[...root.tlogs, ...root.ctlogs].map((log) => log.publicKey?.validFor?.start),
    ...[...root.certificateAuthorities, ...root.timestampAuthorities].map((ca) => ca.validFor?.start),
  ];
  const undated = dates.filter((start) => start === undefined).length;
  if (undated === 0 && root.certificateAuthorities.length > 0) return root;
  throw untrusted(
    'a trusted root with certificate authorities, all dated',
    `${undated} undated of ${dates.length}`,
  );
}

export function untrusted(expected: string, found: string, cause?: unknown): LockkeeperError {
  const next = 'Bring the trust file that the policy pins, or review the new one and pin its digest';
  return new LockkeeperError('ROOT_UNTRUSTED', { expected, found, next, cause });
}
