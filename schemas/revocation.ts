/** Withdrawing a release: the statement a revoker signs, and the announcement that reaches running sessions. */
import { Closed, Digest, Instant, Person, ServerName, Version } from './common.ts';
import { Envelope } from './dsse.ts';
import { type Static, Type } from './type.ts';

const REVOCATION_PREDICATE = 'https://lockkeeper.dev/revocation/v1';

const Reason = Type.String({ minLength: 3, maxLength: 1000 });

/** An in-toto statement whose one subject is the closure of the release. */
export const Revocation = Closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject: Type.Array(
    Closed({
      name: Type.String({ minLength: 1, maxLength: 500, description: 'server@version' }),
      digest: Closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
    }),
    { minItems: 1, maxItems: 1 },
  ),
  predicateType: Type.Literal(REVOCATION_PREDICATE),
  predicate: Closed({
    server: ServerName,
    version: Version,
    closureDigest: Digest,
    reason: Reason,
    revokedBy: Person,
    at: Instant,
  }),
});
export type Revocation = Static<typeof Revocation>;

/** The statement over these facts. */
export function revocationOf(predicate: Revocation['predicate']): Revocation {
  const { server, version, closureDigest } = predicate;
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: `${server}@${version}`, digest: { sha256: closureDigest.slice('sha256:'.length) } }],
    predicateType: REVOCATION_PREDICATE,
    predicate,
  };
}

/** POST /v1/releases/:id/revoke. Without an envelope it counts as well, and says that nobody signed it. */
export const RevokeBody = Closed({ reason: Reason, envelope: Type.Optional(Envelope) });

const Cursor = Type.String({ pattern: '^(?:0|[1-9][0-9]{0,14})$', description: 'the id of a revocation' });

/** One revocation as the registry announces it. Ids grow, so that whoever lost the thread can take it up again. */
export const RevocationEvent = Closed({
  id: Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 }),
  server: ServerName,
  version: Version,
  closureDigest: Digest,
  reason: Reason,
  revokedBy: Person,
  at: Instant,
  /** Whose signature the registry verified; null when nobody signed. */
  signedBy: Type.Union([Type.Null(), Person]),
  /** What the transparency log names: of the envelope, or of the statement when nobody signed it. */
  digest: Digest,
  envelope: Type.Union([Type.Null(), Envelope]),
});
export type RevocationEvent = Static<typeof RevocationEvent>;

/** GET /v1/revocations?after=&server= oldest first, and the same as a stream: GET /v1/revocations/stream. */
export const RevocationQuery = Closed({
  after: Type.Optional(Cursor),
  server: Type.Optional(ServerName),
});
export const RevocationList = Closed({
  revocations: Type.Array(RevocationEvent, { maxItems: 500 }),
  /** `after` of the next question. */
  next: Cursor,
});
export type RevocationList = Static<typeof RevocationList>;

/** Seconds between the comments that keep a quiet stream alive. */
export const HEARTBEAT_S = 10;
