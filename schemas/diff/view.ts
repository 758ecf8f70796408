/** A difference as the registry gives it out. */
import { Closed } from '../common.ts';
import type { Report } from '../finding.ts';
import type { Artifact } from '../release.ts';
import { UnpackedSize } from '../sbom.ts';
import { type Static, Type } from '../type.ts';
import { Change, Step } from './surfaces.ts';

/** How large a closure is, and under which licences its packages are; null where it could not be read. */
export const Measure = Closed({
  bytes: Type.Integer({ minimum: 0, description: 'bytes of its archives' }),
  unpacked: Type.Union([Type.Null(), UnpackedSize]),
  licences: Type.Array(Type.Union([Type.Null(), Type.String()])),
});
export type Measure = Static<typeof Measure>;

/** Of two reports. Pure. */
export function measuresOf(before: Report | null, after: Report): Pick<DiffView, 'measures'> {
  const [old, fresh] = [before && measureOf(before), measureOf(after)];
  return fresh === null ? {} : { measures: { before: old, after: fresh } };
}

function measureOf({ closure, image, installed }: Report): Measure | null {
  if (!installed) return null;
  const whole = image ? { files: image.files, bytes: image.unpacked } : installed.unpacked;
  return {
    bytes: closure.bytes,
    unpacked: whole,
    licences: installed.licences.map(({ licence }) => licence),
  };
}

type Artifacts = readonly Pick<Artifact, 'purl' | 'sha256'>[];

/** Of two closures, by purl and digest. Pure. */
export function diffArtifacts(before: Artifacts, after: Artifacts): DiffView['artifacts'] {
  const [old, fresh] = [bytesOf(before), bytesOf(after)];
  const rewritten = new Set<string>();
  const beyond = (ours: typeof old, theirs: typeof old): string[] =>
    [...ours].flatMap(([purl, digests]) => {
      const known = theirs.get(purl);
      if (known === undefined) return [purl];
      const others = [...digests].filter((digest) => !known.has(digest));
      if (others.length > 0) rewritten.add(purl);
      return others.map((digest) => `${purl} (${digest})`);
    });
  const [added, removed] = [beyond(fresh, old).sort(), beyond(old, fresh).sort()];
  return { added, removed, rewritten: [...rewritten].sort() };
}

/** One purl may be several files, such as wheels for several machines. */
function bytesOf(artifacts: Artifacts): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { purl, sha256 } of artifacts) found.set(purl, (found.get(purl) ?? new Set()).add(sha256));
  return found;
}

/** GET /v1/releases/:id/diff: against the release that was the last approved one when it was scanned. */
export const DiffView = Closed({
  before: Type.Union([Type.Null(), Closed({ id: Type.Integer(), version: Type.String() })]),
  after: Closed({ id: Type.Integer(), version: Type.String() }),
  changes: Type.Array(Change),
  /** What the changes would be called if tools were an API; absent where there is nothing to compare with. */
  step: Type.Optional(Step),
  /** Of permissions and launch. */
  reach: Type.Array(Change),
  artifacts: Closed({
    /** By purl, and by digest as well where the same purl is other bytes. */
    added: Type.Array(Type.String()),
    removed: Type.Array(Type.String()),
    /** Purls that both have, as other bytes: who publishes does not do that. */
    rewritten: Type.Array(Type.String()),
  }),
  /** Absent where nothing was measured: by a registry, or of a release, from before. */
  measures: Type.Optional(Closed({ before: Type.Union([Type.Null(), Measure]), after: Measure })),
});
export type DiffView = Static<typeof DiffView>;
