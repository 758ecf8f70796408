/** The trust files that root.json pins, beside what their repository has by now: shown to people, used by nobody. */
import { Closed, Digest, Instant } from './common.ts';
import { Base64 } from './dsse.ts';
import { type Static, Type } from './type.ts';

/** Real ones have 2 to 10 kB. */
export const MAX_TRUST_FILE_BYTES = 256 * 1024;

const TrustBytes = Type.Intersect([Base64, Type.String({ maxLength: 400_000 })]);

/**
 * `used`: what the repository has is what root.json pins. `changed` and `new`: it waits for the root holders. `kept`: the
 * repository does not have it, or none was read.
 */
const TrustFileState = Type.Union([
  Type.Literal('used'),
  Type.Literal('changed'),
  Type.Literal('new'),
  Type.Literal('kept'),
]);

export const TrustFileView = Closed({
  name: Type.String({ pattern: '^[a-z0-9-]{1,64}$' }),
  state: TrustFileState,
  /** `bytes` is null where this registry does not have the file. */
  pinned: Type.Union([Type.Null(), Closed({ digest: Digest, bytes: Type.Union([Type.Null(), TrustBytes]) })]),
  offered: Type.Union([
    Type.Null(),
    Closed({
      /** What it is called in the repository. */
      target: Type.String({ maxLength: 300 }),
      digest: Digest,
      bytes: TrustBytes,
      since: Instant,
    }),
  ]),
  /** What differs between the two, a line each; of a new one, all it holds. */
  changes: Type.Array(Type.String()),
});
export type TrustFileView = Static<typeof TrustFileView>;

/** GET /v1/trust/files. `repository` is null where none is set, and dates are null before the first time. */
export const TrustFilesView = Closed({
  repository: Type.Union([Type.Null(), Type.String({ maxLength: 500 })]),
  askedAt: Type.Union([Type.Null(), Instant]),
  /** When what it has was last verified. */
  readAt: Type.Union([Type.Null(), Instant]),
  /** Why the last time brought nothing. */
  problem: Type.Union([
    Type.Null(),
    Closed({ code: Type.String({ maxLength: 64 }), message: Type.String({ maxLength: 2000 }) }),
  ]),
  files: Type.Array(TrustFileView, { maxItems: 1000 }),
});
export type TrustFilesView = Static<typeof TrustFilesView>;
