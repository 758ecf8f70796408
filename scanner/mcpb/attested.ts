/** What is signed of a bundle: nothing by the bundle itself, and what GitHub keeps of the workflow that built it. */

import type { Blobs } from '../../runtime/store/blobs.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import type { Github } from '../github/client.ts';
import type { Attestations, Known } from '../ports.ts';
import { claimedAt } from '../provenance/claimed.ts';
import { assertOneRepository, buildIn, type Signed, signedIn } from '../provenance/signed.ts';
import { type Attested, absent, held, notKnown, type Standing, standingOf } from '../provenance/standing.ts';
import { pinOf, SIGSTORE_PIN } from '../provenance/trust.ts';

const ROUTE = 'GET /repos/{owner}/{repo}/attestations/{subject_digest}';
/** GitHub's answer; bundles that are kept elsewhere have an address in their place. */
const Answer = Type.Object({
  attestations: Type.Array(Type.Object({ bundle: Type.Optional(Type.Unknown()) }), { maxItems: 30 }),
});

export interface AttestedBundle {
  /** As the manifest names it; null where it names none. */
  readonly repository: string | null;
  /** Bytes of the signature that it carries. */
  readonly signature: number;
  readonly digest: string;
  readonly blobs: Blobs;
  readonly github: Github | null;
}

/** Never throws for what GitHub says or leaves out: that is what the standings tell. */
export async function bundleAttested(
  bundle: AttestedBundle,
  { trust }: Pick<Known, 'trust'>,
): Promise<Attestations> {
  const claimed = claimedAt(bundle.repository);
  const found = await askFor(claimed[0]?.url ?? null, bundle);
  const attested = {
    signature:
      bundle.signature === 0
        ? absent('bundles are in no registry that signs versions, and it carries no signature')
        : notKnown('it carries a signature of the form of bundles, which is not verified and not believed'),
    publish: absent('bundles are published in no registry that could attest it'),
    ...(await bundleSigned(found, bundle, trust)),
    claimed: claimed.map((one) => one.url),
    commit: null,
  };
  return { attested, claimed, answer: typeof found === 'string' ? null : Buffer.from(canonical(found)) };
}

/** From what GitHub gave alone; a string says why nothing is known. */
export async function bundleSigned(
  found: readonly unknown[] | string,
  bundle: Pick<AttestedBundle, 'digest' | 'blobs'>,
  trust: Known['trust'],
): Promise<Pick<Attested, 'build'>> {
  const signed = typeof found === 'string' ? notKnown(found) : await verified(found, bundle, trust);
  return { build: buildIn(signed, 'none of its attestations is a build') };
}

/** The attestations that GitHub has of these bytes; a string says why nobody knows. */
async function askFor(
  url: string | null,
  { github, digest }: AttestedBundle,
): Promise<readonly unknown[] | string> {
  if (github === null) return 'this scanner does not ask GitHub for attestations of its build';
  if (url === null || new URL(url).hostname !== github.host)
    return `its manifest names no repository at ${github.host}`;
  const [, owner = '', repo = ''] = new URL(url).pathname.split('/');
  try {
    const answer = await github.ask(ROUTE, { owner, repo, subject_digest: digest });
    if (answer === null) return [];
    if (!isValid(Answer, answer)) return 'GitHub answered for its attestations in another form';
    const bundles = answer.attestations.map(({ bundle }) => bundle);
    return bundles.includes(undefined) || bundles.includes(null)
      ? 'GitHub keeps its attestations elsewhere, where they are not read'
      : bundles;
  } catch (error) {
    return asLockkeeperError(error).message;
  }
}

/** All of them have to hold for these very bytes, and by one repository. */
async function verified(
  bundles: readonly unknown[],
  { digest, blobs }: Pick<AttestedBundle, 'digest' | 'blobs'>,
  trust: Known['trust'],
): Promise<Standing<readonly Signed[]>> {
  if (bundles.length === 0) return absent('GitHub has no attestation of it');
  const pin = pinOf(trust, SIGSTORE_PIN);
  if (typeof pin === 'string') return notKnown(pin);
  const artifact = await blobs.get(digest);
  return standingOf(() => {
    const all = bundles.map((bundle): Signed => {
      const bytes = Buffer.from(JSON.stringify(bundle));
      return signedIn({ format: 'sigstore', bytes, artifact }, pin);
    });
    assertOneRepository(all);
    return held(all);
  });
}
