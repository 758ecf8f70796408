/** Client certificates: from the configured authorities alone, and known by exactly one name that is written down. */
import { constants, X509Certificate } from 'node:crypto';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { CertificateUser } from '../../schemas/identity.ts';
import type { Identified } from './identified.ts';
import { openRevoked } from './revoked.ts';

/** What a TLS socket tells of its other end. */
export interface PeerSocket {
  readonly authorized?: boolean;
  readonly authorizationError?: Error | string | null;
  getPeerX509Certificate?(): X509Certificate | undefined;
}

/** What a TLS server takes, so that it asks for certificates and leaves the refusal, a sentence, to `identify`. */
export interface TlsOptions {
  readonly ca: string;
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
  /** A resumed session would tell of the certificate without those that it rests on. */
  readonly secureOptions: number;
}

export interface CertificateWay {
  readonly tls: TlsOptions;
  /**
   * `certificate` is what `shownCertificate` found. Throws CERTIFICATE_INVALID, CERTIFICATE_REVOKED or IDENTITY_UNNAMED, and
   * what says that this cannot be told.
   */
  identify(certificate: X509Certificate, socket: PeerSocket): Promise<Identified>;
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

export function shownCertificate(socket: PeerSocket): X509Certificate | undefined {
  return socket.getPeerX509Certificate?.();
}

export interface CertificateSetting {
  /** The authorities. */
  readonly pem: string;
  readonly users: readonly CertificateUser[];
  /** Files of revocation lists. */
  readonly crl: readonly string[];
}

/** Throws CONFIG_INVALID for what is no authority, for one name with two users, and for what is no list of theirs. */
export async function openCertificates(
  { pem, users, crl }: CertificateSetting,
  now: () => number,
): Promise<CertificateWay> {
  const authorities = authoritiesIn(pem);
  const names = new Map(users.map((user) => [user.san, user]));
  if (names.size < users.length) throw config('each san once', 'one that is there twice');
  const revoked = crl.length > 0 ? await openRevoked(crl, authorities, now) : null;
  const assertStands = async (leaf: X509Certificate, authority: X509Certificate): Promise<void> => {
    for (const certificate of [leaf, authority]) assertDates(certificate, now());
    await revoked?.assertStands(leaf, authority);
  };
  return {
    tls: {
      ca: pem,
      requestCert: true,
      rejectUnauthorized: false,
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    identify: async (certificate, socket) => {
      // TLS judged the chain with the same authorities. Both have to agree, whatever the server was started with.
      if (socket.authorized !== true)
        throw invalid(String(socket.authorizationError ?? 'one that TLS refused'));
      const authority = issuerOf(certificate, authorities);
      await assertStands(certificate, authority);
      const found = namesIn(certificate).flatMap((name) => names.get(name) ?? []);
      const [user] = found;
      if (!user || found.length > 1) throw unnamed(certificate, found.length);
      const caller = { user: user.user, teams: user.teams ?? [], via: 'certificate', actors: [] } as const;
      const principal = JSON.stringify(['certificate', user.san, user.user]);
      const expires = certificate.validToDate.getTime();
      return {
        caller,
        servers: null,
        principal,
        expires,
        assertStands: () => assertStands(certificate, authority),
      };
    },
  };
}

function authoritiesIn(pem: string): X509Certificate[] {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  try {
    const certificates = texts.map((text) => new X509Certificate(text));
    if (certificates.length > 0 && certificates.every(({ ca }) => ca)) return certificates;
  } catch (cause) {
    throw config('certificates in PEM', (cause as Error).message);
  }
  throw config(
    'certificates of authorities in PEM',
    texts.length === 0 ? 'none' : 'one that is no authority',
  );
}

/** Signed by one of the authorities itself; one between it and them is an authority that has to be configured. */
function issuerOf(leaf: X509Certificate, authorities: readonly X509Certificate[]): X509Certificate {
  if (leaf.ca) throw invalid('the certificate of an authority');
  if (leaf.keyUsage !== undefined && !leaf.keyUsage.includes(CLIENT_AUTH))
    throw invalid('one that is not for clients');
  const authority = authorities.find((one) => leaf.checkIssued(one) && leaf.verify(one.publicKey));
  if (!authority) throw invalid('one of another authority');
  return authority;
}

function assertDates({ validFromDate, validToDate, validFrom, validTo }: X509Certificate, now: number): void {
  if (now >= validFromDate.getTime() && now < validToDate.getTime()) return;
  throw invalid(`one that is valid from ${validFrom} to ${validTo}, or of such an authority`);
}

/** Its alternative names as `URI:…`, `email:…`, `DNS:…`. Quoted ones, which hold what could be read as two, count for nothing. */
export function namesIn({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): string[] {
  const entries = (subjectAltName ?? '').match(/[A-Za-z ]+:(?:"(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g) ?? [];
  return [...new Set(entries.map((entry) => entry.trim()).filter((entry) => !entry.includes('"')))];
}

function unnamed(certificate: X509Certificate, count: number): LockkeeperError {
  return new LockkeeperError('IDENTITY_UNNAMED', {
    expected: 'a client certificate with one alternative name that the configuration gives a user',
    found:
      count > 1 ? `${count} such names` : quote(certificate.subjectAltName ?? 'no alternative names', 200),
    next: 'Ask whoever keeps the gateway to name it under certificates.users',
  });
}

function invalid(found: string): LockkeeperError {
  return new LockkeeperError('CERTIFICATE_INVALID', {
    expected: 'a client certificate of the configured authorities, for clients and valid now',
    found: quote(found, 200),
    next: 'Ask whoever keeps the gateway for another one',
  });
}

function config(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `certificates with ${expected}`,
    found: quote(found, 200),
    next: 'Correct the identity configuration of the gateway',
  });
}
