/** Where a release comes from: what was signed of it, who published it, which repository is its own. */
import { Closed } from './common.ts';
import { type Static, Type } from './type.ts';

/**
 * How much is signed of a release, from nothing to a build bound to the repository that the package itself names. Each
 * takes what stands before it for granted: more is never less.
 */
export const Rank = Type.Union([
  Type.Literal('none'),
  Type.Literal('registry-signature'),
  Type.Literal('publish-attestation'),
  Type.Literal('provenance'),
  Type.Literal('bound-provenance'),
]);
export type Rank = Static<typeof Rank>;

/** The lowest first. */
export const RANKS: readonly Rank[] = [
  'none',
  'registry-signature',
  'publish-attestation',
  'provenance',
  'bound-provenance',
];

const Said = Type.Union([Type.Null(), Type.String({ maxLength: 1000 })]);

/** Whoever built it, from a verified certificate alone; null where it is silent. */
export const Builder = Closed({
  issuer: Said,
  san: Type.String({ maxLength: 1000 }),
  repository: Said,
  /** Stays when a repository is renamed, and differs when one is made again under its name. */
  repositoryId: Said,
  workflow: Said,
  commit: Said,
  ref: Said,
});
export type Builder = Static<typeof Builder>;

/** What was verified. A summary: the signed bytes are evidence of the scan. */
export const Provenance = Closed({ rank: Rank, builder: Type.Union([Type.Null(), Builder]) });
export type Provenance = Static<typeof Provenance>;

/** How a version came into its registry, by the registry's own unsigned word. */
const PublisherKind = Type.Union([
  Type.Literal('person'),
  Type.Literal('automation'),
  Type.Literal('trusted-publisher'),
]);
export type PublisherKind = Static<typeof PublisherKind>;

export const Publisher = Closed({
  account: Type.String({ maxLength: 1000 }),
  kind: PublisherKind,
  /** Of a trusted publisher: which of its configurations let this version in. */
  configuration: Said,
});
export type Publisher = Static<typeof Publisher>;

/** The repository as its host showed it, and where the tag of the version pointed. */
const SeenRepository = Closed({
  name: Type.String({ maxLength: 300 }),
  id: Type.String({ maxLength: 100 }),
  tag: Type.Union([Type.Null(), Closed({ name: Type.String(), commit: Type.String() })]),
});
export type SeenRepository = Static<typeof SeenRepository>;

/** Null is: not known. */
export const Origin = Closed({
  provenance: Type.Union([Type.Null(), Provenance]),
  publisher: Type.Union([Type.Null(), Publisher]),
  repository: Type.Union([Type.Null(), SeenRepository]),
});
export type Origin = Static<typeof Origin>;
