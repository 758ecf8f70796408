/** Packages that lie inside another one's tarball. They have no digest of their own: they are pinned with their parent. */
import { readTarball, type UnpackedFile } from '../runtime/store/unpack.ts';
import { quote } from '../schemas/errors.ts';
import { incomplete } from './tree.ts';

export interface Bundler {
  readonly location: string;
  readonly label: string;
  /** What its package.json says that it brings along. */
  readonly names: readonly string[];
}

/**
 * What is promised is inside, and what the packages inside need is inside too or beside the bundler in the tree. npm
 * would fetch the rest at install time; here such a release is refused. Throws CLOSURE_INCOMPLETE, ARCHIVE_HOSTILE.
 */
export async function assertBundle(
  tarball: Buffer,
  { location, label, names }: Bundler,
  locations: ReadonlySet<string>,
): Promise<void> {
  const files = await readTarball(tarball, label);
  const inside = new Map(
    files
      .filter(({ path }) => /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(path))
      .map((file) => [`${location}/${file.path.slice(0, -'/package.json'.length)}`, file]),
  );
  const has = (path: string): boolean => inside.has(path) || locations.has(path);
  for (const name of names) {
    if (!inside.has(`${location}/node_modules/${name}`) && !found(location, name, has)) {
      throw incomplete(`${name} inside ${label}, which says that it brings it`, 'nothing');
    }
  }
  for (const [at, file] of inside) {
    for (const name of needsOf(file, label)) {
      if (!found(at, name, has)) {
        throw incomplete(`${quote(name, 100)}, which ${at} inside ${label} wants`, 'nothing');
      }
    }
  }
}

/** Node's own search: beside the package, then beside each folder above it. */
function found(from: string, name: string, has: (path: string) => boolean): boolean {
  for (let at = from; ; at = at.slice(0, at.lastIndexOf('/node_modules/'))) {
    if (has(`${at}/node_modules/${name}`)) return true;
    if (!at.includes('/node_modules/')) return has(`node_modules/${name}`);
  }
}

function needsOf(file: UnpackedFile, label: string): string[] {
  try {
    const { dependencies } = JSON.parse(file.bytes.toString('utf8')) as { dependencies?: object };
    return Object.keys(dependencies ?? {});
  } catch (cause) {
    throw incomplete(
      `${file.path} in ${label} that can be read`,
      quote((cause as Error).message, 100),
      cause,
    );
  }
}
