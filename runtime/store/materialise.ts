/** Laying a closure out as a folder tree, without running anything that is in it. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { isFolder } from '../../schemas/folders.ts';
import { canonical } from '../../schemas/json.ts';
import { isImagePart } from '../../schemas/oci.ts';
import { isSdist, isWheel, SDIST_FOLDER, WHEEL_FOLDER } from '../../schemas/pypi.ts';
import { type Artifact, type Closure, closureDigest } from '../../schemas/release.ts';
import { alone } from './alone.ts';
import type { Blobs } from './blobs.ts';
import { layOutImage } from './image/lay-out.ts';
import { listTree } from './list.ts';
import { readSdist } from './sdist.ts';
import { readTar, readTarball, type UnpackedFile } from './unpack.ts';
import { placeInTree, readWheel } from './wheel.ts';

/** An image may take minutes. */
const LAYOUT_MS = 600_000;

export interface Materialised {
  /** Folder that is seen as /app: it holds node_modules, site-packages or a bundle. Of an image, the folder that is seen as /. */
  readonly appDir: string;
  /** True when there was no whole tree yet, or the one there had been changed. */
  readonly built: boolean;
}

/** Does the artifact run here? npm's rule for os and cpu lists, `!` being "not". */
export function fitsPlatform(
  artifact: Pick<Artifact, 'os' | 'cpu'>,
  platform: string = process.platform,
  arch: string = process.arch,
): boolean {
  const fits = (list: readonly string[] | undefined, value: string): boolean => {
    if (!list || list.length === 0 || list.includes('any')) return true;
    if (list.includes(`!${value}`)) return false;
    return list.every((item) => item.startsWith('!')) || list.includes(value);
  };
  return fits(artifact.os, platform) && fits(artifact.cpu, arch);
}

/**
 * The tree of a closure under `dir`, made from tarballs whose digests are checked every time. A tree that is there is
 * re-hashed file by file against its manifest; one that differs is built anew. Layers of an image are read only then. Throws CLOSURE_INCOMPLETE and the
 * store's and archive's refusals.
 */
export async function materialise(closure: Closure, blobs: Blobs, dir: string): Promise<Materialised> {
  const computed = closureDigest(closure.artifacts);
  if (computed !== closure.digest) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `a closure with digest ${closure.digest}`,
      found: computed,
      next: 'Run: lk lock',
    });
  }
  const wanted = closure.artifacts.filter((artifact) => fitsPlatform(artifact));
  const missing = closure.artifacts.find((artifact) => !artifact.optional && !fitsPlatform(artifact));
  if (missing) {
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: `every required package to run on ${process.platform}-${process.arch}`,
      found: `${missing.purl} for ${[...(missing.os ?? []), ...(missing.cpu ?? [])].join(', ')}`,
      next: 'Use a machine of that kind, or another release',
    });
  }
  const home = join(dir, closure.digest.slice('sha256:'.length));
  const appDir = join(home, 'app');
  const image = wanted.some(isImagePart);
  const tarballs = image ? [] : await Promise.all(wanted.map((artifact) => blobs.get(artifact.sha256)));
  if (await isWhole(home, appDir)) return { appDir, built: false };
  const fill = async (app: string): Promise<void> => {
    if (image) await layOutImage(wanted, blobs, { root: app, spoolDir: `${app}.spool` });
    for (const [index, tarball] of tarballs.entries()) {
      const artifact = wanted[index];
      if (artifact) await layOut(tarball, artifact, app);
    }
  };
  // Under one that another just laid out, a server may run already.
  return alone(
    home,
    async () => {
      if (await isWhole(home, appDir)) return { appDir, built: false };
      await build(home, fill);
      return { appDir, built: true };
    },
    LAYOUT_MS,
  );
}

async function isWhole(home: string, appDir: string): Promise<boolean> {
  const stored = await readFile(join(home, 'manifest.json'), 'utf8').catch(() => null);
  if (stored === null) return false;
  return canonical(await listTree(appDir)) === stored;
}

async function build(home: string, fill: (app: string) => Promise<void>): Promise<void> {
  const temporary = `${home}.${randomBytes(6).toString('hex')}`;
  const app = join(temporary, 'app');
  try {
    await mkdir(app, { recursive: true });
    await fill(app);
    await writeFile(join(temporary, 'manifest.json'), canonical(await listTree(app)));
    await chmod(temporary, 0o755);
    await swapIn(temporary, home);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Another process may have built the same tree meanwhile: then that one stays and ours goes. */
async function swapIn(temporary: string, home: string): Promise<void> {
  const old = `${temporary}.old`;
  await rename(home, old).catch(() => undefined);
  await rename(temporary, home).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(temporary, { recursive: true, force: true });
  });
  await rm(old, { recursive: true, force: true });
}

async function layOut(tarball: Buffer, artifact: Artifact, app: string): Promise<void> {
  if (artifact.location.split('/').includes('..')) {
    throw new LockkeeperError('ARCHIVE_HOSTILE', {
      expected: 'locations below the closure',
      found: artifact.location,
      next: 'Do not use this release',
    });
  }
  const made = new Set<string>();
  const wheel = isWheel(artifact);
  for (const file of await filesOf(tarball, artifact)) {
    const place = wheel ? placeInTree(file.path) : join(artifact.location, file.path);
    if (place === null) continue;
    const path = join(app, place);
    const folder = dirname(path);
    if (!made.has(folder)) {
      await mkdir(folder, { recursive: true, mode: 0o755 }).catch((cause) => {
        throw collision(artifact, file.path, cause);
      });
      made.add(folder);
    }
    const written = { mode: file.executable ? 0o755 : 0o644, flag: 'wx' };
    await writeFile(path, file.bytes, written).catch(async (cause) => {
      // Wheels share one folder, and some ship the same file of a common namespace.
      if (wheel && (await readFile(path).catch(() => null))?.equals(file.bytes)) return;
      throw collision(artifact, file.path, cause);
    });
  }
}

/** All files of an artifact of the closure, by their paths in it; parts of an image are no packages. Throws ARCHIVE_HOSTILE. */
export async function filesOf(
  archive: Buffer,
  { location, purl }: Pick<Artifact, 'location' | 'purl'>,
): Promise<UnpackedFile[]> {
  if (isImagePart({ location })) return [];
  if (isFolder({ location })) return readTar(archive, purl);
  if (isSdist({ location })) return readSdist(archive, location.slice(SDIST_FOLDER.length));
  return isWheel({ location })
    ? readWheel(archive, location.slice(WHEEL_FOLDER.length))
    : readTarball(archive, purl);
}

/** A file where another file or a folder is; what the disk itself refuses is passed on. */
function collision({ purl }: Artifact, path: string, cause: NodeJS.ErrnoException): Error {
  if (cause.code !== 'EEXIST' && cause.code !== 'ENOTDIR' && cause.code !== 'EISDIR') return cause;
  return new LockkeeperError('ARCHIVE_HOSTILE', {
    expected: `each path once in ${purl}`,
    found: `${quote(path, 200)} over something that is there`,
    next: 'Do not use this release',
    cause,
  });
}
