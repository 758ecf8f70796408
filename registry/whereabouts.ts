/** Where clients find a server, as the MCP registry says it. */
import { gitRefOf, isGitSource } from '../schemas/git.ts';
import { isMcpbSource, mcpbRefOf } from '../schemas/mcpb.ts';
import { isOciSource, ociRefOf } from '../schemas/oci.ts';
import { isPypiSource, pypiRefOf } from '../schemas/pypi.ts';
import { isRemoteSource } from '../schemas/remote.ts';
import type { ReleaseRow } from './db/releases.ts';

/** The package to start, or the address of a server that runs elsewhere. */
export function whereItIs({ submission, source, version }: ReleaseRow): object {
  if (isRemoteSource(source)) {
    const type = submission.remote?.transport === 'http-sse' ? 'sse' : 'streamable-http';
    return { remotes: [{ type, url: source }] };
  }
  const args = submission.args.map((value) => ({ type: 'positional', value }));
  return {
    packages: [
      {
        ...packageIn(source, version),
        transport: { type: 'stdio' },
        ...(args.length ? { packageArguments: args } : {}),
      },
    ],
  };
}

function packageIn(source: string, version: string): object {
  if (isOciSource(source)) {
    const { host, repository, digest } = ociRefOf(source);
    return { registryType: 'oci', identifier: `${host}/${repository}@${digest}`, runtimeHint: 'docker' };
  }
  if (isGitSource(source)) {
    const { url, commit } = gitRefOf(source);
    return { registryType: 'git', identifier: `git+${url}#${commit}`, version };
  }
  if (isMcpbSource(source)) {
    const { url, digest } = mcpbRefOf(source);
    return {
      registryType: 'mcpb',
      identifier: url ?? source,
      version,
      fileSha256: digest.slice('sha256:'.length),
    };
  }
  if (isPypiSource(source)) {
    const ref = pypiRefOf(source);
    return { registryType: 'pypi', identifier: ref.name, version: ref.version, runtimeHint: 'uvx' };
  }
  const identifier = /^npm:(.+)@[^@]+$/.exec(source)?.[1] ?? source;
  return { registryType: 'npm', identifier, version };
}
