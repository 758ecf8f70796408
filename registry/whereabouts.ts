/** Where clients find a server, as the MCP registry says it. */
import { isRemoteSource } from '../schemas/remote.ts';
import type { ReleaseRow } from './db/releases.ts';

/** The package to start, or the address of a server that runs elsewhere. */
export function whereItIs({ submission, source, version }: ReleaseRow): object {
  if (isRemoteSource(source)) {
    const type = submission.remote?.transport === 'http-sse' ? 'sse' : 'streamable-http';
    return { remotes: [{ type, url: source }] };
  }
  const args = submission.args.map((value) => ({ type: 'positional', value }));
  const identifier = /^npm:(.+)@[^@]+$/.exec(source)?.[1] ?? source;
  return {
    packages: [
      {
        registryType: 'npm',
        identifier,
        version,
        transport: { type: 'stdio' },
        ...(args.length ? { packageArguments: args } : {}),
      },
    ],
  };
}
