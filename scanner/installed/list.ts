/** Every package of a closure, and those that lie inside of its packages, from their own files. */
import { posix } from 'node:path';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { isFolder } from '../../schemas/folders.ts';
import { isImagePart } from '../../schemas/oci.ts';
import { isWheel, pypiPurl } from '../../schemas/pypi.ts';
import type { Artifact, Closure } from '../../schemas/release.ts';
import { REMOTE_LOCATION } from '../../schemas/remote.ts';
import { withText } from './licence-text.ts';
import { NOTHING_TOLD, resolveNpm, type Told, toldByManifest } from './npm.ts';
import { type Installed, type InstalledPackage, purlOfParts } from './package.ts';
import { extrasAsked, type ToldByMetadata, toldByMetadata } from './python.ts';

/** What a file tells of a package, and of which kind. */
export type Found =
  | { readonly kind: 'npm'; readonly at: string; readonly told: Told; readonly artifact: Artifact | null }
  | {
      readonly kind: 'PyPI';
      readonly at: string;
      readonly told: ToldByMetadata;
      readonly artifact: Artifact | null;
    };

const MANIFEST = /^(?:.*\/)?node_modules\/(?:@[^/.][^/]*\/)?[^/.@][^/]*\/package\.json$/;
const METADATA = /^(?:.*\/)?[^/]+\.(?:dist-info\/METADATA|egg-info\/PKG-INFO)$/;

/** Does a file at this path tell of an installed package, and of which kind? */
export function tellsOf(path: string): Found['kind'] | null {
  if (MANIFEST.test(path)) return 'npm';
  return METADATA.test(path) ? 'PyPI' : null;
}

/** What is told at a path; null where it tells of no name and version. */
export function foundAt(path: string, bytes: Buffer): Found | null {
  const kind = tellsOf(path);
  const at = posix.dirname(path);
  if (kind === 'PyPI') {
    const told = toldByMetadata(bytes);
    return told.name === null ? null : { kind, at, told, artifact: null };
  }
  const told = kind === 'npm' ? toldByManifest(bytes) : null;
  return told === null || told.name === null ? null : { kind: 'npm', at, told, artifact: null };
}

type Files = (purl: string) => Promise<readonly UnpackedFile[]>;

/** Reads every archive of the closure once. Throws what `files` throws. */
export async function installedIn(closure: Closure, files: Files): Promise<Installed> {
  const found: Found[] = [];
  const sizes = new Map<string, { files: number; bytes: number }>();
  const gaps: string[] = [];
  const own = new Set(closure.artifacts.map(({ location }) => location));
  // Copies of one package stand beside each other, so that its archive is read once.
  const byPurl = [...closure.artifacts].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  for (const artifact of byPurl) {
    if (isImagePart(artifact) || artifact.location === REMOTE_LOCATION) continue;
    const all = await files(artifact.purl);
    sizes.set(artifact.location, {
      files: all.length,
      bytes: all.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
    found.push(ofArtifact(artifact, all));
    const inside = insideOf(artifact, all);
    found.push(...inside.found.filter(({ at }) => !own.has(at)));
    gaps.push(...inside.gaps);
  }
  const packages = packagesOf(found, sizes);
  const all = [...sizes.values()];
  const unpacked = {
    files: all.reduce((sum, one) => sum + one.files, 0),
    bytes: all.reduce((sum, one) => sum + one.bytes, 0),
  };
  return { packages, unpacked: all.length === 0 ? null : unpacked, gaps: gaps.sort().slice(0, 100) };
}

function ofArtifact(artifact: Artifact, files: readonly UnpackedFile[]): Found {
  const at = artifact.location;
  if (isWheel(artifact)) {
    const file = files.find(({ path }) => /^[^/]+\.dist-info\/METADATA$/.test(path));
    const told = toldByMetadata(file?.bytes ?? Buffer.alloc(0));
    return { kind: 'PyPI', at, told: withText(told, files, file ? besides(file.path) : []), artifact };
  }
  if (isFolder(artifact) && artifact.purl.startsWith('pkg:pypi/')) {
    const file = files.find(({ path }) => path === 'METADATA');
    const told = toldByMetadata(file?.bytes ?? Buffer.alloc(0));
    return { kind: 'PyPI', at, told: withText(told, files, besides('METADATA')), artifact };
  }
  // The manifest of a bundle names its licence as a package.json does.
  const file = ['package.json', ...(isFolder(artifact) ? ['manifest.json'] : [])]
    .flatMap((name) => files.filter(({ path }) => path === name))
    .at(0);
  const told = (file && toldByManifest(file.bytes)) ?? NOTHING_TOLD;
  return { kind: 'npm', at, told: withText(told, files, ['.']), artifact };
}

/** Where a package has its licence's text: beside the file that tells of it, and of Python's in a folder of their own. */
function besides(path: string): string[] {
  const folder = posix.dirname(path);
  return tellsOf(path) === 'npm' ? [folder] : [folder, posix.join(folder, 'licenses')];
}

/** Packages that a package brings along in its own archive. */
function insideOf(artifact: Artifact, files: readonly UnpackedFile[]): { found: Found[]; gaps: string[] } {
  const found: Found[] = [];
  let mute = 0;
  for (const { path, bytes } of files) {
    // A wheel's own metadata stands at its top; what it brings along stands deeper.
    if (tellsOf(path) === null || (isWheel(artifact) && path.split('/').length === 2)) continue;
    const one = foundAt(`${artifact.location}/${path}`, bytes);
    if (one === null) mute++;
    else if (one.kind === 'npm') found.push({ ...one, told: withText(one.told, files, besides(path)) });
    else found.push({ ...one, told: withText(one.told, files, besides(path)) });
  }
  const gap = `${mute} of the packages inside of ${artifact.purl} tell no name and version`;
  return { found, gaps: mute > 0 ? [gap] : [] };
}

/** Packages with what each needs, found as Node and Python would find it. */
export function packagesOf(
  found: readonly Found[],
  sizes: ReadonlyMap<string, { files: number; bytes: number }> = new Map(),
): InstalledPackage[] {
  const known = new Set(found.flatMap(({ kind, at }) => (kind === 'npm' ? [at] : [])));
  // Python finds what stands in the same folder.
  const shelf = (at: string, name: string): string => `${posix.dirname(at)} ${name}`;
  const python = new Map(
    found.flatMap((one) => (one.kind === 'PyPI' ? [[shelf(one.at, nameOf(one)), one.at] as const] : [])),
  );
  const extras = extrasAsked(found.flatMap((one) => (one.kind === 'PyPI' ? [one.told] : [])));
  const needsOf = (one: Found): string[] => {
    const wanted =
      one.kind === 'npm'
        ? one.told.needs.map((name) => resolveNpm(one.at, name, known))
        : one.told.needs
            .filter(({ only }) => only === null || extras.get(nameOf(one))?.has(only))
            .map(({ name }) => python.get(shelf(one.at, name)) ?? null);
    return [...new Set(wanted.filter((at) => at !== null && at !== one.at))].sort() as string[];
  };
  return found
    .map((one) => {
      const { at, artifact, told } = one;
      const named = artifact ? namedBy(artifact) : namedIn(one);
      const digests = artifact && { sha256: artifact.sha256, sha512: artifact.sha512 };
      const unpacked = sizes.get(at) ?? null;
      return {
        ecosystem: ecosystemOf(one),
        at,
        ...named,
        licence: told.licence,
        needs: needsOf(one),
        digests,
        unpacked,
      };
    })
    .sort((a, b) => (a.at < b.at ? -1 : 1));
}

/** What is no package of a registry shares its name with nothing that advisories speak of. */
function ecosystemOf({ kind, artifact }: Found): string {
  return artifact?.purl.startsWith('pkg:generic/') ? 'generic' : kind;
}

function nameOf({ artifact, told }: Found): string {
  return artifact ? namedBy(artifact).name : (told.name ?? '');
}

type Name = Pick<InstalledPackage, 'name' | 'version' | 'purl'>;

/** The closure's own word: an archive may call itself anything. */
function namedBy({ purl }: Artifact): Name {
  const [, name = '', version = ''] = /^pkg:[a-z]+\/(.+?)@([^@?#]+)(?:[?#].*)?$/.exec(purl) ?? [];
  return { name: plain(name), version: plain(version), purl };
}

/** The marks that purls of npm and Python packages have coded. */
function plain(text: string): string {
  return text.replaceAll('%40', '@').replaceAll('%2B', '+').replaceAll('%21', '!');
}

function namedIn({ kind, told }: Found): Name {
  const [name, version] = [told.name ?? '', told.version ?? ''];
  const purl =
    kind === 'npm'
      ? purlOfParts({ type: 'npm', path: name.split('/'), version })
      : pypiPurl({ name, version });
  return { name, version, purl };
}
