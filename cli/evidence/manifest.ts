/** The manifest of evidence and the signature of who exported it. */
import { short } from '../../runtime/trust/root.ts';
import { readPublicKey, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  EVIDENCE_TYPE,
  EvidenceManifest,
  ExporterSignature,
  MANIFEST_FILE as MANIFEST,
  MAX_MEMBER,
  SIGNATURE_FILE as SIGNATURE,
} from '../../schemas/evidence.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { incomplete } from './head.ts';
import type { State } from './verify.ts';

/** Every member so far is named with its digest, in its order, and no other is. */
export function assertManifest(bytes: Buffer, { members }: State): void {
  const manifest = assertValid(EvidenceManifest, parseStrict(bytes, { maxBytes: MAX_MEMBER }), MANIFEST);
  for (const [at, member] of members.entries()) {
    const named = manifest.members[at];
    if (named?.path === member.path && named.size === member.size && named.sha256 === member.sha256) continue;
    throw incomplete(
      `${quote(named?.path ?? 'nothing')} with ${named?.sha256}, as the manifest says`,
      `${quote(member.path)} with ${member.sha256}`,
    );
  }
  const more = manifest.members[members.length];
  if (more) throw incomplete(`${quote(more.path)}, which the manifest names`, 'none');
}

/** The key that came along signed this manifest; whose it is, a root of the archive may say. */
export function readSignature(bytes: Buffer, state: State): void {
  const { publicKey, envelope } = assertValid(
    ExporterSignature,
    parseStrict(bytes, { maxBytes: MAX_MEMBER }),
    SIGNATURE,
  );
  const { key, keyid } = readPublicKey(publicKey);
  const fits =
    state.manifest !== null &&
    envelope.payloadType === EVIDENCE_TYPE &&
    Buffer.from(envelope.payload, 'base64').toString('utf8') === sha256(state.manifest) &&
    verifiedKeys(envelope, new Map([[keyid, key]])).has(keyid);
  if (!fits)
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `the manifest signed by the key ${short(keyid)} of who exported`,
      found: 'a signature that does not fit it',
      next: 'Do not rely on this archive; have it exported again',
    });
  const named = state.head.roots.findLast(({ read }) => read.table.has(keyid));
  state.signedBy = { keyid, person: named?.read.table.get(keyid)?.entry.person ?? null };
}

/** Throws SIGNATURE_INVALID when a certain key had to sign and did not. */
export function assertSigner(state: State, signedBy: string | undefined): void {
  if (signedBy !== undefined && state.signedBy?.keyid !== signedBy)
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `a manifest signed by the key ${signedBy}`,
      found: state.signedBy ? `one signed by ${state.signedBy.keyid}` : 'no signature',
      next: 'Ask who exported it to sign with that key: lk evidence --key NAME',
    });
}

export function describeManifest({ signedBy, members }: State): string {
  const who =
    signedBy === null
      ? 'signed by nobody'
      : `signed by ${signedBy.person ?? 'a key that no root names'}, ${short(signedBy.keyid)}`;
  return `${members.length} members, ${who}`;
}
