/** The runtime's journal: hash-chained records, one line of JSON each. */
import { AnyJson, Closed, Digest, Instant } from './common.ts';
import { Alias } from './intent.ts';
import { sha256 } from './json.ts';
import { type Static, Type } from './type.ts';

export const AuditKind = Type.Union([
  Type.Literal('session.started'),
  Type.Literal('session.refused'),
  Type.Literal('session.ended'),
  Type.Literal('request.forwarded'),
  Type.Literal('request.refused'),
  Type.Literal('request.finished'),
  Type.Literal('notice.forwarded'),
  Type.Literal('notice.refused'),
  Type.Literal('response.refused'),
  Type.Literal('surface.drift'),
  Type.Literal('egress.allowed'),
  Type.Literal('egress.refused'),
  Type.Literal('quarantined'),
  Type.Literal('journal.recovered'),
  /** The oldest segment is about to be deleted, and ends at a record of this number and digest. */
  Type.Literal('journal.pruned'),
  /** A sink said that it does not keep records it was given; they are not offered again. */
  Type.Literal('journal.lost'),
  /** Somebody took away what was remembered that this user had read. */
  Type.Literal('flows.forgotten'),
  /** A server went from one state of its life to another. */
  Type.Literal('server.state'),
  /** A call waits for people; they let it pass, or did not. */
  Type.Literal('call.waiting'),
  Type.Literal('call.approved'),
  Type.Literal('call.rejected'),
  /** Something in an answer that a policy names: flagged, or kept back. */
  Type.Literal('content.flagged'),
  /** A call of one era whose server speaks the other asks its client, is given the answers, or is a task that is followed. */
  Type.Literal('call.round'),
  /** A call that became a task has its outcome; `call` joins it with what made it. */
  Type.Literal('task.finished'),
]);
export type AuditKind = Static<typeof AuditKind>;

/** Which locked thing a record speaks of; digests so that the record outlives the lock file. */
export const AuditSubject = Closed({
  /** What the lock calls it: two of its servers may be one release. Records of before do not say. */
  alias: Type.Optional(Alias),
  server: Type.String(),
  version: Type.String(),
  lock: Digest,
  closure: Digest,
  surface: Digest,
  approvedBy: Type.Array(Type.String()),
});
export type AuditSubject = Static<typeof AuditSubject>;

export const ContentKind = Type.Union([
  Type.Literal('text'),
  Type.Literal('image'),
  Type.Literal('audio'),
  Type.Literal('resource'),
  Type.Literal('resource_link'),
  Type.Literal('tool_use'),
  Type.Literal('tool_result'),
  Type.Literal('other'),
]);
export type ContentKind = Static<typeof ContentKind>;

const Keyed = Type.String({ pattern: '^hmac-sha256:[0-9a-f]{64}$' });
const Count = Type.Integer({ minimum: 0 });

/** What came back, in figures, kinds, keyed digests and names: never its text. */
export const ResultSummary = Closed({
  /** Of the answer's bytes as they came, under the journal's key. */
  digest: Keyed,
  isError: Type.Optional(Type.Boolean()),
  /** Of a JSON-RPC error. */
  errorCode: Type.Optional(Type.Integer()),
  /** `size`: characters of text, bytes of what is not. */
  content: Type.Optional(Type.Partial(Type.Record(ContentKind, Closed({ items: Count, size: Count })))),
  /** URIs of resources linked to or embedded, secrets in them hidden. */
  resources: Type.Optional(Type.Array(Type.String({ maxLength: 300 }), { maxItems: 50 })),
  /** Of the structured content in canonical form. */
  structured: Type.Optional(Keyed),
  /** Entries of each list that was answered. */
  lists: Type.Optional(Type.Record(Type.String({ pattern: '^[a-zA-Z]{1,32}$' }), Count)),
});
export type ResultSummary = Static<typeof ResultSummary>;

export const AuditBody = Closed({
  kind: AuditKind,
  at: Instant,
  runtime: Type.String({
    pattern: '^[A-Za-z0-9._-]{1,64}$',
    description: 'id of the journal: one per runtime state folder',
  }),
  session: Type.String(),
  user: Type.String(),
  /** How the user was proved, and their teams as the policy saw them. */
  caller: Type.Optional(Closed({ via: Type.String(), teams: Type.Array(Type.String()) })),
  subject: Type.Union([Type.Null(), AuditSubject]),
  direction: Type.Optional(Type.Union([Type.Literal('to-server'), Type.Literal('to-client')])),
  method: Type.Optional(Type.String()),
  /** Tool, prompt or resource named by the message. */
  target: Type.Optional(Type.String()),
  /** Joins a request with its outcome. */
  call: Type.Optional(Type.String()),
  arguments: Type.Optional(AnyJson),
  argumentsDigest: Type.Optional(Digest),
  /** What the arguments name (paths, hosts, URIs) and the connections that were made. */
  data: Type.Optional(Type.Array(Type.String())),
  outcome: Type.Optional(
    Type.Union([Type.Literal('ok'), Type.Literal('error'), Type.Literal('refused'), Type.Literal('lost')]),
  ),
  /** The policy that judged it, by digest, and the rule of it that decided. */
  decision: Type.Optional(Closed({ policy: Digest, rule: Type.String() })),
  result: Type.Optional(ResultSummary),
  code: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.Integer({ minimum: 0 })),
  durationMs: Type.Optional(Type.Number({ minimum: 0 })),
  detail: Type.Optional(AnyJson),
});
export type AuditBody = Static<typeof AuditBody>;

/** One journal line. `digest` is SHA-256 over the line's text with `digest` left out, `prev` the line before. */
export const AuditRecord = Closed({
  seq: Type.Integer({ minimum: 1 }),
  prev: Type.Union([Type.Null(), Digest]),
  body: AuditBody,
  digest: Digest,
});
export type AuditRecord = Static<typeof AuditRecord>;

/** `detail` of a `journal.pruned`: what explains that a journal begins after its first record. */
export const PrunedDetail = Closed({
  segment: Type.String({ pattern: '^\\d{6}\\.ndjson$' }),
  /** Number and digest of the last record that is deleted. */
  upTo: Type.Integer({ minimum: 1 }),
  digest: Digest,
  /** Sinks that had not taken all of it, and how many records each misses for good. */
  untaken: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z0-9-]{1,32}$' }), Count)),
});
export type PrunedDetail = Static<typeof PrunedDetail>;

/** The text a record's digest is taken over: the record without its digest, as JSON.stringify writes it. */
function recordText(record: Pick<AuditRecord, 'seq' | 'prev' | 'body'>): string {
  const { seq, prev, body } = record;
  return JSON.stringify({ seq, prev, body });
}

/** The next record of a chain. `prev` is the digest of the record before, null for the first. */
export function link(seq: number, prev: string | null, body: AuditBody): AuditRecord {
  return { seq, prev, body, digest: sha256(recordText({ seq, prev, body })) };
}

/** The same as its line of a journal, written once: a record is its text with the digest of that text at its end. */
export function linkLine(
  seq: number,
  prev: string | null,
  body: AuditBody,
): { readonly line: string; readonly digest: string } {
  const text = recordText({ seq, prev, body });
  const digest = sha256(text);
  return { line: `${text.slice(0, -1)},"digest":"${digest}"}`, digest };
}

/** Null when the record continues the chain, else what is wrong with it. */
export function chainDefect(
  record: AuditRecord,
  seq: number,
  prev: string | null,
): { expected: string; found: string } | null {
  if (record.seq !== seq) return { expected: `record ${seq}`, found: `record ${record.seq}` };
  if (record.prev !== prev)
    return {
      expected: `record ${seq} to follow ${prev ?? 'nothing'}`,
      found: `one that follows ${record.prev ?? 'nothing'}`,
    };
  const digest = sha256(recordText(record));
  return digest === record.digest
    ? null
    : { expected: `record ${seq} with digest ${record.digest}`, found: `contents with digest ${digest}` };
}
