/** Packages of Linux distributions, as the databases of their package managers list them. */
import { type Licence, licenceIn, NO_LICENCE } from './licence.ts';
import { type InstalledPackage, isSober, purlOfParts } from './package.ts';

/** Which distribution an image says that it is. */
export interface Distribution {
  /** In small letters, such as `debian`. */
  readonly id: string;
  /** Null where it does not say. */
  readonly version: string | null;
}

/** Of the text of an os-release file. */
export function distributionIn(text: string): Distribution | null {
  const of = (key: string): string | undefined =>
    new RegExp(`^${key}=["']?([A-Za-z0-9._-]{1,64})["']?\\s*$`, 'm').exec(text)?.[1];
  const id = of('ID');
  return id === undefined ? null : { id: id.toLowerCase(), version: of('VERSION_ID') ?? null };
}

/** Feeds know these by their major release alone. */
const RPM_FEEDS: ReadonlyMap<string, string> = new Map([
  ['rhel', 'Red Hat'],
  ['rocky', 'Rocky Linux'],
  ['almalinux', 'AlmaLinux'],
]);

/** As feeds of advisories name it: `Debian:12`, `Alpine:v3.20`; any other by its own name. */
export function ecosystemOf({ id, version }: Distribution): string {
  const rpm = RPM_FEEDS.get(id);
  const major = /^\d+/.exec(version ?? '')?.[0];
  if (rpm !== undefined && major !== undefined) return `${rpm}:${major}`;
  if (id === 'debian' && version !== null) return `Debian:${version.split('.')[0]}`;
  const [, minor] = /^(\d+\.\d+)/.exec(version ?? '') ?? [];
  if (id === 'alpine' && minor !== undefined) return `Alpine:v${minor}`;
  const name = `${id[0]?.toUpperCase()}${id.slice(1)}`;
  return version === null ? name : `${name}:${version}`;
}

export const MAX_PACKAGES = 50_000;

/** Has a database more entries than are read of one? Blank lines count as if each ended an entry. */
export function isCut(text: string): boolean {
  const entries = text.trimEnd();
  const blank = /\n[ \t]*\r?(?=\n)/g;
  for (let count = 0; blank.test(entries); ) if (++count >= MAX_PACKAGES) return true;
  return false;
}

export interface Entry {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** What tells it from all others of its database. */
  readonly mark: string;
  /** Of its purl, besides the architecture and the distribution. */
  readonly qualifiers?: Readonly<Record<string, string>>;
  /** Another name that feeds may have for it. */
  readonly alias?: string | null;
  /** What feeds of advisories name. */
  readonly source: { readonly name: string; readonly version: string };
  readonly licence: Licence;
  readonly needs: readonly string[];
  readonly provides: readonly string[];
}

/** Packages, and how many entries tell of one that has no name or no version. */
export interface Listing {
  readonly packages: InstalledPackage[];
  readonly odd: number;
}

/** Where a database is, what it belongs to, and what else is known of the licence of a package. */
export interface Where {
  readonly path: string;
  readonly on: Distribution;
  readonly licenceOf?: (name: string) => Licence;
}

/** Debian's `status`, or one file of `status.d`: paragraphs of fields. What is not installed is left out. */
export function dpkgPackages(text: string, { path, on, licenceOf }: Where): Listing {
  let odd = 0;
  const entries = paragraphs(text).flatMap((fields): Entry[] => {
    const of = (key: string): string => fields.get(key) ?? '';
    const [name, version] = [of('package'), of('version')];
    const status = of('status');
    if (status !== '' && !/ installed$/.test(status)) return [];
    if (!isSober(name, version)) {
      odd++;
      return [];
    }
    const arch = of('architecture');
    const [, source = name, sourceVersion = version] = /^(\S+)(?:\s+\((\S+)\))?$/.exec(of('source')) ?? [];
    return [
      {
        ...{ name, version, arch, licence: licenceOf?.(name) ?? NO_LICENCE },
        mark: arch === '' ? name : `${name}:${arch}`,
        source: isSober(source, sourceVersion) ? { name: source, version: sourceVersion } : { name, version },
        needs: [of('pre-depends'), of('depends')].flatMap(namesIn),
        provides: namesIn(of('provides')),
      },
    ];
  });
  return { packages: listed(entries, { type: 'deb', path, on }), odd };
}

function paragraphs(text: string): Map<string, string>[] {
  const blocks = text.split(/\r?\n[ \t]*\r?\n/, MAX_PACKAGES).filter((block) => block.trim() !== '');
  return blocks.map((block) => {
    const fields = new Map<string, string>();
    for (const line of block.split(/\r?\n/)) {
      const [, key, value] = /^([A-Za-z][A-Za-z0-9-]*):(.*)$/s.exec(line) ?? [];
      if (key !== undefined && value !== undefined) fields.set(key.toLowerCase(), value.trim());
    }
    return fields;
  });
}

/** Names of a list of packages; of alternatives all, since which one serves is not told. */
function namesIn(list: string): string[] {
  return list.split(/[,|]/).flatMap((one) => /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(one)?.[1] ?? []);
}

/** Alpine's `installed`: blocks of lines that each begin with a letter. */
export function apkPackages(text: string, { path, on }: Where): Listing {
  let odd = 0;
  const blocks = text.split(/\n\n+/, MAX_PACKAGES).filter((block) => block.trim() !== '');
  const entries = blocks.flatMap((block): Entry[] => {
    const fields = new Map(block.split('\n').map((line) => [line.slice(0, 2), line.slice(2).trim()]));
    const of = (key: string): string => fields.get(`${key}:`) ?? '';
    const [name, version, origin] = [of('P'), of('V'), of('o')];
    if (!isSober(name, version)) {
      odd++;
      return [];
    }
    return [
      {
        ...{ name, version, arch: of('A'), mark: name, licence: licenceIn(of('L')) },
        source: { name: isSober(origin, version) ? origin : name, version },
        needs: words(of('D')),
        provides: words(of('p')),
      },
    ];
  });
  return { packages: listed(entries, { type: 'apk', path, on }), odd };
}

/** Names without what is asked of their versions; what must not be there is none. */
function words(list: string): string[] {
  return list.split(/\s+/).flatMap((word) => /^[^!=<>~][^=<>~]*/.exec(word)?.[0] ?? []);
}

interface Database {
  readonly type: 'deb' | 'apk' | 'rpm';
  readonly path: string;
  readonly on: Distribution;
}

/** Each once, with what it needs of the others. */
export function listed(entries: readonly Entry[], { type, path, on }: Database): InstalledPackage[] {
  const at = ({ mark }: Entry): string => `${path}#${mark}`;
  const by = new Map<string, string>();
  for (const entry of entries) for (const name of entry.provides) if (!by.has(name)) by.set(name, at(entry));
  for (const entry of entries) by.set(entry.name, at(entry));
  const unique = new Map(entries.map((entry) => [at(entry), entry]));
  return [...unique].map(([place, entry]) => {
    const { name, version, arch, source, licence } = entry;
    const distro = `${on.id}${on.version === null ? '' : `-${on.version}`}`;
    const qualifiers = { ...(arch === '' ? {} : { arch }), ...entry.qualifiers, distro };
    const needs = entry.needs.flatMap((one) => by.get(one) ?? []).filter((one) => one !== place);
    return {
      at: place,
      ...{ ecosystem: ecosystemOf(on), name: source.name, version: source.version, licence },
      purl: purlOfParts({ type, path: [on.id === 'rhel' ? 'redhat' : on.id, name], version, qualifiers }),
      needs: [...new Set(needs)].sort(),
      ...{ digests: null, unpacked: null },
      shown: { name, version },
      ...(entry.alias ? { alias: entry.alias } : {}),
    };
  });
}
