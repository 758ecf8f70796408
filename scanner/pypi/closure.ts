/** What `uvx` would resolve live, resolved once: every wheel of one exact version, each as its index promised it. */
import { createHash } from 'node:crypto';
import type { MachinePython } from '../../runtime/python/machine.ts';
import { minorOf } from '../../runtime/python/machine.ts';
import { wheelName } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type PypiRef, type PythonTarget, pypiPurl, WHEEL_FOLDER } from '../../schemas/pypi.ts';
import { type Artifact, closureDigest } from '../../schemas/release.ts';
import { MAX_TARBALL_BYTES, type Resolved } from '../closure.ts';
import type { ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import { type IndexClient, indexClient } from './http.ts';
import type { PypiOptions } from './options.ts';
import { type IndexFile, projectFiles } from './project.ts';
import { type Chosen, choose } from './resolve.ts';

const CONCURRENCY = 8;

export interface ResolvedWheels extends Resolved {
  readonly target: PythonTarget;
  /** What the index says of the server's own wheel, and of all files of its project. */
  readonly own: IndexFile;
  readonly listed: readonly IndexFile[];
}

type World = { readonly options: PypiOptions; readonly client: IndexClient; readonly python: MachinePython };

/** Resolves, fetches, verifies and stores. Throws CLOSURE_INCOMPLETE, ARTIFACT_MISMATCH, SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function resolveWheels(
  ref: PypiRef,
  at: { readonly options: PypiOptions; readonly python: MachinePython },
  ports: ScanPorts,
): Promise<ResolvedWheels> {
  const client = indexClient(at.options);
  try {
    return await resolveWith(ref, { ...at, client }, ports);
  } finally {
    await client.close();
  }
}

async function resolveWith(ref: PypiRef, world: World, ports: ScanPorts): Promise<ResolvedWheels> {
  const { python, options } = world;
  await assertWheels(ref, world);
  const { workDir, resolveMs } = ports;
  const chosen = await choose(ref, {
    ...{ python, options, workDir },
    ...(resolveMs === undefined ? {} : { ms: resolveMs }),
  });
  if ('refusal' in chosen) {
    if (chosen.missing !== null) await explain(chosen.missing, world);
    throw chosen.refusal;
  }
  const artifacts: Artifact[] = [];
  const unpromised: string[] = [];
  let own: IndexFile | null = null;
  const files = new Map<Chosen, IndexFile>();
  await each(chosen, async (one) => void files.set(one, await promised(one, world)));
  await each([...files], async ([one, file]) => {
    const artifact = await fetchWheel(one, file, { client: world.client, ports });
    artifacts.push(artifact);
    if (file.sha256 === null) unpromised.push(artifact.purl);
    if (one.name === ref.name) own = file;
    ports.progress(`fetched ${artifacts.length} of ${chosen.length} wheels`);
  });
  artifacts.sort((a, b) => (a.location < b.location ? -1 : 1));
  if (own === null) throw incomplete(`${ref.name} among its own wheels`, 'others alone');
  const target = targetOf(python, chosen);
  return {
    ...{ target, own },
    listed: await filesOf(ref.name, world),
    closure: { digest: closureDigest(artifacts), artifacts },
    unpromised: unpromised.sort(),
  };
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

/** The files of a project from the one index that has it. Two that have it: whoever publishes first on the other one wins. */
async function filesOf(name: string, { options, client }: World): Promise<IndexFile[]> {
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

/** Refuses a version that does not exist, and one that would have to be built. */
async function assertWheels({ name, version }: PypiRef, world: World): Promise<void> {
  const files = await filesOf(name, world);
  const of = files.filter(({ file }) => versionIn(file, name) === version);
  if (of.length > 0) {
    if (!of.some(({ file }) => file.endsWith('.whl'))) throw sourcesOnly(`${name}@${version}`, of);
    return;
  }
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `${name} ${version} in the package index`,
    found: files.length === 0 ? 'no such package' : 'other versions alone',
    next: 'Check the name and the version',
  });
}

/** The version of a wheel or a source archive, as its name tells. */
export function versionIn(file: string, name: string): string | null {
  const wheel = wheelName(file);
  if (wheel) return wheel.name === name ? wheel.version : null;
  return /-([^-]+?)\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$/.exec(file)?.[1] ?? null;
}

function sourcesOnly(label: string, files: readonly IndexFile[]): LockkeeperError {
  const names = files.slice(0, 3).map(({ file }) => quote(file, 100));
  return new LockkeeperError('CLOSURE_INCOMPLETE', {
    expected: `a wheel of ${label}`,
    found: `only ${names.join(', ')}, which would run code of the package to be built`,
    next: 'Nothing is built here: ask its maintainers for a wheel, or build one where you trust it (pip wheel --no-deps) and publish it in your own index',
  });
}

/** Why pip finds no wheel of a package, where the index can tell. Throws CLOSURE_INCOMPLETE, or returns. */
async function explain(name: string, world: World): Promise<void> {
  const files = await filesOf(name, world);
  const { version, abi, libc } = world.python;
  const here = `Python ${version} (${abi}, ${libc})`;
  if (files.length === 0)
    throw incomplete(`${name}, which a package of the closure needs`, 'no such package in the index');
  const wheels = files.filter(({ file }) => file.endsWith('.whl'));
  if (wheels.length === 0) throw sourcesOnly(name, files.slice(-3));
  const names = wheels.slice(-3).map(({ file }) => quote(file, 120));
  throw incomplete(
    `a wheel of ${name} for ${here}, in a version that is asked for`,
    `others, such as ${names.join(', ')}`,
  );
}

/** What the index promises of the very file that pip chose. */
async function promised({ name, version, file }: Chosen, world: World): Promise<IndexFile> {
  const named = wheelName(file);
  if (named?.name !== name) throw incomplete(`a wheel of ${name}@${version}`, quote(file, 200));
  const found = (await filesOf(name, world)).filter((one) => one.file === file);
  const [first, ...others] = found;
  if (!first || others.length > 0)
    throw incomplete(
      `${quote(file, 200)} once in the index`,
      first ? `${found.length} of that name` : 'none',
    );
  if (first.yanked === null) return first;
  throw incomplete(
    `a version of ${name} that its maintainers stand by`,
    `${version}, withdrawn: ${quote(first.yanked, 200)}`,
  );
}

const WHEEL_TYPE = 'application/octet-stream, */*;q=0.1';

async function fetchWheel(
  { name, version, file }: Chosen,
  { url, sha256 }: IndexFile,
  { client, ports }: { client: IndexClient; ports: ScanPorts },
): Promise<Artifact> {
  const what = `the wheel ${file}`;
  const { status, body } = await client.get(url, { accept: WHEEL_TYPE, maxBytes: MAX_TARBALL_BYTES, what });
  if (status !== 200) {
    throw new LockkeeperError('SOURCE_UNREACHABLE', {
      expected: `${what} from the package index`,
      found: `HTTP ${status}`,
      next: 'Check the index in pip config and try again',
    });
  }
  const found = createHash('sha256').update(body).digest('hex');
  if (sha256 !== null && found !== sha256) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${file} with sha256 ${sha256}, as the package index promises`,
      found: `${body.length} bytes with sha256 ${found}`,
      next: 'The package index or a proxy changed the bytes: do not use this release, and tell your security team',
    });
  }
  const { digest, size } = await ports.blobs.put(body);
  return {
    location: `${WHEEL_FOLDER}${file}`,
    purl: pypiPurl({ name, version }),
    sha256: digest,
    sha512: createHash('sha512').update(body).digest('hex'),
    size,
    optional: false,
  };
}

/** The oldest C library that all wheels run on: of each wheel its most modest platform, of all the greatest need. */
export function targetOf(
  { version, abi, libc }: Pick<MachinePython, 'version' | 'abi' | 'libc'>,
  wheels: readonly Pick<Chosen, 'file'>[],
): PythonTarget {
  const kind = libc.split(' ')[0] ?? 'glibc';
  const needs = wheels.map(({ file }) => {
    const own = (wheelName(file)?.platforms ?? []).flatMap((platform) => needOf(platform, kind));
    return own.sort((a, b) => a - b)[0] ?? 0;
  });
  const need = Math.max(0, ...needs);
  return {
    version: minorOf(version),
    abi,
    libc: need === 0 ? null : `${kind} ${Math.floor(need / 10_000)}.${need % 10_000}`,
  };
}

const OLD: Readonly<Record<string, number>> = { manylinux1: 5, manylinux2010: 12, manylinux2014: 17 };

function needOf(platform: string, kind: string): number[] {
  const old = OLD[platform.split('_')[0] ?? ''];
  if (old !== undefined && kind === 'glibc') return [20_000 + old];
  const [, family, major, minor] = /^(many|musl)linux_(\d+)_(\d+)_/.exec(platform) ?? [];
  if (family === undefined || (family === 'many') !== (kind === 'glibc')) return [];
  return [Number(major) * 10_000 + Number(minor)];
}
