/** Fragments that several schemas share. Every object schema of the product is closed: unknown keys are refused. */
import { type Static, type TObject, type TProperties, Type } from './type.ts';

/** A closed object: an unknown key is an error, never dropped. */
export function Closed<P extends TProperties>(properties: P): TObject<P> {
  return Type.Object(properties, { additionalProperties: false });
}

/** SHA-256 of some bytes, lower-case hex. */
export const Digest = Type.String({
  pattern: '^sha256:[0-9a-f]{64}$',
  description: 'SHA-256, lower-case hex',
});
export type Digest = `sha256:${string}`;

/** SHA-512 as npm writes it, converted to hex, so that it can be an in-toto subject digest. */
export const Sha512 = Type.String({ pattern: '^[0-9a-f]{128}$' });

/** RFC 3339 instant in UTC with milliseconds. */
export const Instant = Type.String({
  pattern:
    '^[12]\\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}Z$',
  description: 'an RFC 3339 instant in UTC with milliseconds, such as 2026-11-24T00:00:00.000Z',
});

/** A server name as in the MCP registry: reverse-DNS namespace, one slash, name. */
export const ServerName = Type.String({
  minLength: 3,
  maxLength: 200,
  pattern: '^[a-zA-Z0-9][a-zA-Z0-9.-]*[a-zA-Z0-9]/[a-zA-Z0-9][a-zA-Z0-9._-]*$',
  description: 'a name as in the MCP registry: namespace/name, such as io.github.acme/weather',
});

export const Version = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[0-9A-Za-z][0-9A-Za-z.+_-]*$',
  description: 'an exact version, such as 1.2.3',
});
export const Purl = Type.String({ pattern: '^pkg:[a-z]+/.+@.+$', maxLength: 500 });

/** A person of the organisation: the unit that thresholds count. */
export const Person = Type.String({
  pattern: '^[a-z0-9][a-z0-9._@-]{0,63}$',
  description: 'a name of at most 64 of a-z, 0-9, dot, dash, underscore and @',
});

/** The SHA-256 of a public key's SPKI DER. */
export const KeyId = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });

export const Environment = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
  description: 'an environment of at most 32 of a-z, 0-9 and dash, such as development',
});

/** Names a secret; the server finds it at /run/secrets/NAME, and that path in NAME_FILE. */
export const SecretName = Type.String({
  pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$',
  description: 'the name of a secret, such as API_KEY',
});

/** Any JSON value that came from outside and is carried, not interpreted. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Of what was parsed as JSON: neither a list nor null. */
export function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export const AnyJson = Type.Unsafe<Json>({});
export const AnyObject = Type.Unsafe<JsonObject>({ type: 'object' });

export type Person = Static<typeof Person>;
