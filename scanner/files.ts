/** Files of packages out of the blob store. */
import type { Blobs } from '../runtime/store/blobs.ts';
import { filesOf } from '../runtime/store/materialise.ts';
import type { UnpackedFile } from '../runtime/store/unpack.ts';
import { withSources } from '../schemas/built.ts';
import type { Artifact } from '../schemas/release.ts';
import { REMOTE_LOCATION } from '../schemas/remote.ts';
import type { Facts } from './checks/check.ts';

/** By purl; unpacked once, kept in memory for the most recently read alone. */
export function fileReader(artifacts: readonly Artifact[], blobs: Blobs): Facts['files'] {
  const byPurl = new Map(withSources(artifacts).map((artifact) => [artifact.purl, artifact]));
  let last: { purl: string; files: readonly UnpackedFile[] } | null = null;
  return async (purl) => {
    const artifact = byPurl.get(purl);
    if (artifact?.location === REMOTE_LOCATION) return [];
    if (last?.purl === purl) return last.files;
    const { sha256 = '', location = '' } = artifact ?? {};
    const files = await filesOf(await blobs.get(sha256), { purl, location });
    last = { purl, files };
    return files;
  };
}
