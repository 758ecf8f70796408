/** Which test files start first: those that take longest, so that no worker waits at the end for one that began late. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../..');

/** More than half a minute each on two cores, longest first. Any other comes after them in vitest's own order. */
const LONGEST = [
  'flow',
  'scanner/npm',
  'airgap',
  'docs',
  'conformance',
  'drill',
  'ceremony',
  'attack',
  'scanner/observe',
  'conformance-clients',
  'evidence',
  'registry/advisories',
  'incidents',
  'scanner/scan',
  'scanner/bundles',
  'pypi',
  'runtime/gateway/hostile-load',
  'runtime/session/hostile-server',
  'registry/witness',
  'gate',
  'clients',
].map((name) => `test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = LONGEST.filter((path) => !existsSync(join(ROOT, path)));
    if (gone.length > 0)
      throw new Error(`test/setup/sequence.ts names what is not there: ${gone.join(', ')}`);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(ROOT, moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
