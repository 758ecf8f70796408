/** The package registry's own signature over a version: `name@version:integrity`, ECDSA P-256 with SHA-256. */
import { verify } from 'node:crypto';
import type { Digest } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { invalid } from './policy.ts';
import { openNpmKeys } from './trust.ts';

export interface SignedVersion {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity as computed from the tarball's bytes; the registry's word for it proves nothing. */
  readonly integrity: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  /** When the registry says that it was published; `null` where unknown, and then the key's dates are not asked. */
  readonly publishedAt: Date | null;
}

/**
 * The key ids that signed this version. Every signature under a known key must hold; unknown key ids count for nothing,
 * so that keys can rotate. Algorithm: npm/pacote, lib/registry.js. Throws PROVENANCE_MISSING without any signature,
 * PROVENANCE_INVALID, ROOT_UNTRUSTED.
 */
export function verifyRegistrySignature(
  signed: SignedVersion,
  keys: Digest,
  trustRoots: readonly Uint8Array[],
): readonly string[] {
  const label = quote(`${signed.name}@${signed.version}`);
  if (signed.signatures.length === 0) {
    throw new LockkeeperError('PROVENANCE_MISSING', {
      expected: `a registry signature on ${label}`,
      found: 'none',
      next: 'Ask the origin itself: a proxy may leave signatures out',
    });
  }
  const known = openNpmKeys(keys, 'npm:signatures', trustRoots);
  const data = Buffer.from(`${signed.name}@${signed.version}:${signed.integrity}`);
  const good: string[] = [];
  for (const { keyid, sig } of signed.signatures) {
    const key = known.get(keyid);
    if (!key) continue;
    const timely = signed.publishedAt === null || key.validFor(signed.publishedAt);
    if (!timely || !verify('sha256', data, key.publicKey, Buffer.from(sig, 'base64'))) {
      throw invalid({
        expected: `a signature of ${quote(keyid)} over ${label} with ${quote(signed.integrity)}`,
        found: timely ? 'one that does not fit these bytes' : 'a key that was not valid at its publication',
      });
    }
    good.push(keyid);
  }
  if (good.length > 0) return good;
  const found = quote(signed.signatures.map(({ keyid }) => keyid).join(', '));
  throw invalid({ expected: `a registry signature on ${label} by a known key`, found });
}
