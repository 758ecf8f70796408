/** root.json: which keys belong to which persons, and how many of them each role takes. */
import { Closed, Digest, Environment, Instant, KeyId, Person } from './common.ts';
import { Base64 } from './dsse.ts';
import { digestOf } from './json.ts';
import { NoteKey } from './note.ts';
import { type Static, Type } from './type.ts';

export const ROOT_TYPE = 'application/vnd.lockkeeper.root+json';

export const RootKey = Closed({
  keyid: KeyId,
  publicKey: Type.String({ description: 'SPKI PEM', maxLength: 1000 }),
  person: Person,
  notBefore: Instant,
  notAfter: Instant,
});
export type RootKey = Static<typeof RootKey>;

/** Whoever signs without a key: under certificates that a sigstore instance gives to exactly this identity. */
export const RootIdentity = Closed({
  keyid: KeyId,
  issuer: Type.String({ pattern: '^https://[!-~]{1,500}$', description: 'of the identity token' }),
  san: Type.String({ pattern: '^[!-~]{1,500}$', description: 'the name in the certificate, exactly' }),
  person: Person,
  notBefore: Instant,
  notAfter: Instant,
});
export type RootIdentity = Static<typeof RootIdentity>;

/** What an identity is called where a key would be. */
export function identityKeyId({ issuer, san }: Pick<RootIdentity, 'issuer' | 'san'>): string {
  return digestOf({ identity: 'sigstore/v1', issuer, san });
}

/** Only what is taken back or approved by many: never the root itself, a lock or a verdict. */
export const KEYLESS_ROLES = ['approver', 'revoker'] as const;

const Keyless = Closed({
  /** The trusted root of the one instance whose certificates count: its file, in base64. */
  trustedRoot: Type.Intersect([Base64, Type.String({ maxLength: 200_000 })]),
  identities: Type.Array(RootIdentity, { minItems: 1, maxItems: 1000 }),
});

const Role = Closed({
  keyids: Type.Array(KeyId, { maxItems: 10_000, uniqueItems: true }),
  threshold: Type.Integer({ minimum: 1, maximum: 100 }),
});

/** The transparency log: whose signature a checkpoint takes, and how many witnesses have to have seen it. */
const LogRole = Closed({
  /** The name that checkpoints begin with and log keys sign under. */
  origin: Type.String({ pattern: '^[^\\s+]{1,200}$' }),
  /** More than one while a key is being replaced. */
  keys: Type.Array(NoteKey, { minItems: 1, maxItems: 8, uniqueItems: true }),
  witnesses: Type.Array(NoteKey, { maxItems: 32, uniqueItems: true }),
  /** Cosignatures that a checkpoint has to carry. */
  threshold: Type.Integer({ minimum: 0, maximum: 32 }),
});
export type LogRole = Static<typeof LogRole>;

export const Root = Closed({
  lockkeeper: Type.Literal('root/v1'),
  version: Type.Integer({ minimum: 1 }),
  issuedAt: Instant,
  expires: Instant,
  /** True when one approval is enough: for trying Lockkeeper out, never for use. */
  trial: Type.Boolean(),
  keys: Type.Array(RootKey, { maxItems: 10_000 }),
  roles: Closed({ root: Role, approver: Role, lock: Role, scanner: Role, revoker: Role }),
  log: LogRole,
  /** The longest that locks and approvals may live under this root. */
  lifetimes: Closed({
    lockHours: Type.Integer({ minimum: 1, maximum: 336 }),
    approvalDays: Type.Integer({ minimum: 1, maximum: 366 }),
    /** By environment: hours that a server which runs already may go on after its lock ended. Not named: none. */
    graceHours: Type.Record(Environment, Type.Integer({ minimum: 0, maximum: 72 }), {
      additionalProperties: false,
    }),
  }),
  /** By project: locks below this version are refused, whatever else they carry. */
  minLockVersions: Type.Record(Type.String({ minLength: 1, maxLength: 200 }), Type.Integer({ minimum: 1 })),
  /** Digests of the trust roots of package signatures (sigstore, GitHub, npm), by name. */
  trustRoots: Type.Record(Type.String({ pattern: '^[a-z0-9-]{1,64}$' }), Digest),
  /** Absent: everybody signs with a key. */
  keyless: Type.Optional(Keyless),
});
export type Root = Static<typeof Root>;

/** Keys and identities alike. */
export function holdersOf({ keys, keyless }: Root): readonly (RootKey | RootIdentity)[] {
  return [...keys, ...(keyless?.identities ?? [])];
}

export type RoleName = keyof Root['roles'];

/** What a registry or a machine pinned: keys/pin.json. */
export const RootPinFile = Closed({
  lockkeeper: Type.Literal('root-pin/v1'),
  /** The one registry that it is for; without it, whichever a project names. */
  registry: Type.Optional(Type.String({ pattern: '^https?://', maxLength: 500 })),
  rootKeys: Type.Array(KeyId, { minItems: 1, maxItems: 20, uniqueItems: true }),
  threshold: Type.Integer({ minimum: 1, maximum: 20 }),
});
