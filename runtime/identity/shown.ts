/** What a request shows of who sends it: one credential, in the one place for it. */
import type { X509Certificate } from 'node:crypto';
import { quote, refusing } from '../../schemas/errors.ts';
import type { Ends } from './behind.ts';
import { type PeerSocket, shownCertificate } from './certificate.ts';

/** The parts of an `IncomingMessage` that are looked at. */
export interface IdentityRequest {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly url?: string | undefined;
  readonly socket: PeerSocket & Ends;
}

export type Shown =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'certificate'; readonly certificate: X509Certificate };

/** Each value of a header, by its name in small letters. */
export function valuesOf({ rawHeaders }: Pick<IdentityRequest, 'rawHeaders'>, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] ?? '';
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[i + 1] ?? '');
  }
  return values;
}

/** Headers by which a proxy tells that somebody else sent the request. */
const RELAYED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** The header by which a proxy says that it sends the request on; undefined where none does. */
export function relayOf(request: Pick<IdentityRequest, 'rawHeaders'>): string | undefined {
  return RELAYED.find((name) => valuesOf(request, name).length > 0);
}

export function isRelayed(request: Pick<IdentityRequest, 'rawHeaders'>): boolean {
  return relayOf(request) !== undefined;
}

/** Throws CREDENTIAL_FORM for several credentials, another scheme, or a token in the URL, where logs would keep it. */
export function shownBy(request: IdentityRequest): Shown {
  const { url = '' } = request;
  const query = url.includes('?') ? new URLSearchParams(url.slice(url.indexOf('?') + 1)) : null;
  if (query && [...query.keys()].some((name) => /^(?:access_token|token|authorization)$/i.test(name)))
    throw form('no credential in the URL', 'one in its query');
  const headers = valuesOf(request, 'authorization');
  const certificate = shownCertificate(request.socket);
  const count = headers.length + (certificate ? 1 : 0);
  if (count > 1) throw form('one credential', `${count} of them`);
  if (certificate) return { kind: 'certificate', certificate };
  const [header] = headers;
  if (header === undefined) return { kind: 'none' };
  const [, token] = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(header) ?? [];
  if (token !== undefined) return { kind: 'bearer', token };
  throw form(
    'Authorization: Bearer and one token',
    `the scheme ${quote(/^[A-Za-z0-9-]{0,20}/.exec(header)?.[0] ?? '')}`,
  );
}

const form = refusing(
  'CREDENTIAL_FORM',
  'Show one credential: a bearer token in the header Authorization, or a client certificate',
);
