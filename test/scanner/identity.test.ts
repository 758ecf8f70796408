/** What a certificate says, read strictly; and a predicate that says otherwise. The signed cases never disagree. */
import { generateKeyPairSync } from 'node:crypto';
import type { Signer } from '@sigstore/verify';
import { describe, expect, it } from 'vitest';
import { identityOf, leafOf } from '../../scanner/provenance/identity.ts';
import type { CertificateIdentity, Statement } from '../../scanner/provenance/policy.ts';
import { readBundle } from '../../scanner/provenance/read.ts';
import { assertAgrees, readStatement } from '../../scanner/provenance/statement.ts';
import { verifyBundle } from '../../scanner/provenance/verify.ts';
import { cases, certifiedBy, inputOf, policyOf, trustRoots } from '../helpers/bundles.ts';

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
});
