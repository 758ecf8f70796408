/** A key that is not in this file: where it is, and the public half that everything of it is verified with. */
import Type, { type Static } from 'typebox';
import { Closed } from './common.ts';

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

export const KeyReference = Type.Union([AgentReference, CommandReference]);
export type KeyReference = Static<typeof KeyReference>;
