/** What verified statements say of a package, wherever they were kept: who made them, when, and which one is a build. */
import { type CertificateIdentity, stranger, type VerifiedBundle } from '../../runtime/provenance/policy.ts';
import { verifyBundle } from '../../runtime/provenance/verify.ts';
import { absent, type Built, held, type Standing } from './standing.ts';
import type { Pins } from './trust.ts';

/** The newer first: an answer that has both is judged by it. */
export const PROVENANCE_TYPES = [
  'https://slsa.dev/provenance/v1',
  'https://slsa.dev/provenance/v0.2',
] as const;

/** One statement, or bare signature, that a certificate vouches for. */
export interface Signed {
  readonly type: string;
  readonly built: Built;
  readonly at: string | null;
}

export function isBuild({ type }: Pick<Signed, 'type'>): boolean {
  return PROVENANCE_TYPES.some((one) => one === type);
}

/** Throws PROVENANCE_IDENTITY where more than one repository made them. */
export function assertOneRepository(all: readonly Signed[]): void {
  const [first, ...others] = new Set(all.map(({ built }) => built.builder.repository));
  if (others.length > 0) throw stranger(`one repository, ${first ?? 'none'}`, others.join(', '));
}

/** The first that is one; that there is none is a fact, told by `none`, once the others hold. */
export function firstOf(
  signed: Standing<readonly Signed[]>,
  is: (one: Signed) => boolean,
  none: string,
): Standing<Signed> {
  if (signed.state !== 'held') return signed;
  const found = signed.value.find(is);
  return found === undefined ? absent(none) : held(found);
}

/** The build among them. */
export function buildIn(signed: Standing<readonly Signed[]>, none: string): Standing<Built> {
  const found = firstOf(signed, isBuild, none);
  return found.state === 'held' ? held(found.value.built) : found;
}

/** Verified under the pin, whoever signed it. Throws what `verifyBundle` throws. */
export function signedIn(
  bundle: Parameters<typeof verifyBundle>[0],
  { root, files }: Pins,
  about: { readonly subject?: string } = {},
): Signed {
  const policy = { root, signer: { kind: 'whoever' }, ...about } as const;
  const { identity, statement, entries } = verifyBundle(bundle, policy, files);
  return { type: statement?.predicateType ?? '', built: builtBy(identity), at: timeIn(entries) };
}

/** When the log signed that it took the entry; null where no log signed a time. */
export function timeIn(entries: VerifiedBundle['entries']): string | null {
  const [time] = entries.flatMap(({ integratedAt }) => (integratedAt === null ? [] : [integratedAt]));
  return time?.toISOString() ?? null;
}

/** The certificate is the authority. Throws PROVENANCE_IDENTITY for a bare key, which names no build. */
export function builtBy(identity: VerifiedBundle['identity']): Built {
  const { issuer, san, repository, repositoryId, workflow, commit, ref, runner, trigger } =
    identity as CertificateIdentity;
  return { builder: { issuer, san, repository, repositoryId, workflow, commit, ref }, runner, trigger };
}
