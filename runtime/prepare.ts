/** A locked release made ready to start: its artifacts here, its files laid out, its texts the approved ones. */
import type { AuditSubject } from '../schemas/audit.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import { pinSurface, Surface } from '../schemas/surface.ts';
import { assertValid } from '../schemas/validate.ts';
import { pullArtifacts } from './pull.ts';
import { assertRemote } from './remote/start.ts';
import type { Blobs } from './store/blobs.ts';
import { materialise } from './store/materialise.ts';
import type { VerifiedEntry } from './trust/entry.ts';

export interface PrepareOptions {
  readonly verified: VerifiedEntry;
  readonly lockDigest: string;
  readonly blobs: Blobs;
  /** Folder of the materialised trees. */
  readonly treesDir: string;
  readonly fetch: (digest: string) => Promise<Buffer>;
  readonly progress: (line: string) => void;
}

export interface Prepared {
  readonly entry: LockEntry;
  readonly subject: AuditSubject;
  readonly surface: Surface;
  /** Host folder of the laid out closure; null for a server that runs elsewhere. */
  readonly appDir: string | null;
}

/** Nothing runs here. Throws what pulling and laying out throw, and APPROVAL_SUBJECT for texts of another surface. */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { alias, entry, approvedBy } = options.verified;
  const { blobs, progress } = options;
  await pullArtifacts(entry.closure.artifacts, blobs, {
    fetch: options.fetch,
    progress: (done, of) => progress(`pulling ${entry.server} ${entry.version}: ${done} of ${of} artifacts`),
  });
  const surface = await surfaceOf(options);
  const appDir = await layOut(options);
  progress('');
  const subject: AuditSubject = {
    alias,
    server: entry.server,
    version: entry.version,
    lock: options.lockDigest,
    closure: entry.closure.digest,
    surface: entry.surface.digest,
    approvedBy: [...approvedBy],
  };
  return { entry, subject, surface, appDir };
}

/** Of a remote server there is nothing to lay out: it has to be the one that the closure stands for. */
async function layOut({ verified, blobs, treesDir }: PrepareOptions): Promise<string | null> {
  const { entry } = verified;
  if (isLocal(entry.launch)) return (await materialise(entry.closure, blobs, treesDir)).appDir;
  assertRemote(entry, entry.launch);
  return null;
}

/** The approved texts of a release, fetched once. Throws APPROVAL_SUBJECT for those of another. */
export async function surfaceOf({
  verified,
  blobs,
  fetch,
}: Pick<PrepareOptions, 'blobs' | 'fetch'> & {
  readonly verified: { readonly entry: Pick<LockEntry, 'surface' | 'surfaceText'> };
}): Promise<Surface> {
  const { surfaceText } = verified.entry;
  if (!(await blobs.has(surfaceText))) {
    const bytes = await fetch(surfaceText);
    await blobs.put(bytes);
  }
  const surface = assertValid(Surface, parseStrict(await blobs.get(surfaceText)), 'the locked surface');
  const { digest } = pinSurface(surface);
  if (digest === verified.entry.surface.digest) return surface;
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: `the surface ${verified.entry.surface.digest}, which was approved`,
    found: `texts of another one, ${digest}`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}
