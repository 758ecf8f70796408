/** Who signed, read from the certificate alone, and compared with what the policy demands. */
import { X509Certificate } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { Signer } from '@sigstore/verify';
import { quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { type CertificateIdentity, invalid, type SignerPolicy, stranger, unusable } from './policy.ts';

type CertificatePolicy = Extract<SignerPolicy, { kind: 'certificate' }>;

/** Arc of the extensions of a Fulcio certificate (sigstore/fulcio, docs/oid-info.md). */
const FULCIO = '1.3.6.1.4.1.57264.1.';
/** From this one on, values are DER UTF8Strings; before it, bare text. */
const FIRST_DER = 8;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A policy must name somebody. Throws CONFIG_INVALID. */
export function assertNames(signer: SignerPolicy): void {
  if (signer.kind !== 'certificate') return;
  if ([signer.san, signer.repository, signer.workflow].some((value) => value !== undefined && value !== ''))
    return;
  throw unusable('a signer named by SAN, repository or workflow', 'an issuer alone');
}

/** The bundle's leaf certificate, or `undefined` where a bare key signed. */
export function leafOf(bundle: Bundle): Buffer | undefined {
  const { content } = bundle.verificationMaterial;
  if (content.$case === 'certificate') return content.certificate.rawBytes;
  return content.$case === 'x509CertificateChain'
    ? content.x509CertificateChain.certificates[0]?.rawBytes
    : undefined;
}

/**
 * What a verified certificate says. The library reads an issuer as ASCII with the high bits cut off, and the first SAN
 * of several; here text is strict UTF-8, and there is one SAN. Throws PROVENANCE_INVALID.
 */
export function identityOf(signer: Signer, der: Buffer): CertificateIdentity {
  const san = signer.identity?.subjectAlternativeName ?? '';
  const written = new X509Certificate(der).subjectAltName ?? 'none';
  const forms = ['URI:', 'email:'].flatMap((kind) => [`${kind}${san}`, `${kind}${JSON.stringify(san)}`]);
  if (san === '' || !forms.includes(written)) {
    throw invalid({
      expected: 'a certificate with one name, a URI or an e-mail address',
      found: quote(written),
    });
  }
  const said = extensions(signer);
  const [old, issuer] = [said.get(1), said.get(8)];
  if (old !== undefined && issuer !== undefined && old !== issuer) {
    throw invalid({ expected: `one issuer, ${quote(issuer)}`, found: `${quote(old)} beside it` });
  }
  return {
    kind: 'certificate',
    issuer: issuer ?? old ?? null,
    san,
    repository: said.get(12) ?? null,
    repositoryId: said.get(15) ?? null,
    workflow: said.get(18) ?? null,
    commit: said.get(13) ?? null,
    ref: said.get(14) ?? null,
    runner: said.get(11) ?? null,
    trigger: said.get(20) ?? null,
    run: said.get(21) ?? null,
    certificate: sha256(der),
  };
}

/** Throws PROVENANCE_IDENTITY at the first value that is not exactly the demanded one. */
export function assertSigner(identity: CertificateIdentity, policy: CertificatePolicy): void {
  for (const field of ['issuer', 'san', 'repository', 'workflow'] as const) {
    const wanted = policy[field];
    if (wanted === undefined || wanted === identity[field]) continue;
    const shown = (value: string | null): string => (value === null ? 'none' : quote(value, 300));
    throw stranger(`a certificate whose ${field} is ${shown(wanted)}`, shown(identity[field]));
  }
}

function extensions(signer: Signer): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { oid, value } of signer.identity?.oids ?? []) {
    const name = oid?.id.join('.') ?? '';
    if (!name.startsWith(FULCIO)) continue;
    const number = Number(name.slice(FULCIO.length));
    if (!Number.isInteger(number) || number > 22) continue;
    if (found.has(number)) throw invalid({ expected: `one extension ${name}`, found: 'two' });
    found.set(number, text(number < FIRST_DER ? value : utf8String(value)));
  }
  return found;
}

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw invalid({ expected: 'text in a certificate extension', found: 'bytes that are no UTF-8', cause });
  }
}

/** The contents of a DER UTF8String of at most 65,535 bytes that fills `der` exactly (X.690, 8.1.3). */
function utf8String(der: Buffer): Buffer {
  const [tag, first = 0] = der;
  const extra = first < 0x80 ? 0 : first - 0x80;
  const length = extra === 0 ? first : extra <= 2 && der.length >= 2 + extra ? der.readUIntBE(2, extra) : -1;
  const contents = der.subarray(2 + extra);
  if (tag === 0x0c && contents.length === length) return contents;
  throw invalid({ expected: 'a UTF8String in a certificate extension', found: 'other DER' });
}
