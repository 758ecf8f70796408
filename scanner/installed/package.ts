/** One package of a closure or inside an image, as its own files tell of it. */
import type { Licence } from './licence.ts';

/** How advisories name a package. */
export interface Named {
  /** `npm`, `PyPI`, or a distribution with its release, such as `Debian:12`; `generic` for what no feed is about. */
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
}

export interface InstalledPackage extends Named {
  /** What people call it, where its source has another name: feeds tell of sources. */
  readonly shown?: { readonly name: string; readonly version: string };
  /** Another name that feeds may have for it: of some distributions it is not said which one they take. */
  readonly alias?: string;
  /** Unique among all: the location in the closure, or the path of the file that tells of it. */
  readonly at: string;
  readonly licence: Licence;
  /** What it needs, by their `at`; null where nothing tells. */
  readonly needs: readonly string[] | null;
  /** Of an artifact of the closure; null for what lies inside of another. */
  readonly digests: { readonly sha256: string; readonly sha512: string } | null;
  /** Files and their bytes once unpacked; null for what lies inside of another. */
  readonly unpacked: Size | null;
}

/** Those that feeds of advisories are about: a bundle is its maker's alone, the packages in it are not. */
export function fedAmong(packages: readonly InstalledPackage[]): Named[] {
  return packages
    .filter(({ ecosystem }) => ecosystem !== 'generic')
    .flatMap(({ ecosystem, name, version, purl, alias }) =>
      [name, ...(alias === undefined ? [] : [alias])].map((one) => ({ ecosystem, name: one, version, purl })),
    );
}

interface Size {
  readonly files: number;
  readonly bytes: number;
}

export interface Installed {
  /** By `at`. */
  readonly packages: readonly InstalledPackage[];
  /** All files once unpacked; null where there are none to count. */
  readonly unpacked: Size | null;
  /** Why the list may be short, a sentence each; empty where it is whole. */
  readonly gaps: readonly string[];
}

/** Of a server that runs elsewhere. */
export const NOTHING_INSTALLED: Installed = {
  packages: [],
  unpacked: null,
  gaps: ['what a remote server is made of is not known'],
};

const MAX_NAME = 214;
const MAX_VERSION = 128;

/** Names and versions that can stand in a purl and a database: no blanks, no controls, of a bounded length. */
export function isSober(name: unknown, version: unknown): boolean {
  const fits = (value: unknown, most: number): boolean =>
    typeof value === 'string' && value.length > 0 && value.length <= most && /^[!-~]+$/.test(value);
  return fits(name, MAX_NAME) && fits(version, MAX_VERSION);
}

export interface PurlParts {
  readonly type: string;
  /** Of a scoped name, the scope is the first part. */
  readonly path: readonly string[];
  readonly version: string;
  readonly qualifiers?: Readonly<Record<string, string>>;
}

/** A package URL; qualifiers in the order of their names. */
export function purlOfParts({ type, path, version, qualifiers = {} }: PurlParts): string {
  const coded = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');
  const more = Object.entries(qualifiers)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${coded(value)}`)
    .join('&');
  return `pkg:${type}/${path.map(coded).join('/')}@${coded(version)}${more === '' ? '' : `?${more}`}`;
}
