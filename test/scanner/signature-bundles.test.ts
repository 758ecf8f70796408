/** Upstream's signature bundles: every verdict, without a network, and none of them after a byte has changed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BundleInput, BundlePolicy, SignerPolicy } from '../../runtime/provenance/policy.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { sha256 } from '../../schemas/json.ts';
import { changes } from '../helpers/mutate.ts';
import {
  type BundleCase,
  bytesOf,
  cases,
  certifiedBy,
  expectedOf,
  inputOf,
  NPM_KEYS,
  policyOf,
  trustRoots,
  verdictOf,
  verdictOn,
} from '../helpers/signature-bundles.ts';

const valid = cases.filter(({ expected }) => expected === 'valid');
const byCertificate = valid.filter((given) => policyOf(given).signer.kind === 'certificate');

describe('the upstream cases', () => {
  it('are the files that upstream published, 117 of them', () => {
    expect(cases.length).toBe(117);
    for (const { file, sha256: digest } of cases) expect(sha256(bytesOf(file))).toBe(`sha256:${digest}`);
  });

  it.each(cases.map((given) => [given.id, given] as const))('%s', (_, given) => {
    expect(verdictOf(given)).toBe(expectedOf(given));
  });

  it('tell who signed, as another decoder reads the certificate', () => {
    expect(byCertificate.length).toBeGreaterThan(50);
    for (const given of byCertificate) {
      const { identity } = verifyBundle(inputOf(given), policyOf(given), trustRoots);
      expect(identity).toMatchObject({ kind: 'certificate', ...certifiedBy(given) });
    }
  });

  it('need no network: same verdicts where no interface is up', () => {
    const script = join(import.meta.dirname, '../helpers/verify-bundles.ts');
    const output = execFileSync('unshare', ['-rn', process.execPath, script], { encoding: 'utf8' });
    const { interfaces, verdicts } = JSON.parse(output) as { interfaces: string[]; verdicts: string[] };
    expect(interfaces).toEqual([]);
    expect(verdicts).toEqual(cases.map(expectedOf));
  });
});

/** The same attestation in two of upstream's files is changed once. */
const distinct = [...new Map(valid.map((given) => [attestationOf(given), given])).values()];

function attestationOf({ file, attestationIndex, format }: BundleCase): string {
  const json = JSON.parse(bytesOf(file).toString('utf8'));
  return `${format ?? ''}${JSON.stringify(attestationIndex === undefined ? json : json.attestations[attestationIndex])}`;
}

describe('a changed byte', () => {
  it.each(distinct.map((given) => [given.id, given] as const))('is refused in %s', (_, given) => {
    const input = inputOf(given);
    const policy = policyOf(given);
    const passed: string[] = [];
    let count = 0;
    for (const { path, bytes } of changes(input.bytes, given.attestationIndex)) {
      count++;
      if (verdictOn({ ...input, bytes }, policy) === 'valid') passed.push(path);
    }
    expect(count).toBeGreaterThan(10);
    expect(passed).toEqual([]);
  });

  it('is refused in the artifact', () => {
    const withArtifact = valid.filter(({ artifact }) => artifact !== undefined);
    expect(withArtifact.length).toBeGreaterThan(20);
    for (const given of withArtifact) {
      const input = inputOf(given);
      const artifact = Buffer.from(input.artifact ?? []);
      artifact.writeUInt8(artifact.readUInt8(artifact.length >> 1) ^ 1, artifact.length >> 1);
      expect(verdictOn({ ...input, artifact }, policyOf(given)), given.id).toBe('PROVENANCE_SUBJECT');
    }
  });

  it('is refused in the trust root', () => {
    const [given] = valid as [BundleCase];
    const root = Buffer.from(bytesOf(given.trustRoot));
    root.writeUInt8(root.readUInt8(root.length >> 1) ^ 1, root.length >> 1);
    const only = (): unknown => verifyBundle(inputOf(given), policyOf(given), [root]);
    expect(only).toThrow(expect.objectContaining({ code: 'ROOT_UNTRUSTED' }));
  });
});

describe('the demanded signer', () => {
  const FIELDS = ['issuer', 'san', 'repository', 'workflow'] as const;

  it('is an exact value: no beginning, no pattern, no other case', () => {
    for (const given of byCertificate.filter((one) => distinct.includes(one))) {
      const policy = policyOf(given);
      const input = inputOf(given);
      for (const field of FIELDS) {
        const value = (policy.signer as Readonly<Record<string, string | null | undefined>>)[field];
        if (typeof value !== 'string') continue;
        for (const other of [value.slice(0, -1), `${value}/`, '.*', value.toUpperCase()]) {
          const signer = { ...policy.signer, [field]: other } as SignerPolicy;
          expect(verdictOn(input, { ...policy, signer }), `${given.id} ${field}`).toBe('PROVENANCE_IDENTITY');
        }
      }
    }
  });

  it('is not met by silence: what a certificate leaves out cannot be demanded of it', () => {
    const silent = byCertificate.filter((given) => certifiedBy(given)?.repository === null);
    expect(silent.length).toBeGreaterThan(5);
    for (const given of silent) {
      const policy = policyOf(given);
      const signer = {
        ...policy.signer,
        repository: 'https://github.com/sigstore/sigstore-js',
      } as SignerPolicy;
      expect(verdictOn(inputOf(given), { ...policy, signer })).toBe('PROVENANCE_IDENTITY');
    }
  });

  it('must be named: an issuer alone is everybody with an account there', () => {
    const [given] = byCertificate as [BundleCase];
    const { root } = policyOf(given);
    const issuer = 'https://token.actions.githubusercontent.com';
    for (const signer of [{ issuer }, { issuer, san: '' }]) {
      const policy: BundlePolicy = { root, signer: { kind: 'certificate', ...signer } };
      expect(verdictOn(inputOf(given), policy)).toBe('CONFIG_INVALID');
    }
  });

  it('is of the demanded kind: a key is no certificate, and a certificate no key', () => {
    for (const given of valid) {
      const { root, signer } = policyOf(given);
      const other: SignerPolicy =
        signer.kind === 'certificate'
          ? { kind: 'npm-key', keys: NPM_KEYS }
          : { kind: 'certificate', issuer: null, san: 'somebody' };
      expect(verdictOn(inputOf(given), { root, signer: other }), given.id).toBe('PROVENANCE_IDENTITY');
    }
  });
});

describe('the demanded root', () => {
  it('is the only one that counts, whatever others lie beside it', () => {
    const digests = [...new Set(cases.map(({ trustRoot }) => sha256(bytesOf(trustRoot))))];
    expect(digests.length).toBe(3);
    for (const given of valid) {
      const policy = policyOf(given);
      for (const root of digests.filter((digest) => digest !== policy.root))
        expect(verdictOn(inputOf(given), { ...policy, root }), given.id).toBe('PROVENANCE_INVALID');
    }
  });

  it('dates its authorities', () => {
    const [given] = valid as [BundleCase];
    const undated = JSON.parse(bytesOf(given.trustRoot).toString('utf8'));
    delete undated.tlogs[0].publicKey.validFor.start;
    const bytes = Buffer.from(JSON.stringify(undated));
    const act = (): unknown =>
      verifyBundle(inputOf(given), { ...policyOf(given), root: sha256(bytes) }, [bytes, ...trustRoots]);
    expect(act).toThrow(expect.objectContaining({ code: 'ROOT_UNTRUSTED' }));
  });
});

describe('what an attestation is about', () => {
  const npm = valid.filter(({ wrapperPredicateType }) => wrapperPredicateType !== undefined);

  it('is the demanded subject and type', () => {
    for (const given of npm) {
      const input = inputOf(given);
      const policy = policyOf(given);
      const { statement } = verifyBundle(input, policy, trustRoots);
      const subject = statement?.subjects[0]?.name ?? '';
      const predicateType = statement?.predicateType ?? '';
      expect(verdictOn(input, { ...policy, subject, predicateType })).toBe('valid');
      expect(verdictOn(input, { ...policy, subject: `${subject}-1` })).toBe('PROVENANCE_SUBJECT');
      expect(verdictOn(input, { ...policy, predicateType: 'https://slsa.dev' })).toBe('PROVENANCE_SUBJECT');
    }
  });

  it('is said when the type is not among the attestations, and when it is there twice', () => {
    const [given] = npm as [BundleCase];
    const input = inputOf(given) as Extract<BundleInput, { format: 'npm' }>;
    expect(verdictOn({ ...input, attestation: 'https://example.com/other' }, policyOf(given))).toBe(
      'PROVENANCE_MISSING',
    );
    const json = JSON.parse(Buffer.from(input.bytes).toString('utf8'));
    const twice = { attestations: [...json.attestations, ...json.attestations] };
    const bytes = Buffer.from(JSON.stringify(twice));
    expect(verdictOn({ ...input, bytes }, policyOf(given))).toBe('PROVENANCE_INVALID');
  });

  it('is an artifact that must be there for a signature without a statement', () => {
    const signed = valid.filter(({ file }) => bytesOf(file).includes('"messageSignature"'));
    expect(signed.length).toBeGreaterThan(0);
    for (const given of signed)
      expect(verdictOn({ ...inputOf(given), artifact: null }, policyOf(given))).toBe('PROVENANCE_SUBJECT');
  });
});
