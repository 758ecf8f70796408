/** What an air-gapped machine is brought in one file, beside mcp.lock, lockkeeper.json and the blobs they name. */
import { Closed } from './common.ts';
import { Envelope } from './dsse.ts';
import { Growth } from './log.ts';
import { type Static, Type } from './type.ts';

export const Bundle = Closed({
  lockkeeper: Type.Literal('bundle/v1'),
  /** Roots before the lock's, oldest first: from the keys that the machine pinned, where those are not today's. */
  rootChain: Type.Array(Envelope, { maxItems: 1000 }),
  /** How the log grew since a size that the machine has seen. */
  growth: Type.Array(Growth, { maxItems: 32 }),
});
export type Bundle = Static<typeof Bundle>;

export const BUNDLE_FILE = 'bundle.json';

/** Where a blob stands in the archive. */
export function blobPath(digest: string): string {
  return `blobs/${digest.slice('sha256:'.length)}`;
}

export function trustRootPath(name: string): string {
  return `trust-roots/${name}.json`;
}
