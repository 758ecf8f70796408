/** A bundle in parts: its own files, and each package that lies in it, so that a closure names them all. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import semver from 'semver';
import type { Blobs } from '../../runtime/store/blobs.ts';
import { packFolder } from '../../runtime/store/pack.ts';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { BUNDLE_FOLDER } from '../../schemas/folders.ts';
import { parseStrict } from '../../schemas/json.ts';
import { pypiName, pypiPurl } from '../../schemas/pypi.ts';
import type { Artifact } from '../../schemas/release.ts';
import { purlOf } from '../closure.ts';

const MAX_PACKAGES = 15_000;
const NPM_NAME = /^(?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+$/i;
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' };

interface Folder {
  /** Below the bundle; empty for its own files. */
  readonly path: string;
  readonly purl: string;
  readonly files: UnpackedFile[];
}

/**
 * One artifact for the bundle's own files and one for each package in a `node_modules` or with a `.dist-info`. What such a
 * package says that it is, is its word alone: nobody promised its bytes under that name. Of a Python package only its
 * metadata is apart, for its files share one folder with others.
 */
export async function foldersOf(
  files: readonly UnpackedFile[],
  rootPurl: string,
  blobs: Blobs,
): Promise<Artifact[]> {
  const own: Folder = { path: '', purl: rootPurl, files: [] };
  const inside = packagesIn(files);
  const byPath = new Map(inside.map((one) => [one.path, one]));
  for (const file of files) folderOf(file.path, byPath, own).files.push({ ...file });
  const artifacts: Artifact[] = [];
  const seen = new Map<string, string>();
  for (const { path, purl, files: held } of [own, ...inside]) {
    if (held.length === 0) continue;
    const below = held.map((file) => ({
      ...file,
      path: path === '' ? file.path : file.path.slice(path.length + 1),
    }));
    const bytes = packFolder(below);
    const { digest, size } = await blobs.put(bytes);
    // The same name and version twice, with other bytes: two packages, each read by itself.
    const twin = seen.get(purl);
    const named = twin === undefined || twin === digest ? purl : `${purl}?checksum=${digest}`;
    seen.set(purl, twin ?? digest);
    artifacts.push({
      ...{ size, purl: named, sha256: digest, optional: false },
      location: path === '' ? BUNDLE_FOLDER : `${BUNDLE_FOLDER}/${path}`,
      sha512: createHash('sha512').update(bytes).digest('hex'),
      ...machineOf(held),
    });
  }
  return artifacts.sort((a, b) => (a.location < b.location ? -1 : 1));
}

/** The innermost package that a file lies in. */
function folderOf(path: string, byPath: ReadonlyMap<string, Folder>, own: Folder): Folder {
  for (let at = posix.dirname(path); at !== '.'; at = posix.dirname(at)) {
    const found = byPath.get(at);
    if (found) return found;
  }
  return own;
}

function packagesIn(files: readonly UnpackedFile[]): Folder[] {
  return files
    .flatMap((file): Folder[] => {
      const purl = npmIn(file) ?? pythonIn(file);
      return purl === null ? [] : [{ path: posix.dirname(file.path), purl, files: [] }];
    })
    .slice(0, MAX_PACKAGES);
}

/** Null for what is no package, and for one that does not say which one it is. */
function npmIn({ path, bytes }: UnpackedFile): string | null {
  if (!/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@][^/]*\/package\.json$/.test(path)) return null;
  try {
    const value = parseStrict(bytes.toString('utf8').replace(/^\ufeff/, ''));
    const { name, version } = (value ?? {}) as { name?: unknown; version?: unknown };
    if (typeof name !== 'string' || typeof version !== 'string' || name.length > 214) return null;
    return NPM_NAME.test(name) && version.length < 200 && semver.valid(version) === version
      ? purlOf({ name, version })
      : null;
  } catch (error) {
    if (error instanceof LockkeeperError) return null;
    throw error;
  }
}

function pythonIn({ path, bytes }: UnpackedFile): string | null {
  if (!/(?:^|\/)[^/]+\.dist-info\/METADATA$/.test(path)) return null;
  const [head = ''] = bytes.toString('utf8').split(/\r?\n\r?\n/, 1);
  const field = (name: string): string =>
    new RegExp(`^${name}:[ \\t]*(\\S+)[ \\t]*$`, 'im').exec(head)?.[1] ?? '';
  const [name, version] = [pypiName(field('Name')), field('Version')];
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) || !/^[0-9A-Za-z.!+_-]{1,100}$/.test(version)) return null;
  return pypiPurl({ name, version });
}

/** Code for a processor: an executable, or a library that Linux loads. */
export function isNative({ bytes }: Pick<UnpackedFile, 'bytes'>): boolean {
  return bytes.subarray(0, 4).equals(ELF);
}

/** Of a folder with native code: the kinds of machine that it has it for. */
function machineOf(files: readonly UnpackedFile[]): Pick<Artifact, 'cpu'> {
  const kinds = files
    .filter((file) => isNative(file) && file.bytes.length > 20)
    .map(({ bytes }) => MACHINES[bytes.readUInt16LE(18)]);
  const known = [...new Set(kinds.filter((one) => one !== undefined))].sort();
  return known.length === 0 ? {} : { cpu: known };
}
