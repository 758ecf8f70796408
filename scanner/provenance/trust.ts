/** Trust files that root.json pins: never fetched, only laid beside the scanner, and counted by digest alone. */
import type { BundlePolicy } from '../../runtime/provenance/policy.ts';
import type { Digest } from '../../schemas/common.ts';

/** Names of pins in root.json that a scan looks for. */
export const SIGSTORE_PIN = 'sigstore';
export const NPM_PIN = 'npm';

export interface TrustFiles {
  /** Digests as root.json pins them, by name. */
  readonly pinned: Readonly<Record<string, string>>;
  /** Files that were found under those digests. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Where they are looked for, for people. */
  readonly where: string;
}

export interface Pins {
  readonly root: Digest;
  readonly files: readonly Uint8Array[];
}

/** The digest under this name with every file at hand, or why there is none. */
export function pinOf(trust: TrustFiles | string, name: string): Pins | string {
  if (typeof trust === 'string') return trust;
  const root = Object.hasOwn(trust.pinned, name) ? trust.pinned[name] : undefined;
  if (root === undefined)
    return `root.json pins no trust file "${name}": lk keys root set FILE --trust-root ${name}=sha256:DIGEST`;
  if (!trust.files.has(root))
    return `the trust file "${name}" that root.json pins, ${root}, is not in ${trust.where}`;
  return { root: root as Digest, files: [...trust.files.values()] };
}

/** A policy for whoever built it: the identity that comes back is compared by the checks. */
export function anyBuilder(root: Digest, predicateType: string, subject: string): BundlePolicy {
  return { root, signer: { kind: 'whoever' }, predicateType, subject };
}
