/** Which test files start first: those that take longest, so that no worker waits at the end for one that began late. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../..');

/**
 * About 25 seconds each and more on two cores, longest first; but whoever scans the packages of the SDK comes after the
 * one that keeps what it read of their code. Any other comes after them in vitest's own order.
 */
const LONGEST = [
  'scanner/npm',
  'attack',
  'conformance',
  'scanner/observe',
  'scanner/scan',
  'airgap',
  'registry/advisories',
  'ceremony',
  'flow',
  'drill',
  'docs',
  'conformance-clients',
  'evidence',
  'gate',
  'pypi',
  'bench',
  'scanner/pypi',
  'registry/witness',
  'registry/hostile-releases',
  'clients',
  'scanner/bundles',
  'runtime/gateway/hostile-load',
  'runtime/session/hostile-server',
  'incidents',
  'kills',
  'egress',
  'web/dashboard',
  'cli/scan',
  'isolation',
  'package',
  'oauth',
  'scanner/behaviour',
  'oci',
  'registry/evidence',
  'scanner/sdist',
  'signals',
  'cli',
  'runtime/isolation/container',
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
