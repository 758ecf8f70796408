/** Everything the registry's routes and workers need, handed in. */
import type { Logger } from 'pino';
import type { Blobs } from '../runtime/store/blobs.ts';
import type { ScanRequest, ScanResult } from '../scanner/ports.ts';
import type { Offered, Pointed, Release } from '../scanner/watch/ports.ts';
import type { Policy } from '../schemas/policy.ts';
import type { Feed } from './advisories/feed.ts';
import type { Checkpoints } from './checkpoints/checkpoints.ts';
import type { Client, Pool } from './db/pool.ts';
import type { BundleLimits } from './mcp-bundles.ts';
import type { Oidc } from './oidc/open.ts';
import type { StreamLimits } from './streams.ts';
import type { Trust } from './trust.ts';
import type { TufSetting } from './tuf/setting.ts';

export interface Deps {
  readonly pool: Pool;
  readonly blobs: Blobs;
  readonly trust: Trust;
  /** Checkpoints of the log with what witnesses signed below them. */
  readonly checkpoints: Checkpoints;
  readonly policy: Policy;
  readonly log: Logger;
  /** Absent where people sign in with one-time codes alone. */
  readonly oidc?: Oidc;
  /** Address that locks name. */
  readonly publicUrl: () => string;
  /** Bounds of the streams of revocations; what is left out is the product's own. */
  readonly streams?: Partial<StreamLimits>;
  /** The same of bundles that are handed in. */
  readonly bundles?: Partial<BundleLimits>;
}

export interface ScanDeps extends Deps {
  /** Folder of the scanner: temporary trees, and what was read of code. */
  readonly workDir: string;
  readonly scan: (request: ScanRequest, progress: (step: string) => void) => Promise<ScanResult>;
  /** The versions that there are where a release comes from. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
  readonly upstream: (release: Release) => Promise<Offered[]>;
  /** What the name that it was approved by means now; `kept` is what the last answer said to keep. Throws the same. */
  readonly pointer: (release: Release, kept: string | null) => Promise<Pointed>;
  /** Absent where no feed is set. */
  readonly advisories?: Feed;
  /** The repository of trust files; null where none is set. */
  readonly tuf: TufSetting | null;
  /** Folder of the trust files that people laid down, and one for work. */
  readonly trustRoots: string;
  readonly tmp: string;
}

/** What one run of a job has. */
export interface RunDeps extends ScanDeps {
  /** One transaction for what a run writes. Throws RUN_TAKEN_OVER, and nothing is written, once another worker has the job. */
  readonly result: <T>(work: (client: Client) => Promise<T>) => Promise<T>;
}
