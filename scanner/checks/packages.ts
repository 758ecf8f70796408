/** Packages of a closure, as checks compare and name them. */
import type { Evidence } from '../../schemas/finding.ts';
import type { Artifact } from '../../schemas/release.ts';

/** Purls here whose bytes are not in the other list. */
export function changedIn(artifacts: readonly Artifact[], other: readonly Artifact[]): string[] {
  const same = new Set(other.map(({ purl, sha256 }) => `${purl} ${sha256}`));
  return [
    ...new Set(
      artifacts.filter(({ purl, sha256 }) => !same.has(`${purl} ${sha256}`)).map(({ purl }) => purl),
    ),
  ];
}

/** How many there are: one package may stand at several places of a tree. */
export function packagesIn(artifacts: readonly Artifact[]): number {
  return new Set(artifacts.map(({ purl }) => purl)).size;
}

/** The package without its version, as people write it. */
export function nameOf(purl: string): string {
  return purl
    .replace(/^pkg:(?:npm|pypi|(?:deb|apk)\/[^/]+)\//, '')
    .replace('%40', '@')
    .replace(/@[^@]*$/, '');
}

export function place(
  artifact: string,
  { path, line, excerpt }: { readonly path: string; readonly line: number; readonly excerpt: string },
): Evidence {
  return { kind: 'file', artifact, path, line, excerpt };
}
