/** Whose signature an envelope carries: of a key, or of an identity that signs without one. */
import { createHash } from 'node:crypto';
import { type Envelope, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { RoleName, RootIdentity } from '../../schemas/root.ts';
import { assertKeyless } from '../provenance/keyless.ts';
import { short, type TrustedRoot } from './root.ts';

export interface SignedAs {
  readonly role: RoleName;
  /** What was signed, such as "the approval". */
  readonly thing: string;
  /** What to do about one that does not hold. */
  readonly next: string;
}

/**
 * Who made the one signature of an envelope: a key of the role, or an identity of it, each inside its dates.
 * Throws KEY_UNKNOWN for anybody else, SIGNATURE_INVALID for a signature that does not hold.
 */
export function signerOf(
  envelope: Envelope,
  trusted: TrustedRoot,
  { role, thing, next }: SignedAs,
): { keyid: string; person: string } {
  const keyid = envelope.signatures[0]?.keyid ?? '';
  const key = trusted.keys(role).get(keyid);
  const identity = trusted.identity(role, keyid);
  const person = trusted.personOf(keyid);
  if ((!key && !identity) || person === undefined) {
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a key enrolled as ${role} in root version ${trusted.root.version} and inside its dates`,
      found: `key ${short(keyid)}`,
      next: 'Enrol the key with: lk keys enrol',
    });
  }
  if (identity) assertIdentity(envelope, identity, { trusted, thing, next });
  else if (!key || verifiedKeys(envelope, new Map([[keyid, key]])).size !== 1)
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `a signature of ${person}'s key ${short(keyid)} over ${thing}`,
      found: 'a signature that does not fit these bytes',
      next,
    });
  return { keyid, person };
}

/** Verified before, by this process: the same bytes under the same root are not taken apart again. */
const held = new Set<string>();
const MAX_HELD = 10_000;

function assertIdentity(
  { payloadType, payload, signatures }: Envelope,
  identity: RootIdentity,
  { trusted, thing, next }: { trusted: TrustedRoot } & Omit<SignedAs, 'role'>,
): void {
  const { sig = '', sigstore } = signatures[0] ?? {};
  const trustedRoot = trusted.root.keyless?.trustedRoot ?? '';
  const key = createHash('sha256')
    .update(JSON.stringify([payloadType, payload, sig, sigstore, identity, trustedRoot]))
    .digest('hex');
  if (held.has(key)) return;
  try {
    if (sigstore === undefined) throw new Error('a bare signature');
    assertKeyless({ payloadType, payload, sig, sigstore }, identity, Buffer.from(trustedRoot, 'base64'));
  } catch (cause) {
    const found =
      cause instanceof LockkeeperError
        ? `${cause.found} (${cause.code})`
        : 'a signature without a certificate';
    const { san, issuer, person } = identity;
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `a signature of ${person} as ${san}, by a certificate for an account at ${issuer}, over ${thing}`,
      found,
      next,
      cause,
    });
  }
  if (held.size >= MAX_HELD) held.clear();
  held.add(key);
}
