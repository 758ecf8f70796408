/** The shapes of the /v1 API that keys and roots travel in. */
import { Closed, Instant, KeyId, Person } from './common.ts';
import { Envelope } from './dsse.ts';
import { type Static, Type } from './type.ts';

/** POST /v1/keys (reviewer): enrols the caller's key. The body is signed by the key itself, to prove possession. */
export const KEY_PROOF_TYPE = 'application/vnd.lockkeeper.key-proof+json';
export const KeyProof = Closed({ person: Person, publicKey: Type.String({ maxLength: 1000 }), at: Instant });
/** `replace`: another key of the same person may be retired, and with it the approvals it signed. */
export const KeyBody = Closed({ proof: Envelope, replace: Type.Boolean() });
export const KeyView = Closed({ keyid: KeyId, person: Person, rootVersion: Type.Integer({ minimum: 1 }) });
export type KeyView = Static<typeof KeyView>;

/** GET /v1/trust?pin= (anonymous): the newest root, what leads to it from those pinned keys, and what stands by. */
export const TrustQuery = Closed({
  pin: Type.Optional(Type.String({ pattern: '^sha256:[0-9a-f]{64}(?:,sha256:[0-9a-f]{64}){0,19}$' })),
});
export const TrustView = Closed({
  rootKeys: Type.Array(KeyId),
  threshold: Type.Integer({ minimum: 1 }),
  trial: Type.Boolean(),
  root: Envelope,
  rootChain: Type.Array(Envelope, { maxItems: 1000 }),
  /** Public keys that would replace those the registry uses now, for the root holders. */
  standby: Closed({ lock: Type.String(), scanner: Type.String(), log: Type.String() }),
});

/** POST /v1/roots (admin): the next root, signed by its holders. */
export const RootBody = Closed({ envelope: Envelope });
/** POST /v1/keys/rotate (admin): the key that stands by takes over, where the registry signs its root itself. */
export const RotateBody = Closed({
  role: Type.Union([Type.Literal('lock'), Type.Literal('scanner'), Type.Literal('log')]),
});
export const RootVersionView = Closed({ version: Type.Integer({ minimum: 1 }) });
export type TrustView = Static<typeof TrustView>;
