/** One wheel out of one source archive: what builds it is locked like what runs, and it is built twice. */
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { materialise } from '../../runtime/store/materialise.ts';
import { packFolder } from '../../runtime/store/pack.ts';
import { readSdist } from '../../runtime/store/sdist.ts';
import { readWheel, textIn, wheelName } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { BUNDLE_FOLDER } from '../../schemas/folders.ts';
import { pypiName, pypiPurl, SDIST_FOLDER, sdistPurl, WHEEL_FOLDER } from '../../schemas/pypi.ts';
import { type Artifact, closureDigest } from '../../schemas/release.ts';
import { buildOnce, type Recipe } from './builder.ts';
import { type Fetched, fetchFile, fetchWheels, filesOfProject, type PypiWorld } from './fetch.ts';
import { choose } from './resolve.ts';
import { buildSystem, type Sdist, unbuilt } from './sdist.ts';

const PROGRAM = new URL('./python/build.py', import.meta.url);
/** How often a backend may ask for more than pyproject.toml says. */
const MAX_ROUNDS = 3;
const MAX_REQUIRES = 100;
/** Characters of one requirement. */
const MAX_REQUIREMENT = 1000;
const CLAUSE = String.raw`[<>=!~]{1,3} ?[\w.*+-]{1,60}(?:![\w.*+-]{1,60})?`;
/** A name with extras, versions and a marker, in single spaces: no option, no path, no address, and read in one way only. */
const REQUIREMENT = new RegExp(
  String.raw`^[A-Za-z0-9][\w.-]{0,100} ?(?:\[[\w., -]{0,200}\])? ?\(? ?(?:${CLAUSE}(?: ?, ?${CLAUSE}){0,9} ?,?)? ?\)? ?(?:;[^@]{0,300})?$`,
);

export interface BuiltWheel extends Fetched {
  readonly file: string;
  readonly bytes: Buffer;
  readonly source: Buffer;
  /** What it was built with. */
  readonly tools: readonly Fetched[];
}

/** Fetches, reads and builds it. Throws BUILD_FAILED, ARCHIVE_HOSTILE, CLOSURE_INCOMPLETE and what fetching and a sandbox throw. */
export async function buildWheel(sdist: Sdist, world: PypiWorld): Promise<BuiltWheel> {
  const { name, version, promise } = sdist;
  const label = `${name}@${version}`;
  const { ports } = world;
  ports.progress(`building ${label} from ${promise.file}`);
  const source = await fetchFile(promise, world);
  const files = await readSdist(source, promise.file);
  const system = await buildSystem(textIn(files, 'pyproject.toml') ?? '', label, world);
  const own = await partOf(source, {
    location: `${SDIST_FOLDER}${promise.file}`,
    purl: sdistPurl(sdist, promise.file),
    ports,
  });
  const program = packFolder([{ path: 'build.py', bytes: await readFile(PROGRAM), executable: false }]);
  const builder = await partOf(program, { location: BUNDLE_FOLDER, purl: `pkg:generic/build@1`, ports });
  const { wheel, tools, reproducible } = await builtTwice({ label, system, parts: [own, builder] }, world);
  await assertWheel(wheel, sdist);
  const requires = tools.map(({ artifact }) => plainPart(artifact));
  const artifact: Artifact = {
    ...(await partOf(wheel.bytes, {
      location: `${WHEEL_FOLDER}${wheel.file}`,
      purl: pypiPurl(sdist),
      ports,
    })),
    built: {
      source: plainPart(own),
      backend: system.backend,
      inTree: [...system.path],
      requires: requires.sort((a, b) => (a.location < b.location ? -1 : 1)),
      ...{ builder: builder.sha256, reproducible },
    },
  };
  return { ...wheel, artifact, promise, source, tools };
}

interface Task {
  readonly label: string;
  readonly system: Omit<Recipe, 'given'>;
  readonly parts: readonly Artifact[];
}

interface Twice {
  readonly wheel: { readonly file: string; readonly bytes: Buffer };
  readonly tools: readonly Fetched[];
  readonly reproducible: boolean;
}

/** Until the backend has all that it asks for, and then once more. */
async function builtTwice(
  task: Task & { system: { requires: readonly string[] } },
  world: PypiWorld,
): Promise<Twice> {
  const { label, system, parts } = task;
  let given = system.requires;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const tools = await lockTools(given, label, world);
    const artifacts = [...parts, ...tools.map(({ artifact }) => artifact)];
    const recipe = { ...system, given };
    const made = await inTree(artifacts, world, async (appDir) => {
      const first = await buildOnce({ label, appDir, recipe, source: parts[0]?.location ?? '' }, world);
      if ('wants' in first) return first;
      const second = await buildOnce({ label, appDir, recipe, source: parts[0]?.location ?? '' }, world);
      const same = 'bytes' in second && second.file === first.file && second.bytes.equals(first.bytes);
      return { wheel: first, reproducible: same };
    });
    if ('wheel' in made) return { ...made, tools };
    given = [...new Set([...given, ...made.wants])];
  }
  throw unbuilt(label, `a backend that asks for more each time, last ${quote(given.at(-1) ?? '', 100)}`);
}

async function inTree<T>(
  artifacts: Artifact[],
  { ports }: PypiWorld,
  use: (appDir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(ports.workDir, 'build-'));
  try {
    await chmod(dir, 0o755);
    const closure = { digest: closureDigest(artifacts), artifacts };
    const { appDir } = await materialise(closure, ports.blobs, dir);
    return await use(appDir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Build requirements as wheels of the same index, each with its digest: none of them is built. */
async function lockTools(given: readonly string[], label: string, world: PypiWorld): Promise<Fetched[]> {
  if (given.length === 0) return [];
  const wishes = given.map((one) =>
    one
      .slice(0, MAX_REQUIREMENT + 1)
      .trim()
      .replace(/\s+/g, ' '),
  );
  const bad = given.find((one, at) => one.length > MAX_REQUIREMENT || !REQUIREMENT.test(wishes[at] ?? ''));
  if (bad !== undefined) throw unbuilt(label, `${quote(bad, 200)} as a requirement of its build`);
  if (wishes.length > MAX_REQUIRES) throw unbuilt(label, `${wishes.length} requirements of its build`);
  const { python, options, ports } = world;
  const answer = await choose({
    label: `what builds ${label}`,
    wishes,
    ...{ python, options, workDir: ports.workDir },
    ...(ports.resolveMs === undefined ? {} : { ms: ports.resolveMs }),
  });
  if (!('refusal' in answer)) return fetchWheels(answer, world);
  for (const { name } of answer.missing.slice(0, 3)) {
    const files = (await filesOfProject(name, world)).map(({ file }) => file);
    if (files.some((file) => file.endsWith('.whl'))) continue;
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: `a wheel of ${name}, which is needed to build ${label}`,
      found: files.length === 0 ? 'no such package in the index' : `only ${quote(files.at(-1) ?? '', 120)}`,
      next: `What builds is not built itself: ask the maintainers of ${name} for a wheel, or put one of ${label} in your own index`,
    });
  }
  throw answer.refusal;
}

async function partOf(
  bytes: Buffer,
  { location, purl, ports }: Pick<Artifact, 'location' | 'purl'> & Pick<PypiWorld, 'ports'>,
): Promise<Artifact> {
  const { digest, size } = await ports.blobs.put(bytes);
  const sha512 = createHash('sha512').update(bytes).digest('hex');
  return { location, purl, sha256: digest, sha512, size, optional: false };
}

function plainPart({
  location,
  purl,
  sha256,
  size,
}: Artifact): Pick<Artifact, 'location' | 'purl' | 'sha256' | 'size'> {
  return { location, purl, sha256, size };
}

/** A wheel of this package and version, for every machine. Throws BUILD_FAILED and ARCHIVE_HOSTILE. */
async function assertWheel({ file, bytes }: Twice['wheel'], { name, version }: Sdist): Promise<void> {
  const label = `${name}@${version}`;
  const named = wheelName(file);
  const same = (text: string): string => pypiName(text.replaceAll('+', '-'));
  if (named?.name !== name || same(named.version) !== same(version))
    throw unbuilt(label, `a wheel of another package or version, ${quote(file, 200)}`);
  if (!file.endsWith('-none-any.whl'))
    throw unbuilt(label, `${quote(file, 200)}, which holds code for one kind of machine`);
  await readWheel(bytes, file);
}
