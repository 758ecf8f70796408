/**
 * What is signed of a release, verified once more from the answers that its report keeps, under the trust files that are
 * pinned today. Nobody is asked. What rests on no pin, and commits, whose objects are not kept, stand as they were seen.
 */
import type { Blobs } from '../../runtime/store/blobs.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Report } from '../../schemas/finding.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { mcpbRefOf } from '../../schemas/mcpb.ts';
import { IMAGE_INDEX, IMAGE_MANIFEST } from '../../schemas/oci.ts';
import type { StoredFacts } from '../evidence.ts';
import { packageIn } from '../github/repository.ts';
import { bundleSigned } from '../mcpb/attested.ts';
import { imageSigned } from '../oci/attested.ts';
import { fromEvidence } from '../oci/signatures.ts';
import { wheelSigned } from '../pypi/attested.ts';
import { npmSigned } from './npm.ts';
import type { Attested } from './standing.ts';
import { NPM_PIN, SIGSTORE_PIN, type TrustFiles } from './trust.ts';

/** Of answers: a wheel's and an image's have the most. */
const MAX_ANSWER = 16 * 1024 * 1024;

export interface VerifiedAgain {
  readonly attested: Attested | string;
  /** Pins that are others than the report was made with, which this release's signatures rest on. */
  readonly pins: readonly string[];
  /** The files under those pins that are there now, by the name that a report has them under; null: no longer pinned. */
  readonly evidence: Readonly<Record<string, string | null>>;
}

/**
 * Throws ROOT_UNTRUSTED where root.json pins a file that is nowhere: nothing could be told of any signature, which is no
 * news about the release.
 */
export async function verifiedAgain(
  report: Report,
  facts: StoredFacts,
  { trust, blobs }: { readonly trust: TrustFiles; readonly blobs: Blobs },
): Promise<VerifiedAgain> {
  const { attested } = facts;
  const pins = pinsRead(facts).filter((name) => report.evidence[`trust-${name}`] !== pinnedIn(trust, name));
  if (typeof attested === 'string' || pins.length === 0) return { attested, pins: [], evidence: {} };
  const evidence: Record<string, string | null> = {};
  for (const name of pins) evidence[`trust-${name}`] = await keptFile(name, { trust, blobs });
  const answer = report.evidence.attestations;
  const bytes = answer === undefined ? null : await blobs.get(answer);
  return {
    attested: { ...attested, ...(await signedOf(report, facts, { trust, blobs, bytes })) },
    pins,
    evidence,
  };
}

function pinnedIn({ pinned }: TrustFiles, name: string): string | undefined {
  return Object.hasOwn(pinned, name) ? pinned[name] : undefined;
}

/** A commit's signature is verified in the repository, by the pin of its own. */
function pinsRead({ remote, git, image, bundle, rootPurl }: StoredFacts): string[] {
  if (remote !== null || git !== null) return [];
  const npm = image === null && bundle === null && rootPurl.startsWith('pkg:npm/');
  return npm ? [SIGSTORE_PIN, NPM_PIN] : [SIGSTORE_PIN];
}

interface Kept {
  readonly trust: TrustFiles;
  readonly blobs: Blobs;
}

async function keptFile(name: string, { trust, blobs }: Kept): Promise<string | null> {
  const digest = pinnedIn(trust, name);
  if (digest === undefined) return null;
  const file = trust.files.get(digest);
  if (file !== undefined && sha256(file) === digest) return (await blobs.put(file)).digest;
  throw new LockkeeperError('ROOT_UNTRUSTED', {
    expected: `the trust file "${name}" that root.json pins, ${digest}`,
    found: `none in ${trust.where}`,
    next: 'Lay it there; signatures of approved releases are verified with it after that',
  });
}

type Answer = Kept & { readonly bytes: Buffer | null };

/** Those parts that an answer tells of, or that the registry's own list does. */
async function signedOf(
  { release }: Report,
  facts: StoredFacts,
  { trust, blobs, bytes }: Answer,
): Promise<Partial<Attested>> {
  const { closure, rootPurl, upstream, image, bundle } = facts;
  const own = closure.artifacts.filter(({ purl }) => purl === rootPurl);
  if (image !== null) {
    if (bytes === null) return {};
    const documents = new Map<string, Buffer>();
    for (const { location, sha256: digest } of closure.artifacts)
      if (location === IMAGE_INDEX || location === IMAGE_MANIFEST)
        documents.set(digest, await blobs.get(digest));
    return imageSigned(fromEvidence(bytes), documents, trust);
  }
  if (bundle !== null) {
    if (bytes === null) return {};
    const bundles = parseStrict(bytes, { maxBytes: MAX_ANSWER }) as unknown as readonly unknown[];
    return bundleSigned(bundles, { digest: mcpbRefOf(release.source).digest, blobs }, trust);
  }
  // Of a wheel that was built here, what is signed is its source.
  const part = own[0]?.built?.source ?? own[0];
  const archive = await blobs.get(part?.sha256 ?? '');
  if (rootPurl.startsWith('pkg:pypi/')) {
    const file = part?.location.split('/').at(-1) ?? '';
    return bytes === null ? {} : wheelSigned(bytes, { file, archive, trust });
  }
  return npmSigned(packageIn(rootPurl), { upstream, archive, files: [], trust }, bytes);
}
