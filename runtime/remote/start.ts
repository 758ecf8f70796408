/** The remote server of a lock entry, connected to as it was reviewed. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { REMOTE_LOCATION, type RemoteLaunch, remoteDigest } from '../../schemas/remote.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { EgressEvent } from '../ports.ts';
import { openRemote, type RemoteServer } from './open.ts';
import type { Credentials } from './requests.ts';

export interface RemoteStart {
  readonly launch: RemoteLaunch;
  /** The locked surface's texts. */
  readonly surface: Pick<Surface, 'tools'>;
  readonly record: (event: EgressEvent) => Promise<void>;
  readonly credentials?: Credentials;
}

/**
 * That the address and the keys are what the closure stands for, whose digest people approved. Throws ARTIFACT_MISMATCH
 * before anything is connected to.
 */
export function assertRemote({ server, version, closure, surface }: LockEntry, launch: RemoteLaunch): void {
  const [artifact, ...rest] = closure.artifacts;
  const expected = remoteDigest(launch, surface.capture.eras);
  const only = artifact?.location === REMOTE_LOCATION && rest.length === 0;
  if (only && artifact.sha256 === expected) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${server} ${version} at ${launch.url} to be the document ${expected}`,
    found: artifact ? `${artifact.location} with digest ${artifact.sha256}` : 'none',
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

export function startRemote({ launch, surface, record, credentials }: RemoteStart): Promise<RemoteServer> {
  return openRemote({
    launch,
    record,
    tools: surface.tools,
    ...(credentials === undefined ? {} : { credentials }),
  });
}
