/** A scan of a server that runs elsewhere: who answers, what it shows, and the document that stands for both. */
import { createHash } from 'node:crypto';
import { dial } from '../runtime/remote/tls.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { type Closure, closureDigest, type Submission } from '../schemas/release.ts';
import {
  REMOTE_LOCATION,
  type RemoteLaunch,
  type RemoteWish,
  remoteDocument,
  remotePurl,
} from '../schemas/remote.ts';
import { type Observed, observe } from './observe.ts';
import type { ScanPorts } from './ports.ts';
import { remoteWishOf } from './submission.ts';

export interface RemoteScan {
  readonly launch: RemoteLaunch;
  readonly closure: Closure;
  readonly observed: Observed;
}

/**
 * Connects once to see who answers, pins that, and takes the surface as the runtime will: over connections that are held to
 * the pins. Throws what `dial` and `observe` throw.
 */
export async function scanRemote(submission: Submission, ports: ScanPorts): Promise<RemoteScan> {
  const { source: url, version, permissions } = submission;
  const wish = remoteWishOf(submission);
  ports.progress('looking who answers');
  const launch = await pinned(url, wish);
  ports.progress('observing the server');
  const observed = await observe({ remote: launch, permissions }, ports);
  const bytes = remoteDocument(launch, observed.surface.capture.eras);
  const { digest, size } = await ports.blobs.put(bytes);
  const artifact = {
    location: REMOTE_LOCATION,
    purl: remotePurl(url, version),
    sha256: digest,
    sha512: createHash('sha512').update(bytes).digest('hex'),
    size,
    optional: false,
  };
  return { launch, observed, closure: { digest: closureDigest([artifact]), artifacts: [artifact] } };
}

async function pinned(url: string, { transport, reach, pin, ca }: RemoteWish): Promise<RemoteLaunch> {
  const seen = await dial({ launch: { url, reach, tls: { ca, leaf: null } }, record: async () => undefined });
  seen.socket.destroy();
  const { leaf, issuer } = seen.identity;
  if (pin.includes('issuer') && issuer === null) {
    throw new LockkeeperError('TLS_UNTRUSTED', {
      expected: 'a certificate together with the one that issued it',
      found: 'the certificate alone',
      next: 'Have the server send its whole chain, or pin its own key alone: --pin leaf',
    });
  }
  const tls = {
    leaf: pin.includes('leaf') ? [leaf] : [],
    issuer: pin.includes('issuer') && issuer !== null ? [issuer] : [],
    ca,
  };
  return { transport, url, reach, tls };
}
