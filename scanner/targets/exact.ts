/** From what a client would resolve at each start to one exact version, as of now. */
import pacote from 'pacote';
import semver from 'semver';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { isPypiSource, pypiName, pypiRefOf } from '../../schemas/pypi.ts';
import { unreachable } from '../failure.ts';
import type { NpmOptions } from '../ports.ts';
import { indexClient } from '../pypi/http.ts';
import type { PypiOptions } from '../pypi/options.ts';
import { projectFiles } from '../pypi/project.ts';
import type { Meant } from './command.ts';

export interface Asking {
  readonly npm: NpmOptions;
  readonly pypi: () => Promise<PypiOptions>;
}

/** `npm:NAME@VERSION` or `pypi:NAME@VERSION`. Throws SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function exactSource(
  meant: Pick<Meant, 'kind' | 'name' | 'spec'>,
  ask: Asking,
): Promise<string> {
  const { kind, name, spec } = meant;
  if (kind === 'npm') {
    if (semver.valid(spec) === spec) return `npm:${name}@${spec}`;
    const manifest = await pacote
      .manifest(`${name}@${spec || 'latest'}`, { ...ask.npm })
      .catch((cause: unknown) => {
        throw unreachable(`a version of ${name} that fits ${spec || 'latest'}`, cause);
      });
    return `npm:${name}@${manifest.version}`;
  }
  const exact = spec === '' ? await newestWheel(pypiName(name), await ask.pypi()) : spec;
  const source = `pypi:${pypiName(name)}@${exact}`;
  pypiRefOf(source);
  return source;
}

/** The highest version that has a wheel, is no pre-release and was not withdrawn, as pip would choose. */
async function newestWheel(name: string, options: PypiOptions): Promise<string> {
  const client = indexClient(options);
  try {
    for (const index of options.indexes) {
      const files = (await projectFiles(index, name, client)) ?? [];
      const versions = files
        .filter(({ file, yanked }) => yanked === null && file.endsWith('.whl'))
        .map(({ file }) => file.split('-')[1] ?? '')
        .filter((version) => /^[0-9]+(?:[.][0-9]+){0,2}$/.test(version));
      const [newest] = versions.sort((a, b) => semver.compare(threeOf(b), threeOf(a)));
      if (newest !== undefined) return newest;
    }
  } finally {
    await client.close();
  }
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `a version of ${quote(name)} that has a wheel`,
    found: 'none in the package index',
    next: 'Name one exact version',
  });
}

function threeOf(version: string): string {
  return [...version.split('.'), '0', '0']
    .slice(0, 3)
    .map((part) => String(BigInt(part)))
    .join('.');
}

/** Whether what was asked for is one version today and tomorrow. */
export function isPinned(spec: string, source: string): boolean {
  return spec !== '' && (isPypiSource(source) ? source.endsWith(`@${spec}`) : semver.valid(spec) === spec);
}
