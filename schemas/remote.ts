/** A server that runs elsewhere: where it is reached and who has to answer there. What is pinned is one document. */
import { Closed, Digest } from './common.ts';
import { canonical, sha256 } from './json.ts';
import type { Era } from './surface.ts';
import { type Static, Type } from './type.ts';

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** Names alone: an address has no name that a certificate could be held to. No query, which tends to carry keys. */
const URL_PATTERN = `^https://(?:${LABEL}\\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~%-]*)+$`;

export const RemoteUrl = Type.String({
  pattern: URL_PATTERN,
  maxLength: 400,
  description: 'https://host/path in small letters, without user, query and fragment',
});

const RemoteTransport = Type.Union([Type.Literal('streamable-http'), Type.Literal('http-sse')], {
  description: 'streamable-http: both eras; http-sse: the transport of 2024-11-05',
});
export type RemoteTransport = Static<typeof RemoteTransport>;

const Reach = Type.Union([Type.Literal('public'), Type.Literal('private')], {
  description: 'private: the name may lead to loopback and to private networks; never to metadata',
});

const CaText = Type.String({
  pattern: '^(?:-----BEGIN CERTIFICATE-----\\n(?:[A-Za-z0-9+/=]{1,76}\\n)+-----END CERTIFICATE-----\\n)+$',
  maxLength: 65_536,
  description: 'PEM certificates and nothing else',
});

/**
 * Who may answer. A certificate has to verify and to bear the host's name, and besides its key or the key that issued it
 * has to be one of these. `ca`: trusted instead of the authorities that everybody trusts.
 */
export const TlsPins = Closed({
  leaf: Type.Array(Digest, { maxItems: 8, uniqueItems: true, description: 'SHA-256 of an SPKI' }),
  issuer: Type.Array(Digest, { maxItems: 8, uniqueItems: true, description: 'SHA-256 of an SPKI' }),
  ca: Type.Union([Type.Null(), CaText]),
});
export type TlsPins = Static<typeof TlsPins>;

export const RemoteLaunch = Closed({
  transport: RemoteTransport,
  url: RemoteUrl,
  reach: Reach,
  tls: TlsPins,
});
export type RemoteLaunch = Static<typeof RemoteLaunch>;

/** Which keys a scan is to pin of those that it sees. */
export const PinWish = Type.Union([Type.Literal('leaf'), Type.Literal('issuer')]);
export type PinWish = Static<typeof PinWish>;

/** What a publisher says of a remote server besides its address. */
export const RemoteWish = Closed({
  transport: RemoteTransport,
  reach: Reach,
  pin: Type.Array(PinWish, { minItems: 1, maxItems: 2, uniqueItems: true }),
  ca: Type.Union([Type.Null(), CaText]),
});
export type RemoteWish = Static<typeof RemoteWish>;

/** Where the one artifact of a remote release stands in its closure. */
export const REMOTE_LOCATION = 'remote.json';

/** The bytes that stand for a remote server: what approvals and the closure digest are about. */
export function remoteDocument({ transport, url, reach, tls }: RemoteLaunch, eras: readonly Era[]): Buffer {
  return Buffer.from(
    canonical({ lockkeeper: 'remote/v1', transport, url, reach, tls, eras: [...eras].sort() }),
    'utf8',
  );
}

export function remoteDigest(launch: RemoteLaunch, eras: readonly Era[]): string {
  return sha256(remoteDocument(launch, eras));
}

export function isRemoteSource(source: string): boolean {
  return source.startsWith('https:');
}

/** host:port of an address, as permissions write it. */
export function hostPortOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === '' ? '443' : port}`;
}

export function remotePurl(url: string, version: string): string {
  const { host, pathname } = new URL(url);
  const path = pathname.replace(/^\/+|\/+$/g, '');
  const name = `${host.replace(':', '%3A')}${path === '' ? '' : `/${path}`}`;
  return `pkg:generic/${name}@${version.replaceAll('+', '%2B')}`;
}
