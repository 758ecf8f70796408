/** Where the keys of an issuer come from: what it says of itself, a URL, or a file. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isObject, type Json, type JsonObject } from '../../schemas/common.ts';
import { quote } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';
import { parseStrict } from '../../schemas/json.ts';
import { ask, type Question } from './http.ts';
import { assertSecureUrl, isLoopbackName } from './url.ts';

type From = Pick<Question, 'ca' | 'reach'>;

const MAX_KEYS_BYTES = 512 * 1024;

/** Asks for the key set as it is now. Rejects with an Error whose message says why there is none. */
export function keySetLoader(
  { issuer, keys, ca }: Pick<JwtIssuer, 'issuer' | 'keys' | 'ca'>,
  { dir, pem }: { readonly dir: string; readonly pem: string | undefined },
): () => Promise<Json> {
  if (keys && 'file' in keys) {
    const path = resolve(dir, keys.file);
    return async () => parseStrict(await readFile(path), { maxBytes: MAX_KEYS_BYTES, lenient: true });
  }
  const from = ca === undefined ? {} : { ca: pem };
  if (keys) return () => json(keys.url, from);
  return async () => json(await keysUrl(issuer, from), from);
}

/** The places of OpenID Connect and of RFC 8414, and the one where RFC 8414 puts the former's. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/+$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
    ...(path === '' ? [] : [`${origin}/.well-known/openid-configuration${path}`]),
  ];
}

/** What an issuer says of itself; that it speaks of itself is seen to. Rejects with an Error whose message says why. */
export async function issuerMetadata(issuer: string, from: From): Promise<JsonObject> {
  const places = metadataUrls(issuer);
  let said: Json | null = null;
  for (const [at, place] of places.entries())
    said ??= at + 1 < places.length ? await json(place, from, true) : await json(place, from);
  const metadata = isObject(said) ? said : {};
  // RFC 8414 section 3.3: metadata of another issuer may not be used.
  if (metadata.issuer !== issuer)
    throw new Error(`metadata of the issuer ${quote(textOf(metadata.issuer), 200)}`);
  return metadata;
}

/** Only a text is told in its own words: any other value may have words that cannot be made a text. */
function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : `(${value === undefined ? 'none' : typeof value})`;
}

/** An address out of the metadata of an issuer, which may name none on this machine unless it is there itself. */
export function endpointOf(issuer: string, metadata: JsonObject, name: string): string {
  const url = metadata[name];
  if (typeof url !== 'string') throw new Error(`metadata without ${name}`);
  const { protocol } = assertSecureUrl(url, `the ${name} of an issuer`);
  if (protocol === 'http:' && !isLoopbackName(new URL(issuer).hostname))
    throw new Error(`a ${name} on this machine, from an issuer that is not`);
  return url;
}

/**
 * RFC 9207: whether an answer that says who gave it, or does not, may be one of the issuer that was asked. Compared letter
 * by letter; where the issuer says that it always tells, an answer that does not is not its.
 */
export function isAnswerOf(issuer: string, metadata: JsonObject, iss: string | undefined): boolean {
  const says = metadata.authorization_response_iss_parameter_supported === true;
  return iss === issuer || (iss === undefined && !says);
}

async function keysUrl(issuer: string, from: From): Promise<string> {
  return endpointOf(issuer, await issuerMetadata(issuer, from), 'jwks_uri');
}

function json(url: string, from: From): Promise<Json>;
function json(url: string, from: From, absent: true): Promise<Json | null>;
async function json(url: string, from: From, absent = false): Promise<Json | null> {
  const { status, body } = await ask({ url, ...from, maxBytes: MAX_KEYS_BYTES });
  if (absent && status === 404) return null;
  if (status !== 200) throw new Error(`status ${status} of ${url}`);
  return parseStrict(body, { lenient: true });
}
