/** A difference as the registry gives it out. */
import { Closed } from './common.ts';
import { Change, Step } from './diff.ts';
import { type Static, Type } from './type.ts';

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
});
export type DiffView = Static<typeof DiffView>;
