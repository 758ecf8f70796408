/** What is installed inside of an image, from the files in its layers that tell of it. */
import type { Spool } from '../../runtime/store/image/read.ts';
import { find, type TreeFolder, type TreeNode } from '../../runtime/store/image/tree.ts';
import { licenceOfCopyright, MAX_COPYRIGHT_BYTES } from './copyright.ts';
import {
  apkPackages,
  type Distribution,
  distributionIn,
  dpkgPackages,
  isCut,
  type Listing,
  MAX_PACKAGES,
  type Where,
} from './distribution.ts';
import { type Licence, NO_LICENCE } from './licence.ts';
import { type Found, foundAt, packagesOf, tellsOf } from './list.ts';
import { MAX_MANIFEST_BYTES } from './npm.ts';
import type { Installed } from './package.ts';
import { rpmPackages } from './rpm/packages.ts';

type Kind = 'package' | 'dpkg' | 'apk' | 'os' | 'rpm' | 'rpm-other' | 'copyright';

const DATABASES: readonly (readonly [RegExp, Kind])[] = [
  [/^var\/lib\/dpkg\/(?:status|status\.d\/[^/]+)$/, 'dpkg'],
  [/^usr\/share\/doc\/[^/]+\/copyright$/, 'copyright'],
  [/^(?:usr\/)?lib\/apk\/db\/installed$/, 'apk'],
  [/^(?:usr\/lib|etc)\/os-release$/, 'os'],
  [/^(?:var\/lib|usr\/lib\/sysimage|usr\/share)\/rpm\/rpmdb\.sqlite$/, 'rpm'],
  // Databases of older kinds, and what is written beside one before it is taken in.
  [
    /^(?:var\/lib|usr\/lib\/sysimage|usr\/share)\/rpm\/(?:Packages(?:\.db)?|rpmdb\.sqlite-(?:wal|journal))$/,
    'rpm-other',
  ],
];

/** Bytes that are kept of one file. Of a METADATA the head is enough; anything else has to be whole. */
const MOST: Readonly<Record<Kind, number>> = {
  package: MAX_MANIFEST_BYTES,
  dpkg: 64 * 1024 * 1024,
  apk: 64 * 1024 * 1024,
  os: 64 * 1024,
  rpm: 128 * 1024 * 1024,
  'rpm-other': 16,
  copyright: MAX_COPYRIGHT_BYTES,
};

export interface ImageReadLimits {
  /** Of all files that are kept, in all layers together. */
  readonly bytes: number;
  readonly files: number;
}

export const IMAGE_READ_LIMITS: ImageReadLimits = { bytes: 512 * 1024 * 1024, files: 200_000 };

function kindOf(path: string): Kind | null {
  // Checksums beside the paragraphs of status.d.
  if (path.endsWith('.md5sums')) return null;
  const database = DATABASES.find(([pattern]) => pattern.test(path));
  if (database) return database[1];
  return tellsOf(path) === null ? null : 'package';
}

export interface ImageReading {
  /** Takes what tells of packages while the layers are read. */
  readonly spool: Spool;
  /** After the last layer. */
  list(root: TreeFolder): Installed;
}

export function readImage(limits: ImageReadLimits = IMAGE_READ_LIMITS): ImageReading {
  const held = new Map<number, Buffer[]>();
  const left = { ...limits };
  const spool: Spool = {
    open: (content, { parts }) => {
      const kind = kindOf(parts.join('/'));
      if (kind === null || left.files <= 0) return null;
      left.files--;
      const pieces: Buffer[] = [];
      let size = 0;
      const drop = (): void => {
        left.bytes += size;
        pieces.length = 0;
        held.delete(content);
      };
      held.set(content, pieces);
      return {
        write: (bytes) => {
          if (held.get(content) !== pieces) return;
          if (size + bytes.length > MOST[kind] || bytes.length > left.bytes) return drop();
          // A piece may be a view of a block that is read over.
          pieces.push(Buffer.from(bytes));
          size += bytes.length;
          left.bytes -= bytes.length;
        },
        close: () => undefined,
      };
    },
  };
  const bytesOf = (node: TreeNode): Buffer | null => {
    const pieces = node.kind === 'file' ? held.get(node.content) : undefined;
    return pieces === undefined ? null : Buffer.concat(pieces);
  };
  return { spool, list: (root) => listOf(root, bytesOf) };
}

interface Place {
  readonly kind: Kind;
  readonly path: string;
  /** Null where it could not be kept. */
  readonly bytes: Buffer | null;
}

function listOf(root: TreeFolder, bytesOf: (node: TreeNode) => Buffer | null): Installed {
  const places = placesIn(root, bytesOf);
  const of = (kind: Kind): Place[] => places.filter((place) => place.kind === kind);
  const on =
    of('os').flatMap(({ bytes }) => (bytes && distributionIn(bytes.toString('utf8'))) ?? [])[0] ?? null;
  const found: Found[] = [];
  let mute = 0;
  for (const { path, bytes } of of('package')) {
    const one = bytes && foundAt(path, bytes);
    if (one) found.push(one);
    else mute++;
  }
  const licences = new Map<TreeNode, Licence>();
  const licenceOf = (name: string): Licence => {
    // Packages of one source share a folder, by links: what all share is read once.
    const file = fileAt(root, ['usr', 'share', 'doc', name, 'copyright']);
    const known = file && licences.get(file);
    if (known) return known;
    const bytes = file && bytesOf(file);
    const licence = bytes === null ? NO_LICENCE : licenceOfCopyright(bytes.toString('utf8'));
    if (file) licences.set(file, licence);
    return licence;
  };
  const databases = [...of('dpkg'), ...of('apk'), ...of('rpm')];
  const read = databases.map((place) => inDatabase(place, on ?? UNTOLD, licenceOf));
  const packages = [...packagesOf(found), ...read.flatMap((one) => one.packages)];
  return {
    packages: packages.sort((a, b) => (a.at < b.at ? -1 : 1)),
    unpacked: null,
    gaps: [
      ...(mute === 0 ? [] : [`${mute} of the files that tell of npm and Python packages could not be read`]),
      ...read.flatMap((one) => one.gaps),
      ...of('rpm-other').flatMap(otherRpm),
      ...(databases.length > 0 && (on === null || on.version === null)
        ? ['its packages are of a distribution that does not say which release it is']
        : []),
    ],
  };
}

const UNTOLD: Distribution = { id: 'linux', version: null };

function inDatabase(
  { kind, path, bytes }: Place,
  on: Distribution,
  licenceOf: (name: string) => Licence,
): Omit<Installed, 'unpacked'> {
  if (bytes === null) return { packages: [], gaps: [`${path} could not be read`] };
  const { packages, odd, gaps } =
    kind === 'rpm'
      ? rpmPackages(bytes, { path, on })
      : ofText(bytes.toString('utf8'), kind, { path, on, licenceOf });
  const without =
    odd === 0 ? [] : [`${odd} of the entries of ${path} have no name or version that can be read`];
  return { packages, gaps: [...without, ...gaps] };
}

function ofText(text: string, kind: Kind, where: Where): Listing & { readonly gaps: string[] } {
  const listing = (kind === 'dpkg' ? dpkgPackages : apkPackages)(text, where);
  const cut = `${where.path} is read for its first ${MAX_PACKAGES} packages only`;
  return { ...listing, gaps: isCut(text) ? [cut] : [] };
}

/** An empty file beside a database holds nothing back. */
function otherRpm({ path, bytes }: Place): string[] {
  if (bytes?.length === 0) return [];
  const kind = path.endsWith('.db') ? 'ndb' : 'BerkeleyDB';
  return /-(?:wal|journal)$/.test(path)
    ? [`what ${path} holds is not read: the packages of RPM may have changed since`]
    : [`packages of RPM are not read: ${path} is a database of another kind (${kind})`];
}

const MAX_HOPS = 40;

/** The file at a path, behind links as well; null where there is none. */
function fileAt(root: TreeFolder, path: readonly string[]): TreeNode | null {
  let at = path;
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    const node = find(root, at);
    if (node?.kind !== 'link') return node?.kind === 'file' ? node : null;
    const steps = node.target.split('/').filter((part) => part !== '' && part !== '.');
    at = node.target.startsWith('/') ? steps : [...at.slice(0, -1), ...steps];
  }
  return null;
}

/** Every file of the tree that tells of packages, by its path there; a database may be behind a link. */
function placesIn(root: TreeFolder, bytesOf: (node: TreeNode) => Buffer | null): Place[] {
  const places: Place[] = [];
  const stack: { folder: TreeFolder; above: string }[] = [{ folder: root, above: '' }];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const [name, node] of at.folder.children) {
      const path = `${at.above}${name}`;
      if (node.kind === 'folder') stack.push({ folder: node, above: `${path}/` });
      const kind = node.kind === 'folder' ? null : kindOf(path);
      if (kind === null || kind === 'copyright' || (node.kind === 'link' && kind === 'package')) continue;
      const meant = node.kind === 'link' ? fileAt(root, path.split('/')) : node;
      if (meant?.kind === 'file') places.push({ kind, path, bytes: bytesOf(meant) });
    }
  }
  return places.sort((a, b) => (a.path < b.path ? -1 : 1));
}
