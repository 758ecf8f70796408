/** The upstream attestation cases as calls of the verifier. Expectations come from the data, never from a case's name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleInput, BundlePolicy, CertificateIdentity } from '../../runtime/provenance/policy.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';

const folder = join(import.meta.dirname, '../fixtures/bundles');
const json = <T>(file: string): T => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;
export const bytesOf = (file: string): Buffer => readFileSync(join(folder, file));

export interface BundleCase {
  readonly id: string;
  readonly file: string;
  readonly trustRoot: string;
  readonly expected: 'valid' | 'invalid';
  readonly reason: string;
  readonly sha256: string;
  readonly format?: 'pep740';
  readonly artifact?: string;
  readonly attestationIndex?: number;
  readonly wrapperPredicateType?: string;
  readonly policy?: { readonly issuer?: string; readonly san?: string };
  readonly observed: Readonly<Record<string, { readonly verdict: string; readonly error?: string }>>;
}

type Certified = Omit<CertificateIdentity, 'kind' | 'certificate' | 'repositoryId' | 'run'>;

/** What each certificate says, by file (and index), decoded by another program than ours. */
const identities = json<Readonly<Record<string, Certified>>>('identities.json');
export const cases = json<{ readonly cases: readonly BundleCase[] }>('expected.json').cases;

const roots = [...new Set(cases.map(({ trustRoot }) => trustRoot))];
const npmKeys = bytesOf('trust-roots/npm-keys.json');
export const NPM_KEYS = sha256(npmKeys);
export const trustRoots: readonly Uint8Array[] = [...roots.map(bytesOf), npmKeys];

export function certifiedBy({ file, attestationIndex }: BundleCase): Certified | undefined {
  return identities[attestationIndex === undefined ? file : `${file}#${attestationIndex}`];
}

export function inputOf(given: BundleCase): BundleInput {
  const bytes = bytesOf(given.file);
  const artifact = given.artifact === undefined ? null : bytesOf(given.artifact);
  if (given.wrapperPredicateType !== undefined)
    return { format: 'npm', bytes, artifact, attestation: given.wrapperPredicateType };
  return { format: given.format ?? 'sigstore', bytes, artifact };
}

/**
 * The case's own demand, completed by what the certificate says, so that a case that must fail cannot fail for a
 * signer nobody asked for.
 */
export function policyOf(given: BundleCase): BundlePolicy {
  const root = sha256(bytesOf(given.trustRoot));
  if (given.wrapperPredicateType?.includes('/npm/attestation/'))
    return { root, signer: { kind: 'npm-key', keys: NPM_KEYS } };
  const { issuer = null, san = 'nobody', repository, workflow } = certifiedBy(given) ?? {};
  const exact = {
    ...(repository ? { repository } : {}),
    ...(workflow ? { workflow } : {}),
  };
  return { root, signer: { kind: 'certificate', issuer, san, ...exact, ...given.policy } };
}

/** `valid`, or the code of the refusal. Anything but one of our refusals is thrown on. */
export function verdictOn(input: BundleInput, policy: BundlePolicy): string {
  try {
    verifyBundle(input, policy, trustRoots);
    return 'valid';
  } catch (error) {
    if (error instanceof LockkeeperError) return error.code;
    throw error;
  }
}

export const verdictOf = (given: BundleCase): string => verdictOn(inputOf(given), policyOf(given));

/** The verdict that the table asks for: what another verifier objected to decides which refusal it is. */
export function expectedOf({ expected, observed }: BundleCase): string {
  if (expected === 'valid') return 'valid';
  const error = observed['sigstore5(verify4.1.3)']?.error ?? '';
  if (error.startsWith('UNTRUSTED_SIGNER_ERROR')) return 'PROVENANCE_IDENTITY';
  return /^(?:SUBJECT|wrapper)/.test(error) ? 'PROVENANCE_SUBJECT' : 'PROVENANCE_INVALID';
}
