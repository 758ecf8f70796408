/**
 * One TLS connection to a remote server, held to what was pinned before a single byte of HTTP goes out. The certificate
 * has to verify and to bear the name; then its key, or the key that issued it, has to be a pinned one.
 */
import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { RemoteLaunch, TlsPins } from '../../schemas/remote.ts';
import type { EgressEvent } from '../ports.ts';
import { addressOf, type Resolve } from './address.ts';

const CONNECT_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;

/** Who answered: SHA-256 of SPKIs. */
export interface TlsIdentity {
  readonly leaf: string;
  /** Of the certificate that signed the leaf, the leaf itself where it signed itself; null when it was not shown. */
  readonly issuer: string | null;
}

export interface Dial {
  readonly launch: Pick<RemoteLaunch, 'url' | 'reach'> & {
    /** Null while nothing is pinned yet: whoever verifies is whom a scan sees. */
    readonly tls: TlsPins | { readonly ca: string | null; readonly leaf: null };
  };
  /** Each connection, durable before it is made or used. A rejection refuses it. */
  readonly record: (event: EgressEvent) => Promise<void>;
  readonly resolve?: Resolve;
}

export interface Dialled {
  readonly socket: TLSSocket;
  readonly identity: TlsIdentity;
  readonly address: string;
}

/** Throws REMOTE_UNREACHABLE, EGRESS_REFUSED, TLS_UNTRUSTED or TLS_IDENTITY_CHANGED. Each refusal is recorded. */
export async function dial({ launch, record, resolve }: Dial): Promise<Dialled> {
  const { hostname, port } = new URL(launch.url);
  const target = { host: hostname, port: Number(port === '' ? 443 : port), via: 'remote' } as const;
  const event = (outcome: EgressEvent['outcome'], reason: string): EgressEvent => ({
    ...target,
    outcome,
    reason: reason.slice(0, 500),
  });
  let socket: TLSSocket | undefined;
  try {
    const address = await addressOf(hostname, launch.reach, resolve);
    await record(event('allowed', `a remote server, ${address}`));
    socket = await secured({ ...target, address }, launch.tls.ca);
    const identity = identityOf(socket);
    if (launch.tls.leaf !== null) assertPinned(hostname, identity, launch.tls);
    return { socket, identity, address };
  } catch (thrown) {
    socket?.destroy();
    const error = asLockkeeperError(thrown);
    await record({ ...event('refused', error.message), code: error.code });
    throw error;
  }
}

function secured(
  { host, address, port }: { host: string; address: string; port: number },
  ca: string | null,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      servername: host,
      ...(ca === null ? {} : { ca }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: true,
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    );
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(failureOf(host, error));
    };
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
      resolve(socket);
    });
  });
}

/** Reasons of a certificate that does not verify; whatever else fails is the network or the other end. */
const CERTIFICATE =
  /^(?:CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|INVALID_|HOSTNAME_|CRL_|PATH_LENGTH)/;

function failureOf(host: string, error: Error & { code?: string }): LockkeeperError {
  const found = quote(`${error.code ?? ''} ${error.message}`.trim(), 200);
  if (CERTIFICATE.test(error.code ?? '')) {
    return new LockkeeperError('TLS_UNTRUSTED', {
      expected: `a certificate of ${host} that verifies`,
      found,
      next: 'If an authority of your own issued it, publish the server with --ca FILE; else do not use it',
      cause: error,
    });
  }
  return new LockkeeperError('REMOTE_UNREACHABLE', {
    expected: `a TLS connection to ${host}`,
    found,
    next: 'Check the network, then try again',
    cause: error,
  });
}

export function spkiOf(certificate: X509Certificate): string {
  return sha256(certificate.publicKey.export({ type: 'spki', format: 'der' }));
}

/** A certificate beside the leaf is not its issuer because it was sent along: it has to have signed it. */
function identityOf(socket: TLSSocket): TlsIdentity {
  // With the issuer as the store knows it where it was not sent along.
  const shown: Partial<DetailedPeerCertificate> = socket.getPeerCertificate(true);
  if (!shown.raw) {
    throw new LockkeeperError('TLS_UNTRUSTED', {
      expected: 'a certificate',
      found: 'none',
      next: 'Do not use it',
    });
  }
  const leaf = new X509Certificate(shown.raw);
  const issuer = shown.issuerCertificate ? new X509Certificate(shown.issuerCertificate.raw) : leaf;
  const signed = leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  return { leaf: spkiOf(leaf), issuer: signed ? spkiOf(issuer) : null };
}

function assertPinned(host: string, { leaf, issuer }: TlsIdentity, pins: TlsPins): void {
  if (pins.leaf.includes(leaf) || (issuer !== null && pins.issuer.includes(issuer))) return;
  const named = [...pins.leaf.map((pin) => `key ${pin}`), ...pins.issuer.map((pin) => `issued by ${pin}`)];
  throw new LockkeeperError('TLS_IDENTITY_CHANGED', {
    expected: `${host} with ${named.join(' or ')}, as reviewed`,
    found: `key ${leaf}, issued by ${issuer ?? 'somebody who was not shown'}`,
    next: 'Ask its operator whether its keys changed. If so, publish a new version of it, which is reviewed again',
  });
}
