/** What `uvx` would resolve live, resolved once: every wheel of one exact version, each as its index promised it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachinePython } from '../../runtime/python/machine.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { PypiRef, PythonTarget } from '../../schemas/pypi.ts';
import { closureDigest } from '../../schemas/release.ts';
import type { Resolved } from '../closure.ts';
import type { ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import { type BuiltWheel, buildWheel } from './build.ts';
import { type Fetched, fetchWheels, filesOfProject, type PypiWorld } from './fetch.ts';
import { indexClient } from './http.ts';
import type { PypiOptions } from './options.ts';
import { type IndexFile, versionIn } from './project.ts';
import { type Chosen, choose, type Unresolved, type Wish } from './resolve.ts';
import { chooseSdist, type Sdist, unbuilt } from './sdist.ts';
import { targetOf } from './target.ts';

/** Of one closure, most of which need one or none; and the time for all of them, after which no other begins. */
const MAX_BUILDS = 20;
const ALL_BUILDS_MS = 1_200_000;

export interface ResolvedWheels extends Resolved {
  readonly target: PythonTarget;
  /** What the index says of the server's own wheel or source archive, and of all files of its project. */
  readonly own: IndexFile;
  readonly listed: readonly IndexFile[];
  /** Of a server that was built: its source archive. */
  readonly source: Buffer | null;
}

/**
 * Resolves, fetches, verifies and stores; what has no wheel is built in a sandbox. Throws CLOSURE_INCOMPLETE, BUILD_FAILED,
 * ARCHIVE_HOSTILE, ARTIFACT_MISMATCH, SOURCE_INVALID or SOURCE_UNREACHABLE.
 */
export async function resolveWheels(
  ref: PypiRef,
  at: { readonly options: PypiOptions; readonly python: MachinePython },
  ports: ScanPorts,
): Promise<ResolvedWheels> {
  const client = indexClient(at.options);
  const wheels = await mkdtemp(join(ports.workDir, 'built-'));
  try {
    return await resolveWith(ref, { ...at, client, ports }, wheels);
  } finally {
    await client.close();
    await rm(wheels, { recursive: true, force: true });
  }
}

async function resolveWith(ref: PypiRef, world: PypiWorld, wheels: string): Promise<ResolvedWheels> {
  await assertThere(ref, world);
  const { chosen, built } = await chooseAll(ref, world, wheels);
  const made = chosen
    .filter(({ local }) => local)
    .map(({ file }) => {
      const wheel = built.get(file);
      if (wheel !== undefined) return wheel;
      throw incomplete('wheels of the package index, or built here', `${quote(file, 200)} on this machine`);
    });
  const fetched = await fetchWheels(
    chosen.filter(({ local }) => !local),
    world,
  );
  const all: Fetched[] = [...fetched, ...made];
  const artifacts = all.map(({ artifact }) => artifact);
  artifacts.sort((a, b) => (a.location < b.location ? -1 : 1));
  const root = chosen.find(({ name }) => name === ref.name);
  const own = all.find(({ artifact }) => artifact.location.endsWith(`/${root?.file}`));
  if (root?.version !== ref.version || !own)
    throw incomplete(
      `${ref.name} in version ${ref.version}`,
      `version ${quote(root?.version ?? 'none', 60)}`,
    );
  const unpromised = [...fetched, ...made, ...made.flatMap(({ tools }) => tools)]
    .filter(({ promise }) => promise.sha256 === null)
    .map(({ artifact }) => artifact.purl);
  return {
    ...{ own: own.promise, target: targetOf(world.python, chosen) },
    source: made.find((one) => one === own)?.source ?? null,
    listed: await filesOfProject(ref.name, world),
    closure: { digest: closureDigest(artifacts), artifacts },
    unpromised: [...new Set(unpromised)].sort(),
  };
}

/** pip is asked again with each wheel that was built, until it has all: what a wheel needs is known when it is there. */
async function chooseAll(
  ref: PypiRef,
  world: PypiWorld,
  wheels: string,
): Promise<{ chosen: readonly Chosen[]; built: ReadonlyMap<string, BuiltWheel> }> {
  const { python, options, ports } = world;
  const built = new Map<string, BuiltWheel>();
  const sources = new Set<string>();
  const late = Date.now() + ALL_BUILDS_MS;
  const asked = {
    label: `the dependencies of ${ref.name}@${ref.version}`,
    wishes: [`${ref.name}==${ref.version}`],
    ...{ python, options, wheels, workDir: ports.workDir },
    ...(ports.resolveMs === undefined ? {} : { ms: ports.resolveMs }),
  };
  for (;;) {
    const answer = await choose(asked);
    if (!('refusal' in answer)) return { chosen: answer, built };
    const sdist = await nextSource(answer, sources, world);
    if (Date.now() > late)
      throw unbuilt(asked.label, `no end of it after ${sources.size} builds in 20 minutes`);
    sources.add(sdist.promise.file);
    const wheel = await buildWheel(sdist, world);
    built.set(wheel.file, wheel);
    await writeFile(join(wheels, wheel.file), wheel.bytes);
  }
}

/** The source archive of what pip misses. Throws the reason where there is none, or one that is built already. */
async function nextSource(
  { missing, refusal }: Unresolved,
  sources: ReadonlySet<string>,
  world: PypiWorld,
): Promise<Sdist> {
  const wishes = new Map(missing.map((wish) => [`${wish.name}${wish.specifier}`, wish]));
  for (const wish of [...wishes.values()].slice(0, MAX_BUILDS)) {
    const sdist = await chooseSdist(wish, world);
    if (sdist !== null && !sources.has(sdist.promise.file) && sources.size < MAX_BUILDS) return sdist;
  }
  const [only, ...others] = missing;
  if (only && others.length === 0 && sources.size === 0) await explain(only, world);
  throw refusal;
}

/** Refuses a version that does not exist. */
async function assertThere({ name, version }: PypiRef, world: PypiWorld): Promise<void> {
  const files = await filesOfProject(name, world);
  if (files.some(({ file }) => versionIn(file, name) === version)) return;
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `${name} ${version} in the package index`,
    found: files.length === 0 ? 'no such package' : `other versions alone${newestIn(files, name)}`,
    next: 'Check the name and the version',
  });
}

/** The last few of an index, which has them in the order of their publication. */
function newestIn(files: readonly IndexFile[], name: string): string {
  const versions = new Set(files.flatMap(({ file }) => versionIn(file, name) ?? []));
  return versions.size === 0 ? '' : `, such as ${[...versions].slice(-5).reverse().join(', ')}`;
}

/** Why pip finds no wheel of a package, and there is no source archive to build, where the index can tell. Throws CLOSURE_INCOMPLETE. */
async function explain({ name }: Wish, world: PypiWorld): Promise<never> {
  const files = await filesOfProject(name, world);
  const { version, abi, libc } = world.python;
  const here = `Python ${version} (${abi}, ${libc})`;
  if (files.length === 0)
    throw incomplete(`${name}, which a package of the closure needs`, 'no such package in the index');
  const wheels = files.filter(({ file }) => file.endsWith('.whl'));
  const names = (wheels.length > 0 ? wheels : files).slice(-3).map(({ file }) => quote(file, 120));
  throw incomplete(
    `a wheel of ${name} for ${here}, or a source archive, in a version that is asked for`,
    `others, such as ${names.join(', ')}`,
  );
}
