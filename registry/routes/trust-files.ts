/** Trust files as they are pinned, and as their repository has them by now: for people to compare. */
import { trustChanges } from '../../runtime/provenance/trust-text.ts';
import { whereThere } from '../../runtime/store/blobs.ts';
import type { TrustFilesView, TrustFileView } from '../../schemas/trust-files.ts';
import { MAX_TRUST_FILE_BYTES } from '../../schemas/trust-files.ts';
import type { Handlers } from '../app.ts';
import { listTrustFiles, repositoryState, type TrustFileRow } from '../db/trust-files.ts';
import type { Deps } from '../deps.ts';

export function trustFileRoutes(deps: Deps): Handlers {
  return { trustFiles: () => view(deps) };
}

async function view(deps: Deps): Promise<TrustFilesView> {
  const pinned = (await deps.trust.current()).trusted.root.trustRoots;
  const [state, rows] = [await repositoryState(deps.pool), await listTrustFiles(deps.pool)];
  const offered = new Map(rows.map((row) => [row.name, row]));
  const names = [...new Set([...Object.keys(pinned), ...offered.keys()])].sort();
  const files: TrustFileView[] = [];
  for (const name of names)
    files.push(await fileView({ name, pinned: pinned[name], offered: offered.get(name) }, deps));
  const { repository = null, asked_at, read_at, code, problem } = state ?? {};
  return {
    repository,
    askedAt: asked_at?.toISOString() ?? null,
    readAt: read_at?.toISOString() ?? null,
    problem: code && problem ? { code, message: problem } : null,
    files,
  };
}

interface Two {
  readonly name: string;
  readonly pinned: string | undefined;
  readonly offered: TrustFileRow | undefined;
}

async function fileView({ name, pinned, offered }: Two, { blobs }: Deps): Promise<TrustFileView> {
  const small = async (digest: string): Promise<Buffer | null> => {
    const bytes = await whereThere(blobs, digest);
    return bytes !== null && bytes.length <= MAX_TRUST_FILE_BYTES ? bytes : null;
  };
  const before = pinned === undefined ? null : await small(pinned);
  const after = offered === undefined ? null : await small(offered.digest);
  const there = offered !== undefined && after !== null;
  const waits = there && offered.digest !== pinned;
  return {
    name,
    state: !there ? 'kept' : !waits ? 'used' : pinned === undefined ? 'new' : 'changed',
    pinned: pinned === undefined ? null : { digest: pinned, bytes: before?.toString('base64') ?? null },
    offered: there
      ? {
          target: offered.target,
          digest: offered.digest,
          bytes: after.toString('base64'),
          since: offered.since.toISOString(),
        }
      : null,
    changes: waits ? trustChanges(before, after) : [],
  };
}
