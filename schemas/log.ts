/** The registry's transparency log: what an entry says, and what is served of the tree. */
import { Closed, Digest } from './common.ts';
import { canonical } from './json.ts';
import { leafHash } from './merkle.ts';
import { NoteKey } from './note.ts';
import { type Static, Type } from './type.ts';

const LogKind = Type.Union([
  Type.Literal('submission'),
  Type.Literal('verdict'),
  Type.Literal('approval'),
  Type.Literal('rejection'),
  Type.Literal('revocation'),
  Type.Literal('lock'),
  Type.Literal('root'),
  Type.Literal('audit'),
  Type.Literal('call'),
]);
export type LogKind = Static<typeof LogKind>;

/**
 * An entry names a thing by digest and says what it is about. Nothing else is in it, so that whoever holds the thing can
 * make the entry again and prove that it was logged; and no personal data, because a log cannot forget.
 */
export const LogEntry = Closed({
  lockkeeper: Type.Literal('log-entry/v1'),
  kind: LogKind,
  subject: Type.String({ minLength: 1, maxLength: 600 }),
  digest: Digest,
});
export type LogEntry = Static<typeof LogEntry>;

export type Logged = Omit<LogEntry, 'lockkeeper'>;

/** What the log's entries of a release, its verdict, approvals and revocation are about. */
export function releaseSubject({ server, version }: { server: string; version: string }): string {
  return `${server}@${version}`;
}

export function rootSubject({ version }: { version: number }): string {
  return `root#${version}`;
}

/** The exact bytes of an entry. */
export function logEntryBytes({ kind, subject, digest }: Logged): Buffer {
  return Buffer.from(canonical({ lockkeeper: 'log-entry/v1', kind, subject, digest }), 'utf8');
}

/** The leaf that an entry is in the tree. */
export function logLeaf(entry: Logged): Buffer {
  return leafHash(logEntryBytes(entry));
}

const Count = Type.String({ pattern: '^(?:0|[1-9][0-9]{0,15})$', description: 'a whole number' });

/** Canonical, so that a proof is written in one way. */
const Hash = Type.String({
  pattern: '^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$',
  description: 'a SHA-256 hash in base64',
});
const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** An RFC 6962 consistency proof from a smaller tree to the one at hand. */
export const Growth = Closed({ from: Size, proof: Type.Array(Hash, { maxItems: 128 }) });
export type Growth = Static<typeof Growth>;

/** What a checkpoint is shown to hold, as a lock carries it: each by the digest of the thing that was logged. */
export const LogEvidence = Closed({
  checkpoint: Type.String({ maxLength: 65_536, description: 'a signed note, with its cosignatures' }),
  /** From earlier sizes, so that who saw one of them need not ask. */
  growth: Type.Array(Growth, { maxItems: 32 }),
  proofs: Type.Record(Digest, Closed({ index: Size, proof: Type.Array(Hash, { maxItems: 64 }) }), {
    additionalProperties: false,
  }),
});
export type LogEvidence = Static<typeof LogEvidence>;

/** GET /v1/log (anonymous): the newest checkpoint as a signed note, and the key that signed it. */
export const LogView = Closed({ key: NoteKey, checkpoint: Type.String() });
export type LogView = Static<typeof LogView>;

/** GET /v1/log/entries?start=&count=: at most 1,000 entries, in order. */
export const LogEntriesQuery = Closed({ start: Count, count: Type.Optional(Count) });
export const LogEntries = Closed({ start: Size, entries: Type.Array(LogEntry) });
export type LogEntries = Static<typeof LogEntries>;

/** GET /v1/log/inclusion?index=&size=: that the entry is in the tree of that size. */
export const LogInclusionQuery = Closed({ index: Count, size: Count });
/** GET /v1/log/consistency?from=&to=: that the larger tree is the smaller one with entries added. */
export const LogConsistencyQuery = Closed({ from: Count, to: Count });
export const LogProof = Closed({ proof: Type.Array(Hash, { maxItems: 64 }) });
export type LogProof = Static<typeof LogProof>;
