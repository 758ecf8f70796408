/** Which versions of a project its indexes have. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { type PypiRef, pypiRefOf } from '../../schemas/pypi.ts';
import { indexClient } from './http.ts';
import type { PypiOptions } from './options.ts';
import { projectFiles, versionIn } from './project.ts';

/** Those that have a wheel which was not withdrawn, or a source archive where nothing has a wheel, each once; versions that no release can have are left out. Throws SOURCE_UNREACHABLE. */
export async function pypiVersions(name: string, options: PypiOptions): Promise<PypiRef[]> {
  const client = indexClient(options);
  try {
    const found = new Set<string>();
    for (const index of options.indexes) {
      const files = (await projectFiles(index, name, client)) ?? [];
      // Of a project that has wheels, a version without one may be one whose wheel is still on its way.
      const wheels = files.some(({ file }) => file.endsWith('.whl'));
      for (const { file, yanked } of files) {
        const version = yanked === null && (!wheels || file.endsWith('.whl')) ? versionIn(file, name) : null;
        if (version !== null) found.add(version);
      }
    }
    return [...found].flatMap((version) => refOr(`pypi:${name}@${version}`) ?? []);
  } finally {
    await client.close();
  }
}

function refOr(source: string): PypiRef | null {
  try {
    return pypiRefOf(source);
  } catch (error) {
    if (error instanceof LockkeeperError) return null;
    throw error;
  }
}
