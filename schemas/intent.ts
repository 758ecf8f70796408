/** lockkeeper.json: what a project asks for. The lock is its resolution. */
import { Closed, Environment, KeyId, SecretName, ServerName } from './common.ts';
import { type Static, Type } from './type.ts';

export const Alias = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' });

export const IntentServer = Closed({
  server: ServerName,
  range: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'semver range; * is any approved version',
  }),
  args: Type.Optional(Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 64 })),
  /** Sandbox path -> path on this machine, relative to this file. Modes come from the approved permissions. */
  mounts: Type.Optional(
    Type.Record(Type.String({ pattern: '^/' }), Type.String({ minLength: 1, maxLength: 1024 }), {
      additionalProperties: false,
    }),
  ),
  /** Names of variables taken from the caller's environment. */
  env: Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }), { maxItems: 100 }),
  ),
  /** Secret -> where it is: `file:PATH`, relative to this file, or `env`, the variable of the same name. */
  secrets: Type.Optional(
    Type.Record(
      SecretName,
      Type.String({ pattern: '^(?:file:[^\\0]{1,1024}|env)$', description: 'file:PATH or env' }),
      { additionalProperties: false, maxProperties: 32 },
    ),
  ),
});
export type IntentServer = Static<typeof IntentServer>;

export const Intent = Closed({
  lockkeeper: Type.Literal('intent/v1'),
  /** The audience of the lock: one project, one name. */
  project: Type.String({ pattern: '^[a-z0-9][a-z0-9._/-]{0,127}$' }),
  environment: Environment,
  registry: Type.String({ pattern: '^https?://', maxLength: 500 }),
  /** The pinned root: a root.json is trusted when `threshold` of these keys signed it. */
  trust: Closed({
    rootKeys: Type.Array(KeyId, { minItems: 1, maxItems: 20, uniqueItems: true }),
    threshold: Type.Integer({ minimum: 1, maximum: 20 }),
  }),
  /** A lock of this project may live for so many hours, if the root does not already ask for less. */
  maxLockHours: Type.Optional(Type.Integer({ minimum: 1, maximum: 336 })),
  servers: Type.Record(Alias, IntentServer, { additionalProperties: false }),
});
export type Intent = Static<typeof Intent>;

/** The default alias of a server name: its last part without the usual prefix. */
export function aliasOf(serverName: string): string {
  const last = serverName.split('/').at(-1) ?? serverName;
  return last
    .replace(/^(?:mcp-server-|server-|mcp-)/, '')
    .replace(/-mcp(?:-server)?$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '-');
}
