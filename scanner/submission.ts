/** What a submission names: a package of a package registry, or a server that runs elsewhere. */
import { LockkeeperError } from '../schemas/errors.ts';
import { gitPurl, gitRefOf, isGitSource } from '../schemas/git.ts';
import { isMcpbSource, mcpbPurl, mcpbRefOf } from '../schemas/mcpb.ts';
import { isOciSource, ociPurl, ociRefOf } from '../schemas/oci.ts';
import { isPypiSource, pypiPurl, pypiRefOf } from '../schemas/pypi.ts';
import type { Submission } from '../schemas/release.ts';
import { hostPortOf, isRemoteSource, type RemoteWish, remotePurl } from '../schemas/remote.ts';
import { packageOf, purlOf } from './closure.ts';

function invalid(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', { expected, found, next });
}

/** Throws SOURCE_INVALID, or REQUEST_INVALID for what does not go together. */
export function purlOfSubmission(submission: Submission): string {
  const { source, version } = submission;
  if (isRemoteSource(source)) {
    remoteWishOf(submission);
    return remotePurl(source, version);
  }
  if (submission.config !== undefined && !isMcpbSource(source))
    throw invalid('settings for an MCP bundle alone', 'some', 'Leave them out');
  const [purl, own] = packageIn(submission);
  if (submission.remote !== undefined)
    throw invalid('no word of a remote server', 'one, for a package', 'Leave it out');
  if (own === null || own === version) return purl;
  throw invalid(`version ${own}, as in the source`, version, 'Use one version in both');
}

/** Its purl, and its version as releases have it; null for what a digest names, which is no version that a range could choose. */
function packageIn({ source, version }: Submission): [string, string | null] {
  if (isMcpbSource(source)) return [mcpbPurl(mcpbRefOf(source), version), null];
  if (isGitSource(source)) return [gitPurl(gitRefOf(source), version), null];
  if (isOciSource(source)) return [ociPurl(ociRefOf(source)), null];
  if (isPypiSource(source)) {
    const ref = pypiRefOf(source);
    return [pypiPurl(ref), ref.release];
  }
  const ref = packageOf(source);
  return [purlOf(ref), ref.version];
}

/** A remote server is spoken to and nothing else: it takes no arguments, files, variables, and reaches what it wants. */
export function remoteWishOf({ source, remote, args, projectArgs, permissions }: Submission): RemoteWish {
  if (new URL(source).href !== source)
    throw invalid(`the address as ${new URL(source).href}`, source, 'Write it so');
  if (!remote) throw invalid('what is to be pinned of the remote server', 'nothing', 'Say it under "remote"');
  const { egress, mounts, env } = permissions;
  if (args.length > 0 || projectArgs || mounts.length > 0 || env.length > 0) {
    const next = 'Leave them out: nothing is started here that could take them';
    throw invalid('a remote server without arguments, folders and variables', 'some', next);
  }
  const own = hostPortOf(source);
  if (egress.length === 1 && egress[0] === own) return remote;
  throw invalid(`${own} as the one host`, egress.join(', ') || 'none', 'Name the host of its address alone');
}
