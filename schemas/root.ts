/** root.json: which keys belong to which persons, and how many of them each role takes. */
import Type, { type Static } from 'typebox';
import { Closed, Instant, KeyId, Person } from './common.ts';

export const ROOT_TYPE = 'application/vnd.lockkeeper.root+json';

export const RootKey = Closed({
  keyid: KeyId,
  publicKey: Type.String({ description: 'SPKI PEM', maxLength: 1000 }),
  person: Person,
  notBefore: Instant,
  notAfter: Instant,
});
export type RootKey = Static<typeof RootKey>;

const Role = Closed({
  keyids: Type.Array(KeyId, { maxItems: 10_000, uniqueItems: true }),
  threshold: Type.Integer({ minimum: 1, maximum: 100 }),
});

export const Root = Closed({
  lockkeeper: Type.Literal('root/v1'),
  version: Type.Integer({ minimum: 1 }),
  issuedAt: Instant,
  expires: Instant,
  /** True when one approval is enough: for trying Lockkeeper out, never for use. */
  trial: Type.Boolean(),
  keys: Type.Array(RootKey, { maxItems: 10_000 }),
  roles: Closed({ root: Role, approver: Role, lock: Role, scanner: Role, revoker: Role }),
});
export type Root = Static<typeof Root>;
export type RoleName = keyof Root['roles'];
