/**
 * Which test files start first, those that take longest, so that no worker waits at the end for one that began late; and
 * which have a process of their own.
 */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = join(import.meta.dirname, '../..');

/**
 * About ten seconds each and more on two cores, longest first; but whoever scans the packages of the SDK comes after the
 * one that keeps what it read of their code. Any other comes after them in vitest's own order.
 */
const LONGEST = [
  'scanner/npm',
  'drill',
  'conformance',
  'conformance-clients',
  'scanner/observe',
  'flow',
  'scanner/scan',
  'docs',
  'attack',
  'conformance-tasks',
  'scanner/signature-bundles',
  'runtime/gateway/hostile-load',
  'pypi',
  'scanner/pypi',
  'kills',
  'registry/advisories',
  'runtime/session/hostile-server',
  'gate',
  'bench',
  'isolation',
  'clients',
  'egress',
  'incidents',
  'registry/hostile-releases',
  'cli/scan',
  'web/dashboard',
  'cli/sign-in',
  'airgap',
  'registry/evidence',
  'registry/witness',
  'scanner/behaviour',
  'scanner/sdist',
  'package',
  'teams',
  'signals',
  'runtime/isolation/container',
  'evidence',
  'gateway',
  'oauth',
  'cli',
  'ceremony',
  'mcpb',
  'restore',
  'remote',
  'quality',
  'runtime/bridge/to-session',
  'scanner/closure',
  'runtime/session/session',
  'revoke',
  'registry/publish',
  'runtime/gateway/hostile-client',
  'runtime/remote/session',
  'scanner/git',
  'web/live',
  'git',
  'scanner/pypi-sandbox',
  'scanner/remote',
  'scanner/hostile-code',
  'oci',
  'web/reviewed',
  'registry/mcp-bundles',
  'registry/watch',
].map((name) => `test/${name}.test.ts`);

/** These put something else in the place of a module, or set or measure what all of a process shares. */
const CHANGING = [
  'cli/home',
  'cli/revocations',
  'runtime/footprint',
  'runtime/journal/journal',
  'runtime/journal/writer',
  'runtime/passing',
  'runtime/store/unpack',
  'runtime/wire/small',
].map((name) => `test/${name}.test.ts`);

/** The others are short, and come one after the other in the same few processes: most of their time was the start of one. */
export const ALONE: readonly string[] = [...LONGEST, ...CHANGING];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = ALONE.filter((path) => !existsSync(join(ROOT, path)));
    if (gone.length > 0)
      throw new Error(`test/setup/sequence.ts names what is not there: ${gone.join(', ')}`);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(ROOT, moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
