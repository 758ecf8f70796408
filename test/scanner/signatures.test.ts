/** Signatures without a certificate or a log: the package registry's own, and a plain envelope under a given key. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { BundleInput, BundlePolicy } from '../../runtime/provenance/policy.ts';
import { verifyRegistrySignature } from '../../runtime/provenance/registry-signature.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { pae } from '../../schemas/dsse.ts';
import { sha256 } from '../../schemas/json.ts';
import { changes } from '../helpers/mutate.ts';
import { bytesOf, NPM_KEYS, trustRoots, verdictOn } from '../helpers/signature-bundles.ts';

interface RegistryCase {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
  readonly expect: 'valid' | 'invalid' | 'missing';
  readonly note?: string;
}

describe('the package registry’s signatures', () => {
  const list = JSON.parse(bytesOf('npm-registry-signatures.json').toString('utf8')) as RegistryCase[];
  const verdict = (given: RegistryCase, publishedAt: Date | null = null): unknown =>
    verifyRegistrySignature({ ...given, publishedAt }, NPM_KEYS, trustRoots);

  it.each(list.map((given) => [given.note ?? `${given.name}@${given.version}`, given] as const))(
    '%s',
    (_, given) => {
      if (given.expect === 'valid')
        return expect(verdict(given)).toEqual(given.signatures.map(({ keyid }) => keyid));
      const code = given.expect === 'missing' ? 'PROVENANCE_MISSING' : 'PROVENANCE_INVALID';
      expect(() => verdict(given)).toThrow(expect.objectContaining({ code }));
    },
  );

  it('count under a key that was valid at publication, and a known one', () => {
    const [given] = list as [RegistryCase];
    expect(verdict(given, new Date('2026-04-01T00:00:00.000Z'))).toHaveLength(1);
    const refused = expect.objectContaining({ code: 'PROVENANCE_INVALID' });
    expect(() => verdict(given, new Date('2024-04-01T00:00:00.000Z'))).toThrow(refused);
    const foreign = given.signatures.map(({ sig }) => ({ keyid: '__proto__', sig }));
    expect(() => verdict({ ...given, signatures: foreign })).toThrow(refused);
  });
});

const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const image = Buffer.from('the bytes of an image');
const summary = Buffer.from(
  JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'image', digest: { sha256: sha256(image).slice(7) } }],
    predicateType: 'https://slsa.dev/verification_summary/v1',
    predicate: { verificationResult: 'PASSED' },
  }),
);

type Encoding = 'der' | 'ieee-p1363';

function envelopeOf(key: KeyObject, encoding: Encoding = 'der', payloadType = PAYLOAD_TYPE): Buffer {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const sig = sign(algorithm, pae(PAYLOAD_TYPE, summary), { key, dsaEncoding: encoding });
  const signatures = [{ keyid: 'projects/p/keys/k', sig: sig.toString('base64') }];
  return Buffer.from(JSON.stringify({ payloadType, payload: summary.toString('base64'), signatures }));
}

describe('a plain envelope under a given key', () => {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ed25519 = generateKeyPairSync('ed25519');
  const policyFor = (key: KeyObject): BundlePolicy => ({
    root: null,
    signer: { kind: 'key', pem: key.export({ type: 'spki', format: 'pem' }).toString() },
    predicateType: 'https://slsa.dev/verification_summary/v1',
  });
  const input = (bytes: Buffer, artifact: Buffer | null = image): BundleInput => ({
    format: 'dsse',
    bytes,
    artifact,
  });

  it('holds in each encoding of a signature', () => {
    const pairs = [
      [p256, 'der'],
      [p256, 'ieee-p1363'],
      [ed25519, 'der'],
    ] as const;
    for (const [{ privateKey, publicKey }, encoding] of pairs) {
      const bytes = envelopeOf(privateKey, encoding);
      const { identity, statement } = verifyBundle(input(bytes), policyFor(publicKey), []);
      expect(identity.kind).toBe('key');
      expect(statement?.predicate).toEqual({ verificationResult: 'PASSED' });
    }
  });

  it('is refused under another key, for other bytes, changed, or with another type', () => {
    const bytes = envelopeOf(p256.privateKey);
    const policy = policyFor(p256.publicKey);
    expect(verdictOn(input(bytes), policyFor(ed25519.publicKey))).toBe('PROVENANCE_INVALID');
    expect(verdictOn(input(bytes, Buffer.from('others')), policy)).toBe('PROVENANCE_SUBJECT');
    const retyped = envelopeOf(p256.privateKey, 'der', 'text/plain');
    expect(verdictOn(input(retyped), policy)).toBe('PROVENANCE_INVALID');
    const all = [...changes(bytes)];
    expect(all.length).toBeGreaterThan(5);
    const passed = all.filter((change) => verdictOn(input(change.bytes), policy) === 'valid');
    expect(passed.map(({ path }) => path)).toEqual([]);
  });
});
