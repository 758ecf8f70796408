/** Wheels that no index has: what each was built from, and with what. */
import { Closed, Digest, Purl } from './common.ts';
import { SDIST_LOCATION, WHEEL_LOCATION } from './pypi.ts';
import { type Static, Type } from './type.ts';

const part = {
  purl: Purl,
  sha256: Digest,
  size: Type.Integer({ minimum: 1, description: 'bytes of the archive' }),
};

/** The same source, tools and program give what was approved, where the build is one that can be repeated. */
export const Built = Closed({
  source: Closed({ location: Type.String({ pattern: `^${SDIST_LOCATION}$` }), ...part }),
  backend: Type.String({
    pattern: '^[A-Za-z0-9_.:]{1,200}$',
    description: 'what pyproject.toml names, or setuptools where it names nothing',
  }),
  /** Folders of the source that the backend is loaded from; none for one that is a package of its own. */
  inTree: Type.Array(Type.String({ pattern: '^[^\\u0000-\\u001f]{1,200}$' }), { maxItems: 20 }),
  /** Everything that was installed to build it, in location order. */
  requires: Type.Array(Closed({ location: Type.String({ pattern: `^${WHEEL_LOCATION}$` }), ...part }), {
    maxItems: 200,
  }),
  builder: Type.String({ ...Digest, description: 'SHA-256 of the program that built it' }),
  reproducible: Type.Boolean({ description: 'built a second time, it was the same bytes' }),
});
export type Built = Static<typeof Built>;
export type BuildPart = Built['source'];

/** The artifacts, and behind each that was built the source archive that it comes from. */
export function withSources<T extends { readonly built?: Built | undefined }>(
  artifacts: readonly T[],
): (T | BuildPart)[] {
  return artifacts.flatMap((one): (T | BuildPart)[] => (one.built ? [one, one.built.source] : [one]));
}
