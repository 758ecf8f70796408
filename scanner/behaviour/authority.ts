/**
 * An authority that lives as long as one scan and is believed by one sandbox: with it the way out that leads nowhere can
 * read what is said inside TLS. Its keys stay in memory. Certificates as RFC 5280 4.1 writes them, in DER.
 */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

export interface Authority {
  /** PEM of its own certificate. */
  readonly certificate: string;
  /** For whoever is asked for under that name. */
  contextFor(host: string): SecureContext;
}

const DAY_MS = 86_400_000;
/** Names of hosts that a server may ask for are its own choice. */
const MAX_CONTEXTS = 200;

const SEQUENCE = 0x30;
const SET = 0x31;
const ECDSA_SHA256 = '2a8648ce3d040302';
const COMMON_NAME = '550403';
const BASIC_CONSTRAINTS = '551d13';
const KEY_USAGE = '551d0f';
const ALTERNATIVE_NAME = '551d11';

export function newAuthority(): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = 'a scan';
  const issue = (subject: string, key: KeyObject, extensions: readonly Buffer[]): string =>
    certificate({ issuer: name, subject, key, extensions }, own.privateKey);
  // Signs certificates (bit 5), and is an authority.
  const certifying = [
    extension(BASIC_CONSTRAINTS, der(SEQUENCE, der(0x01, Buffer.from([0xff])))),
    extension(KEY_USAGE, der(0x03, Buffer.from([2, 0x04]))),
  ];
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const contexts = new Map<string, SecureContext>();
  return {
    certificate: issue(name, own.publicKey, certifying),
    contextFor: (host) => {
      const known = contexts.get(host);
      if (known) return known;
      const named = [extension(ALTERNATIVE_NAME, der(SEQUENCE, der(0x82, Buffer.from(host, 'latin1'))))];
      const context = createSecureContext({ key, cert: issue(host.slice(0, 64), leaf.publicKey, named) });
      if (contexts.size < MAX_CONTEXTS) contexts.set(host, context);
      return context;
    },
  };
}

interface Certified {
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certificate({ issuer, subject, key, extensions }: Certified, by: KeyObject): string {
  const algorithm = der(SEQUENCE, oid(ECDSA_SHA256));
  const told = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    // Positive, and never with a needless zero.
    der(0x02, Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
    algorithm,
    named(issuer),
    der(SEQUENCE, time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    named(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, ...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', told, by));
  const base64 = der(SEQUENCE, told, algorithm, signature).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** Tag, length and content (X.690 8.1). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));

function named(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid(COMMON_NAME), der(0x0c, Buffer.from(name)))));
}

function extension(id: string, value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(0x04, value));
}

/** UTCTime to the second, until 2049. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}
