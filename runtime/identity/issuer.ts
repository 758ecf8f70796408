/** Where the keys of an issuer come from: what it says of itself, a URL, or a file. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Json } from '../../schemas/common.ts';
import { quote } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';
import { parseStrict } from '../../schemas/json.ts';
import { ask } from './http.ts';
import { assertSecureUrl, isLoopbackName } from './url.ts';

const MAX_KEYS_BYTES = 512 * 1024;

/** Asks for the key set as it is now. Rejects with an Error whose message says why there is none. */
export function keySetLoader(
  { issuer, keys, ca }: JwtIssuer,
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

/** The places of RFC 8414 and of OpenID Connect. */
function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/+$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

async function keysUrl(issuer: string, from: { ca?: string | undefined }): Promise<string> {
  const [first = '', second = ''] = metadataUrls(issuer);
  const said = (await json(first, from, true)) ?? (await json(second, from));
  const { issuer: name, jwks_uri: url } = (said ?? {}) as { issuer?: unknown; jwks_uri?: unknown };
  // RFC 8414 section 3.3: metadata of another issuer may not be used.
  if (name !== issuer) throw new Error(`metadata of the issuer ${quote(String(name), 200)}`);
  if (typeof url !== 'string') throw new Error('metadata without jwks_uri');
  const { protocol } = assertSecureUrl(url, 'the jwks_uri of an issuer');
  if (protocol === 'http:' && !isLoopbackName(new URL(issuer).hostname))
    throw new Error('a jwks_uri on this machine, from an issuer that is not');
  return url;
}

function json(url: string, from: { ca?: string | undefined }): Promise<Json>;
function json(url: string, from: { ca?: string | undefined }, absent: true): Promise<Json | null>;
async function json(url: string, from: { ca?: string | undefined }, absent = false): Promise<Json | null> {
  const { status, body } = await ask({ url, ...from, maxBytes: MAX_KEYS_BYTES });
  if (absent && status === 404) return null;
  if (status !== 200) throw new Error(`status ${status} of ${url}`);
  return parseStrict(body, { lenient: true });
}
