/** Bringing a locked closure into the local store, by digest, from whoever has the bytes. */
import { LockkeeperError } from '../schemas/errors.ts';
import { sha256 } from '../schemas/json.ts';
import type { Artifact } from '../schemas/release.ts';
import type { Blobs } from './store/blobs.ts';

export interface PullOptions {
  /** Returns the bytes a source has under this digest; they are not believed before they are hashed. */
  readonly fetch: (digest: string) => Promise<Buffer>;
  readonly progress: (done: number, of: number) => void;
}

const CONCURRENCY = 8;

/** Fetches what is missing. Every artifact is hashed before it is stored; a wrong one stops the pull. Returns how many were fetched. */
export async function pullArtifacts(
  artifacts: readonly Artifact[],
  blobs: Blobs,
  options: PullOptions,
): Promise<number> {
  const missing: Artifact[] = [];
  const seen = new Set<string>();
  for (const artifact of artifacts) {
    if (seen.has(artifact.sha256) || (await blobs.has(artifact.sha256))) continue;
    seen.add(artifact.sha256);
    missing.push(artifact);
  }
  let done = 0;
  const queue = missing.values();
  const worker = async (): Promise<void> => {
    for (const artifact of queue) {
      await pullOne(artifact, blobs, options.fetch);
      options.progress(++done, missing.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return missing.length;
}

async function pullOne(artifact: Artifact, blobs: Blobs, fetch: PullOptions['fetch']): Promise<void> {
  const bytes = await fetch(artifact.sha256);
  const found = sha256(bytes);
  if (found !== artifact.sha256) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${artifact.purl} with digest ${artifact.sha256}`,
      found: `${bytes.length} bytes with digest ${found}`,
      next: 'Do not run it: the source of artifacts served other bytes than were approved. Tell the registry administrator',
    });
  }
  await blobs.put(bytes);
}
