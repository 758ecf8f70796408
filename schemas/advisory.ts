/** What is publicly known against packages: advisories as the registry keeps them, and whom they affect. */
import { Closed, Instant } from './common.ts';
import { Severity } from './finding.ts';
import { ReleaseState } from './release.ts';
import { type Static, Type } from './type.ts';

export const AdvisoryId = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$',
  description: 'the id of an advisory, such as GHSA-xxxx-xxxx-xxxx or MAL-2026-1',
});
export const AdvisoryKind = Type.Union([Type.Literal('malware'), Type.Literal('vulnerability')]);
export type AdvisoryKind = Static<typeof AdvisoryKind>;

/** One advisory against packages of one closure. `severity` is null where its source does not tell one. */
export const Affecting = Closed({
  id: AdvisoryId,
  kind: AdvisoryKind,
  severity: Type.Union([Type.Null(), Severity]),
  summary: Type.String({ maxLength: 500 }),
  modified: Instant,
  /** Packages of the closure that it is about. */
  purls: Type.Array(Type.String(), { minItems: 1 }),
});
export type Affecting = Static<typeof Affecting>;

/** A lock that names the release: the newest of its project, or an older one that has not expired. */
export const AffectedLock = Closed({ project: Type.String(), version: Type.Integer({ minimum: 1 }) });
export type AffectedLock = Static<typeof AffectedLock>;

export const AffectedRelease = Closed({
  id: Type.Integer({ minimum: 1 }),
  server: Type.String(),
  version: Type.String(),
  state: ReleaseState,
  advisories: Type.Array(Affecting),
  locks: Type.Array(AffectedLock),
  /** Why known malware did not revoke it, in a sentence, where a person has to decide; else null. */
  held: Type.Union([Type.Null(), Type.String()]),
});
export type AffectedRelease = Static<typeof AffectedRelease>;

/** What is known of the feed: the newest `modified` of any record, and how many there are; null when none was ever loaded. */
export const FeedView = Closed({
  newest: Type.Union([Type.Null(), Instant]),
  advisories: Type.Integer({ minimum: 0 }),
  skipped: Type.Integer({ minimum: 0 }),
});
export type FeedView = Static<typeof FeedView>;

/** GET /v1/advisories?release=: releases that are in use or in review and affected; of one release in any state when asked for. */
export const AdvisoryQuery = Closed({
  release: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,15}$', description: 'the id of a release' })),
});
export const AdvisoryList = Closed({ feed: FeedView, releases: Type.Array(AffectedRelease) });
export type AdvisoryList = Static<typeof AdvisoryList>;

/** POST /v1/advisories (admin): records as their source wrote them, for a registry that reaches no feed. */
export const ImportBody = Closed({
  records: Type.Array(Type.String({ minLength: 2, maxLength: 4 * 1024 * 1024 }), {
    minItems: 1,
    maxItems: 1000,
  }),
});
export const ImportView = Closed({
  stored: Type.Integer({ minimum: 0 }),
  /** As new as, or newer, here before. */
  known: Type.Integer({ minimum: 0 }),
  skipped: Type.Integer({ minimum: 0 }),
  revoked: Type.Array(Type.String()),
  /** Known malware that a person has to decide about. */
  held: Type.Array(Type.String()),
});
export type ImportView = Static<typeof ImportView>;

/** POST /v1/advisories/check: what is known against these releases, and what the policy says of it. */
export const AdvisoryCheckBody = Closed({
  releases: Type.Array(Closed({ server: Type.String(), version: Type.String() }), { maxItems: 100_000 }),
});
/** The least severity that fails a gate; null lets every one pass with a warning. */
export const FailOn = Type.Union([
  Type.Null(),
  Type.Literal('critical'),
  Type.Literal('high'),
  Type.Literal('medium'),
  Type.Literal('low'),
]);
export type FailOn = Static<typeof FailOn>;
export const AdvisoryCheckView = Closed({
  failOn: FailOn,
  releases: Type.Array(
    Closed({ server: Type.String(), version: Type.String(), advisories: Type.Array(Affecting) }),
  ),
});
export type AdvisoryCheckView = Static<typeof AdvisoryCheckView>;

const GRAVITY: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** Does the policy let a gate pass with this advisory? What nobody rated counts as the gravest: unknown is never ok. */
export function failsGate({ severity }: Pick<Affecting, 'severity'>, failOn: FailOn): boolean {
  return failOn !== null && GRAVITY.indexOf(severity ?? 'critical') <= GRAVITY.indexOf(failOn);
}

/** An advisory in one line, for people. */
export function advisoryLine({ id, kind, severity, purls, summary }: Affecting): string {
  const what = kind === 'malware' ? 'malware' : (severity ?? 'unrated');
  const where = purls.length > 1 ? `${purls[0]} and ${purls.length - 1} more` : purls[0];
  return `${id} (${what}) in ${where}: ${summary}`;
}
