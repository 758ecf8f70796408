/** A difference as the registry gives it out. */
import { Closed } from './common.ts';
import { Change, Step } from './diff.ts';
import type { Report } from './finding.ts';
import { UnpackedSize } from './sbom.ts';
import { type Static, Type } from './type.ts';

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

/** GET /v1/releases/:id/diff: against the release that was the last approved one when it was scanned. */
export const DiffView = Closed({
  before: Type.Union([Type.Null(), Closed({ id: Type.Integer(), version: Type.String() })]),
  after: Closed({ id: Type.Integer(), version: Type.String() }),
  changes: Type.Array(Change),
  /** What the changes would be called if tools were an API; absent where there is nothing to compare with. */
  step: Type.Optional(Step),
  /** Of permissions and launch. */
  reach: Type.Array(Change),
  artifacts: Closed({ added: Type.Array(Type.String()), removed: Type.Array(Type.String()) }),
  /** Absent where nothing was measured: by a registry, or of a release, from before. */
  measures: Type.Optional(Closed({ before: Type.Union([Type.Null(), Measure]), after: Measure })),
});
export type DiffView = Static<typeof DiffView>;
