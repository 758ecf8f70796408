/** What a certificate says, read strictly; and a predicate that says otherwise. The signed cases never disagree. */
import { generateKeyPairSync } from 'node:crypto';
import type { Signer } from '@sigstore/verify';
import { describe, expect, it } from 'vitest';
import { identityOf, leafOf } from '../../runtime/provenance/identity.ts';
import type { CertificateIdentity, Statement } from '../../runtime/provenance/policy.ts';
import { readBundle } from '../../runtime/provenance/read.ts';
import { assertAbout, assertAgrees, readStatement } from '../../runtime/provenance/statement.ts';
import { openNpmKeys } from '../../runtime/provenance/trust.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { sha256 } from '../../schemas/json.ts';
import {
  bytesOf,
  cases,
  certifiedBy,
  inputOf,
  NPM_KEYS,
  policyOf,
  trustRoots,
  verdictOn,
} from '../helpers/signature-bundles.ts';

const SLSA = 'https://slsa.dev/provenance/v1';
const [given] = cases.filter(
  (one) =>
    one.expected === 'valid' && one.wrapperPredicateType === SLSA && certifiedBy(one)?.repository != null,
) as [(typeof cases)[number]];
const der = leafOf(readBundle(inputOf(given))) ?? Buffer.alloc(0);
const san = certifiedBy(given)?.san ?? '';
const { publicKey: key } = generateKeyPairSync('ed25519');

const utf8String = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x0c, text.length]), Buffer.from(text)]);
type Said = readonly (readonly [number, Buffer])[];

/** As the library hands a signer over. */
function signerOf(said: Said, name = san): Signer {
  const oids = said.map(([last, value]) => ({ oid: { id: [1, 3, 6, 1, 4, 1, 57264, 1, last] }, value }));
  return { key, identity: { subjectAlternativeName: name, oids } };
}

const REFUSED: readonly { readonly what: string; readonly said: Said; readonly name?: string }[] = [
  { what: 'another type', said: [[12, Buffer.from([0x16, 1, 0x72])]] },
  { what: 'a length too long', said: [[12, Buffer.from([0x0c, 2, 0x72])]] },
  { what: 'bytes after the text', said: [[12, Buffer.from([0x0c, 1, 0x72, 0])]] },
  { what: 'a length of three bytes', said: [[12, Buffer.from([0x0c, 0x83, 0, 0, 1, 0x72])]] },
  { what: 'nothing', said: [[12, Buffer.alloc(0)]] },
  { what: 'no UTF-8', said: [[8, Buffer.from([0x0c, 1, 0xe8])]] },
  {
    what: 'two issuers',
    said: [1, 8].map((last) => [last, last === 1 ? Buffer.from('i') : utf8String('j')]),
  },
  { what: 'one extension twice', said: [8, 8].map((last) => [last, utf8String('i')]) },
  { what: 'another name than the certificate', said: [], name: 'https://example.com' },
  { what: 'no name', said: [], name: '' },
];

describe('a certificate’s words', () => {
  it('are bare text in the old extensions and DER in the new ones', () => {
    const identity = identityOf(
      signerOf([
        [1, Buffer.from('i')],
        [8, utf8String('i')],
        [12, utf8String('r')],
      ]),
      der,
    );
    expect(identity).toMatchObject({ issuer: 'i', repository: 'r', workflow: null, san });
    const long = 'r'.repeat(200);
    const value = Buffer.concat([Buffer.from([0x0c, 0x81, 200]), Buffer.from(long)]);
    expect(identityOf(signerOf([[12, value]]), der)).toMatchObject({ issuer: null, repository: long });
  });

  it.each(REFUSED)('are refused with $what', ({ said, name }) => {
    const refused = expect.objectContaining({ code: 'PROVENANCE_INVALID' });
    expect(() => identityOf(signerOf(said, name), der)).toThrow(refused);
  });
});

describe('a predicate', () => {
  const verified = verifyBundle(inputOf(given), policyOf(given), trustRoots);
  const statement = verified.statement as Statement;
  const identity = verified.identity as CertificateIdentity;

  it('agrees with the certificate on repository and commit', () => {
    expect(() => assertAgrees(statement, identity)).not.toThrow();
    const refused = expect.objectContaining({ code: 'PROVENANCE_IDENTITY' });
    const elsewhere = { ...identity, repository: 'https://github.com/other/other' };
    expect(() => assertAgrees(statement, elsewhere)).toThrow(refused);
    expect(() => assertAgrees(statement, { ...identity, commit: '0'.repeat(40) })).toThrow(refused);
  });

  it('is part of an in-toto statement with subjects', () => {
    const refused = expect.objectContaining({ code: 'PROVENANCE_INVALID' });
    const type = 'application/vnd.in-toto+json';
    const text = { _type: 'https://in-toto.io/Statement/v1', predicateType: SLSA, subject: [{ digest: {} }] };
    const read = (value: unknown): unknown => readStatement(type, Buffer.from(JSON.stringify(value)));
    expect(read(text)).toMatchObject({ predicateType: SLSA, subjects: [{ name: null }], predicate: null });
    for (const change of [
      { _type: 'https://in-toto.io/Statement/v2' },
      { subject: [] },
      { predicateType: 1 },
    ])
      expect(() => read({ ...text, ...change })).toThrow(refused);
  });

  it('is about one package, by a digest that binds', () => {
    const input = inputOf(given);
    const [subject] = statement.subjects as [Statement['subjects'][number]];
    const about = (...subjects: Statement['subjects']): unknown =>
      assertAbout({ ...statement, subjects }, input, policyOf(given));
    const refused = expect.objectContaining({ code: 'PROVENANCE_SUBJECT' });
    expect(() => about(subject)).not.toThrow();
    expect(() => about(subject, subject)).toThrow(refused);
    for (const digest of [{}, { sha1: '0'.repeat(40) }, { ...subject.digest, sha256: '0'.repeat(64) }])
      expect(() => about({ ...subject, digest })).toThrow(refused);
  });
});

describe('what the library lets pass', () => {
  const plain = cases.find(({ file, expected, attestationIndex }) => {
    if (attestationIndex !== undefined) return false;
    const text = bytesOf(file).toString('utf8');
    return (
      expected === 'valid' && /"certificate":\s*\{\s*"rawBytes"/.test(text) && text.includes('.v0.3+json')
    );
  }) as (typeof cases)[number];
  const changed = (change: (json: ReturnType<typeof JSON.parse>) => void): string => {
    const json = JSON.parse(bytesOf(plain.file).toString('utf8'));
    change(json);
    return verdictOn({ ...inputOf(plain), bytes: Buffer.from(JSON.stringify(json)) }, policyOf(plain));
  };

  it('is refused: words after a media type, bytes after a certificate', () => {
    expect(changed(() => undefined)).toBe('valid');
    expect(changed((json) => (json.mediaType += '; more'))).toBe('PROVENANCE_INVALID');
    expect(
      changed(({ verificationMaterial: { certificate } }) => {
        const bytes = Buffer.from(certificate.rawBytes, 'base64');
        certificate.rawBytes = Buffer.concat([bytes, Buffer.alloc(3)]).toString('base64');
      }),
    ).toBe('PROVENANCE_INVALID');
  });

  it('is refused: a key for another use', () => {
    const file = trustRoots.find((bytes) => sha256(bytes) === NPM_KEYS) as Uint8Array;
    const text = Buffer.from(file).toString('utf8').replaceAll('npm:signatures', 'npm:others');
    const other = Buffer.from(text);
    expect(openNpmKeys(NPM_KEYS, 'npm:signatures', trustRoots).size).toBe(2);
    expect(openNpmKeys(sha256(other), 'npm:signatures', [other]).size).toBe(0);
  });
});
