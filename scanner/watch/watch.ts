/** Asks whoever has a source: its package registry, its repository, its container registry, its address. */
import { gitRefOf, isGitSource } from '../../schemas/git.ts';
import { isMcpbSource, mcpbRefOf } from '../../schemas/mcpb.ts';
import { isOciSource, ociRefOf } from '../../schemas/oci.ts';
import { isPypiSource, pypiRefOf } from '../../schemas/pypi.ts';
import { isRemoteSource } from '../../schemas/remote.ts';
import { packageOf } from '../closure.ts';
import { offeredByGit, pointedByGit } from '../git/watch.ts';
import { offeredByGithub, pointedByAddress } from '../mcpb/watch.ts';
import { offeredByOci, pointedByOci } from '../oci/watch.ts';
import { pypiVersions } from '../pypi/versions.ts';
import { upstreamVersions } from '../upstream.ts';
import type { Offered, Pointed, Release, WatchPorts } from './ports.ts';

/** Has it versions that somebody could list? Nobody publishes versions of an address, or of a file that was handed in. */
export function hasVersions(source: string): boolean {
  return !isRemoteSource(source) && !(isMcpbSource(source) && mcpbRefOf(source).url === null);
}

/** Has it a name that may come to mean other bytes? Package registries keep a version as it is. */
export function hasName(source: string): boolean {
  if (isGitSource(source)) return gitRefOf(source).tag !== null;
  return isOciSource(source) || (isMcpbSource(source) && mcpbRefOf(source).url !== null);
}

/** Whom a question about it goes to. */
export async function hostOf(source: string, { npm, pypi }: WatchPorts): Promise<string> {
  if (isPypiSource(source)) return (await pypi()).indexes[0] ?? '';
  if (isOciSource(source)) return ociRefOf(source).host;
  if (isGitSource(source)) return new URL(gitRefOf(source).url).host;
  if (isMcpbSource(source)) return new URL(mcpbRefOf(source).url ?? 'file:').host;
  const [scope = ''] = packageOf(source).name.split('/');
  return String(npm[`${scope}:registry`] ?? npm.registry ?? '');
}

/** Every version that there is. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
export async function offeredAt(release: Release, ports: WatchPorts): Promise<Offered[]> {
  const { source, version } = release;
  if (isGitSource(source)) return offeredByGit(release, ports);
  if (isOciSource(source)) return offeredByOci(release, await ports.oci());
  if (isMcpbSource(source)) {
    const { url, ...ref } = mcpbRefOf(source);
    return url === null ? [] : offeredByGithub({ ...ref, url }, version, ports);
  }
  if (isPypiSource(source)) {
    const { name } = pypiRefOf(source);
    const refs = await pypiVersions(name, await ports.pypi());
    return refs.map((ref) => ({ version: ref.release, source: `pypi:${name}@${ref.version}` }));
  }
  const { name } = packageOf(source);
  const versions = await upstreamVersions(name, ports.npm);
  return versions.map((one) => ({ version: one, source: `npm:${name}@${one}` }));
}

/** Of a source that has a name. Throws SOURCE_UNREACHABLE and SOURCE_INVALID. */
export async function pointedAt(release: Release, kept: string | null, ports: WatchPorts): Promise<Pointed> {
  const { source } = release;
  if (isOciSource(source)) return pointedByOci(release, kept, await ports.oci());
  if (isMcpbSource(source)) {
    const { url, ...ref } = mcpbRefOf(source);
    if (url !== null) return pointedByAddress({ ...ref, url }, kept, ports);
  }
  if (isGitSource(source)) {
    const { tag, ...ref } = gitRefOf(source);
    if (tag !== null) return pointedByGit({ ...ref, tag }, ports);
  }
  return { state: 'same', found: 'a version that its registry keeps', keep: null };
}
