/** Versions out of names of tags. */
import semver from 'semver';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export interface Tagged {
  readonly tag: string;
  readonly version: string;
}

/**
 * Those that are written as the tag of this version is: what stands around its version stands around theirs, so that tags of
 * another package of the repository are not taken for it. Without a tag: `1.2.3` and `v1.2.3`. Throws SOURCE_INVALID where
 * the tag does not say its version.
 */
export function versionedTags(
  names: Iterable<string>,
  { tag, version }: { readonly tag: string | null; readonly version: string },
): Tagged[] {
  const around = tag === null ? [['v', ''] as const, ['', ''] as const] : [aroundIn(tag, version)];
  const found = new Map<string, Tagged>();
  for (const name of names)
    for (const [before, after] of around) {
      if (!name.startsWith(before) || !name.endsWith(after)) continue;
      const one = name.slice(before.length, name.length - after.length);
      if (semver.valid(one) === one && !found.has(one)) found.set(one, { tag: name, version: one });
    }
  return [...found.values()];
}

function aroundIn(tag: string, version: string): readonly [string, string] {
  const at = tag.lastIndexOf(version);
  if (at >= 0) return [tag.slice(0, at), tag.slice(at + version.length)];
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: `a tag that says its version, ${version}: others are known by it`,
    found: quote(tag, 140),
    next: 'Look for newer versions by hand, and publish them with a tag that says it',
  });
}
