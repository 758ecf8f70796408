/** What somebody has to look after, besides what waits for review. */
import { Closed, Instant, Person, ServerName, Version } from './common.ts';
import { CheckId } from './finding.ts';
import { Server } from './server.ts';
import { type Static, Type } from './type.ts';

export const Outcome = Type.Union([Type.Literal('ok'), Type.Literal('fired'), Type.Literal('unknown')]);

/** One check that ends otherwise today than in the report that was approved, and not for the better; or its source does. */
export const Alarm = Closed({
  id: CheckId,
  title: Type.String(),
  /** As it was approved; null: there was no such check. */
  before: Type.Union([Type.Null(), Outcome]),
  after: Type.Union([Type.Literal('fired'), Type.Literal('unknown')]),
  /** Whether it stands against an approval today; else it is a warning. */
  gates: Type.Boolean(),
  message: Type.String(),
  /** What changed, such as "the policy changed" or "GHSA-… became known". */
  because: Type.Array(Type.String(), { minItems: 1 }),
  since: Instant,
  /** Who accepted it since. */
  accepted: Type.Array(Person),
});
export type Alarm = Static<typeof Alarm>;

const Head = { id: Type.Integer({ minimum: 1 }), name: ServerName, version: Version };

/** A look at a release that failed as often as it is tried: nobody knows what it would have shown. */
const FailedLook = Closed({
  ...Head,
  attempts: Type.Integer({ minimum: 1 }),
  reason: Type.String(),
  since: Instant,
});
export type FailedLook = Static<typeof FailedLook>;

/** GET /v1/attention */
export const Attention = Closed({
  /** Approved releases that are judged otherwise today, those that would not pass first; until enough people accepted it. */
  judged: Type.Array(Closed({ ...Head, gates: Type.Boolean(), alarms: Type.Array(Alarm, { minItems: 1 }) })),
  /** Approved releases that could not be looked at again. */
  failed: Type.Array(FailedLook),
  /** Approved releases of which nobody knows whether there is a newer one, or whether their name still means them. */
  unwatched: Type.Array(Closed({ ...Head, reason: Type.String(), since: Instant })),
  /** Approved releases whose approvals end soon, the most urgent first. */
  due: Type.Array(
    Closed({
      ...Head,
      by: Instant,
      /** They suffice no more: the schedule moves it back into review. */
      lapsed: Type.Boolean(),
    }),
  ),
  orphaned: Type.Array(Server),
  /** Releases with known malware that were not revoked: the registry may revoke only so many in a day by itself. */
  held: Type.Array(Closed(Head)),
  /** Trust files that their repository has otherwise than root.json pins them: for the root holders. */
  trustFiles: Type.Array(Closed({ name: Type.String(), since: Instant })),
});
export type Attention = Static<typeof Attention>;
