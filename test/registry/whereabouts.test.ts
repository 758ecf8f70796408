import { describe, expect, it } from 'vitest';
import type { ReleaseRow } from '../../registry/db/releases.ts';
import { whereItIs } from '../../registry/whereabouts.ts';

function told(source: string, version: string, args: readonly string[] = []): object {
  return whereItIs({ source, version, submission: { args } } as unknown as ReleaseRow);
}

describe('where clients find a server', () => {
  it('is a package of npm, or of a Python package index in the version that the index knows', () => {
    const transport = { type: 'stdio' };
    expect(told('npm:@acme/time@1.0.0', '1.0.0')).toEqual({
      packages: [{ registryType: 'npm', identifier: '@acme/time', version: '1.0.0', transport }],
    });
    expect(told('pypi:acme-time@0.6', '0.6.0', ['--utc'])).toEqual({
      packages: [
        {
          ...{ registryType: 'pypi', identifier: 'acme-time', version: '0.6', runtimeHint: 'uvx', transport },
          packageArguments: [{ type: 'positional', value: '--utc' }],
        },
      ],
    });
  });

  it('is a bundle by its address and its bytes', () => {
    const fileSha256 = 'a'.repeat(64);
    const transport = { type: 'stdio' };
    const url = 'https://host.example/v1/w.mcpb';
    expect(told(`mcpb:${url}@sha256:${fileSha256}`, '1.0.0')).toEqual({
      packages: [{ registryType: 'mcpb', identifier: url, version: '1.0.0', fileSha256, transport }],
    });
  });
});
