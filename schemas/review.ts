/** What a reviewer is told besides report and difference: what changed since an approval, and what deltas rest on. */
import { Alarm, Outcome } from './attention.ts';
import { Closed, Digest, Instant, Person, Version } from './common.ts';
import { Server } from './server.ts';
import { type Static, Type } from './type.ts';

/** GET /v1/releases/:id/statement?delta=VERSION: as somebody signs who read the difference from that release. */
export const StatementQuery = Closed({ delta: Type.Optional(Version) });
/** GET /v1/releases/:id/diff?from=VERSION: against another release of the server than the one it was scanned against. */
export const DiffQuery = Closed({ from: Type.Optional(Version) });

const Scanned = Closed({ report: Digest, scannedAt: Instant });

/** The report that was approved against the newest one, which was made for the re-review. */
export const Since = Closed({
  approved: Scanned,
  /** Null while it is being scanned again, and when that did not work. */
  newest: Type.Union([Type.Null(), Scanned]),
  /** Checks that end otherwise, or fire for something else. Null before: the check is new; null after: it is gone. */
  checks: Type.Array(
    Closed({
      id: Type.String(),
      title: Type.String(),
      before: Type.Union([Type.Null(), Outcome]),
      after: Type.Union([Type.Null(), Outcome]),
    }),
  ),
  /** Whether its dependencies resolve to other bytes today. What runs is what was approved. */
  otherClosure: Type.Boolean(),
  otherSurface: Type.Boolean(),
  /** Null where the package registry did not tell them both times. */
  maintainers: Type.Union([
    Type.Null(),
    Closed({ added: Type.Array(Type.String()), removed: Type.Array(Type.String()) }),
  ]),
  /** Versions above this one; null when the package registry did not answer. */
  newer: Type.Union([Type.Null(), Type.Array(Type.String())]),
});
export type Since = Static<typeof Since>;

/** The release that enough people read whole, which a chain of deltas goes back to. */
export const FullReview = Closed({ version: Version, at: Instant, by: Type.Array(Person) });
export type FullReview = Static<typeof FullReview>;

/** GET /v1/releases/:id/review */
export const ReviewView = Closed({
  owner: Type.Union([Type.Null(), Server]),
  /** Null unless the release is or was due for re-review. */
  since: Type.Union([Type.Null(), Since]),
  /** Of an approved release: what today's judgement says against it, accepted or not. */
  alarms: Type.Array(Alarm),
  /** Approvals given for a difference alone. */
  deltas: Type.Array(Closed({ person: Person, from: Version, full: Type.Union([Type.Null(), FullReview]) })),
});
export type ReviewView = Static<typeof ReviewView>;
