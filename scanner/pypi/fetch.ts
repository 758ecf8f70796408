/** Files of an index as it promised them: found once, in one index, with the digest that stands there. */
import { createHash } from 'node:crypto';
import type { MachinePython } from '../../runtime/python/machine.ts';
import { wheelName } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { pypiPurl, WHEEL_FOLDER } from '../../schemas/pypi.ts';
import type { Artifact } from '../../schemas/release.ts';
import { MAX_TARBALL_BYTES } from '../closure.ts';
import type { ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import type { IndexClient } from './http.ts';
import type { PypiOptions } from './options.ts';
import { type IndexFile, projectFiles } from './project.ts';
import type { Chosen } from './resolve.ts';

const CONCURRENCY = 8;
const FILE_TYPE = 'application/octet-stream, */*;q=0.1';

export interface PypiWorld {
  readonly options: PypiOptions;
  readonly client: IndexClient;
  readonly python: MachinePython;
  readonly ports: ScanPorts;
}

/** The files of a project from the one index that has it. Two that have it: whoever publishes first on the other one wins. */
export async function filesOfProject(name: string, { options, client }: PypiWorld): Promise<IndexFile[]> {
  const pages = await Promise.all(options.indexes.map((index) => projectFiles(index, name, client)));
  const held = pages.filter((page) => page !== null);
  if (held.length > 1) {
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: `${name} in one of the ${pages.length} configured indexes`,
      found: `it in ${held.length} of them, so that its name does not say whose it is`,
      next: 'Take extra-index-url out of the pip configuration, or use one index that serves both',
    });
  }
  return held[0] ?? [];
}

export interface Fetched {
  readonly artifact: Artifact;
  readonly promise: IndexFile;
}

/** The wheels that pip chose, each verified and stored. Throws CLOSURE_INCOMPLETE, ARTIFACT_MISMATCH or SOURCE_UNREACHABLE. */
export async function fetchWheels(chosen: readonly Chosen[], world: PypiWorld): Promise<Fetched[]> {
  const files = new Map<Chosen, IndexFile>();
  await each(chosen, async (one) => void files.set(one, await promisedWheel(one, world)));
  const fetched: Fetched[] = [];
  await each([...files], async ([{ name, version, file }, promise]) => {
    const bytes = await fetchFile(promise, world);
    const { digest, size } = await world.ports.blobs.put(bytes);
    const artifact = {
      location: `${WHEEL_FOLDER}${file}`,
      purl: pypiPurl({ name, version }),
      sha256: digest,
      sha512: createHash('sha512').update(bytes).digest('hex'),
      ...{ size, optional: false },
    };
    fetched.push({ artifact, promise });
    world.ports.progress(`fetched ${fetched.length} of ${chosen.length} wheels`);
  });
  return fetched;
}

/** Several at a time; after the first failure no other begins. */
async function each<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (failed) return;
      await run(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const refused = ends.find((end) => end.status === 'rejected');
  if (refused) throw refused.reason;
}

/** What the index promises of the very file that pip chose. */
async function promisedWheel({ name, version, file }: Chosen, world: PypiWorld): Promise<IndexFile> {
  const named = wheelName(file);
  if (named?.name !== name) throw incomplete(`a wheel of ${name}@${version}`, quote(file, 200));
  const found = (await filesOfProject(name, world)).filter((one) => one.file === file);
  const [first, ...others] = found;
  if (!first || others.length > 0)
    throw incomplete(
      `${quote(file, 200)} once in the index`,
      first ? `${found.length} of that name` : 'none',
    );
  assertStoodBy(first, name, version);
  return first;
}

export function assertStoodBy({ yanked }: IndexFile, name: string, version: string): void {
  if (yanked === null) return;
  throw incomplete(
    `a version of ${name} that its maintainers stand by`,
    `${version}, withdrawn: ${quote(yanked, 200)}`,
  );
}

/** The bytes, with the digest that the index promised where it promised one. */
export async function fetchFile({ url, sha256, file }: IndexFile, { client }: PypiWorld): Promise<Buffer> {
  const what = `the ${file.endsWith('.whl') ? 'wheel' : 'source archive'} ${file}`;
  const { status, body } = await client.get(url, { accept: FILE_TYPE, maxBytes: MAX_TARBALL_BYTES, what });
  if (status !== 200) {
    throw new LockkeeperError('SOURCE_UNREACHABLE', {
      expected: `${what} from the package index`,
      found: `HTTP ${status}`,
      next: 'Check the index in pip config and try again',
    });
  }
  const found = createHash('sha256').update(body).digest('hex');
  if (sha256 === null || found === sha256) return body;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${file} with sha256 ${sha256}, as the package index promises`,
    found: `${body.length} bytes with sha256 ${found}`,
    next: 'The package index or a proxy changed the bytes: do not use this release, and tell your security team',
  });
}
