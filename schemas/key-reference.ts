/** A key that is not in this file: where it is, and the public half that everything of it is verified with. */
import { Closed } from './common.ts';
import { Base64 } from './dsse.ts';
import { RootIdentity } from './root.ts';
import { type Static, Type } from './type.ts';

const PublicKey = Type.String({ minLength: 1, maxLength: 1000, description: 'a public key in PEM' });

/** A key that an SSH agent holds; `comment` is what the agent called it. */
export const AgentReference = Closed({
  lockkeeper: Type.Literal('key/v1'),
  kind: Type.Literal('ssh-agent'),
  publicKey: PublicKey,
  comment: Type.String({ maxLength: 200 }),
});
export type AgentReference = Static<typeof AgentReference>;

/** A program and its words; without a shell. The contract is in docs/keys.md. */
export const Words = Type.Array(Type.String({ maxLength: 4096, pattern: '^[^\\u0000]*$' }), {
  minItems: 1,
  maxItems: 64,
  description: 'a program and its words as a JSON array of strings, such as ["sign-with-hsm", "--slot", "1"]',
});

export const CommandReference = Closed({
  lockkeeper: Type.Literal('key/v1'),
  kind: Type.Literal('command'),
  publicKey: PublicKey,
  command: Words,
});
export type CommandReference = Static<typeof CommandReference>;

const Address = Type.String({
  pattern: '^(https://|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])[:/])[!-~]{1,500}$',
  description: 'https, or http on this machine',
});

/** No key at all: an identity that a sigstore instance certifies for each signature. */
export const SigstoreReference = Closed({
  lockkeeper: Type.Literal('key/v1'),
  kind: Type.Literal('sigstore'),
  issuer: RootIdentity.properties.issuer,
  san: RootIdentity.properties.san,
  /** The instance's trusted root, as root.json has it: what signs here has to verify there. */
  trustedRoot: Type.Intersect([Base64, Type.String({ maxLength: 200_000 })]),
  /** Absent: the public instance's. */
  fulcio: Type.Optional(Address),
  rekor: Type.Optional(Address),
  tsa: Type.Optional(Address),
});
export type SigstoreReference = Static<typeof SigstoreReference>;

export const KeyReference = Type.Union([AgentReference, CommandReference, SigstoreReference]);
export type KeyReference = Static<typeof KeyReference>;
