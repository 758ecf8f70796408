/**
 * Evidence of a period, in one archive. The log is cut between two checkpoints; every entry between them is there with
 * the thing that it names, so that nothing can be left out or added without the root hashes saying so.
 */
import { AuditRecord } from './audit.ts';
import { AnyJson, Closed, Digest, Instant, Person } from './common.ts';
import { Envelope, Signature } from './dsse.ts';
import { Lock } from './lock.ts';
import { LogEntry } from './log.ts';
import { type Static, Type } from './type.ts';

export const EVIDENCE_FILE = 'evidence.json';
export const MANIFEST_FILE = 'manifest.json';
export const SIGNATURE_FILE = 'signature.json';
/** A part is closed at 4 MiB; one line may be a large lock. Bytes. */
export const MAX_MEMBER = 128 << 20;
export const EVIDENCE_TYPE = 'application/vnd.lockkeeper.evidence+json';

const Hash = Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$', description: 'a SHA-256 hash in base64' });
const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Count = Type.String({ pattern: '^(?:0|[1-9][0-9]{0,15})$', description: 'a whole number' });
const Note = Type.String({ maxLength: 65_536, description: 'a signed note, with its cosignatures' });

/** An entry with the proof that it is in the tree of the newest checkpoint. */
export const Proved = Closed({ entry: LogEntry, index: Size, proof: Type.Array(Hash, { maxItems: 64 }) });
export type Proved = Static<typeof Proved>;

/** GET /v1/evidence?from=&to= (auditor, admin): roots and checkpoints. */
export const EvidenceQuery = Closed({ from: Instant, to: Instant });
export const EvidenceHead = Closed({
  from: Instant,
  /** Not part of the period any more. */
  to: Instant,
  /** All of them, from version 1 on, each where the log has it. */
  roots: Type.Array(Closed({ envelope: Envelope, logged: Proved }), { minItems: 1, maxItems: 100_000 }),
  checkpoints: Closed({
    /** The last one before the period; null for the beginning of the log. */
    begin: Type.Union([Type.Null(), Note]),
    /** The first one after the period, or the newest. */
    end: Note,
    /** Made as the evidence was: the one that covers everything. */
    newest: Note,
  }),
  /** Complete subtrees of the log at `begin`, which entries are added to. */
  edge: Type.Array(Hash, { maxItems: 64 }),
  /** RFC 6962 consistency proofs: from begin to end, from end to newest. */
  growth: Closed({ end: Type.Array(Hash, { maxItems: 128 }), newest: Type.Array(Hash, { maxItems: 128 }) }),
});
export type EvidenceHead = Static<typeof EvidenceHead>;

/** What an entry names. Of roots and audit records there is none: they stand elsewhere. */
export const Thing = Closed({
  /** Index of the entry. */
  index: Size,
  submission: Type.Optional(AnyJson),
  /** The report's exact text. */
  report: Type.Optional(Type.String()),
  approval: Type.Optional(Envelope),
  call: Type.Optional(Envelope),
  rejection: Type.Optional(Closed({ reason: Type.String(), person: Person })),
  revocation: Type.Optional(Closed({ statement: AnyJson, envelope: Type.Union([Type.Null(), Envelope]) })),
  lock: Type.Optional(
    Closed({ lock: Lock, signatures: Type.Array(Signature, { minItems: 1, maxItems: 32 }) }),
  ),
});
export type Thing = Static<typeof Thing>;

/** An approval from before the period that a lock of the period rests on. */
export const EarlierApproval = Closed({ logged: Proved, envelope: Envelope });
export type EarlierApproval = Static<typeof EarlierApproval>;

/** GET /v1/evidence/entries?start=&end=&begin=&size=: as many entries from `start` as one answer takes, at least one. */
export const EvidenceEntriesQuery = Closed({ start: Count, end: Count, begin: Count, size: Count });
export const EvidenceEntries = Closed({
  entries: Type.Array(LogEntry, { maxItems: 1000 }),
  things: Type.Array(Thing, { maxItems: 1000 }),
  earlier: Type.Array(EarlierApproval, { maxItems: 100_000 }),
});
export type EvidenceEntries = Static<typeof EvidenceEntries>;

const Runtime = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'id of a journal' });

/**
 * GET /v1/evidence/records?runtime=&after=&upTo=&begin=&size=: at most 1,000 records in order. Without `after` from the
 * last batch on that was logged before `begin`, which is proved.
 */
export const EvidenceRecordsQuery = Closed({
  runtime: Runtime,
  after: Type.Optional(Count),
  upTo: Count,
  begin: Count,
  size: Count,
});
export const EvidenceRecords = Closed({
  previous: Type.Union([Type.Null(), Proved]),
  records: Type.Array(AuditRecord, { maxItems: 1000 }),
});
export type EvidenceRecords = Static<typeof EvidenceRecords>;

/** `evidence.json`, the first member. */
export const EvidenceFile = Closed({
  lockkeeper: Type.Literal('evidence/v1'),
  registry: Type.String({ maxLength: 2000 }),
  exportedAt: Instant,
  exportedBy: Person,
  head: EvidenceHead,
});
export type EvidenceFile = Static<typeof EvidenceFile>;

/** The line before a journal's first record: where its chain stood before the period; null when it begins here. */
export const Continues = Closed({ runtime: Runtime, previous: Type.Union([Type.Null(), Proved]) });
export type Continues = Static<typeof Continues>;

/** `manifest.json`: every member before it, in order. */
export const EvidenceManifest = Closed({
  lockkeeper: Type.Literal('evidence-manifest/v1'),
  members: Type.Array(Closed({ path: Type.String(), size: Size, sha256: Digest }), { maxItems: 1_000_000 }),
});
export type EvidenceManifest = Static<typeof EvidenceManifest>;

/** `signature.json`, the last member, when who exported has a key: over the digest of the manifest. */
export const ExporterSignature = Closed({
  publicKey: Type.String({ description: 'SPKI PEM', maxLength: 1000 }),
  envelope: Envelope,
});
