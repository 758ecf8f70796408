/** A person's signed word that a finding is known and accepted: one finding, with a reason, until a date. */
import { Closed, Digest, Instant } from './common.ts';
import { Envelope } from './dsse.ts';
import { CheckId } from './finding.ts';
import { type Static, Type } from './type.ts';

export const SUPPRESSION_TYPE = 'application/vnd.lockkeeper.suppression+json';
/** Longer than this nobody remembers why. */
export const MAX_SUPPRESSION_DAYS = 365;

export const Suppression = Closed({
  lockkeeper: Type.Literal('suppression/v1'),
  /** Fingerprint of the finding: its check, its server and its words. Other words are another finding. */
  finding: Digest,
  check: CheckId,
  /** The server's source without its version, for people to read. */
  source: Type.String({ minLength: 1, maxLength: 700 }),
  reason: Type.String({ minLength: 3, maxLength: 500 }),
  issuedAt: Instant,
  expires: Instant,
});
export type Suppression = Static<typeof Suppression>;

export const SuppressionFile = Closed({
  lockkeeper: Type.Literal('suppressions/v1'),
  /** Public keys in PEM of whoever signed. They are believed only where the reader names their ids. */
  keys: Type.Array(Type.String({ maxLength: 2000 }), { maxItems: 100 }),
  suppressions: Type.Array(Envelope, { maxItems: 10_000 }),
});
export type SuppressionFile = Static<typeof SuppressionFile>;
