/**
 * A sigstore instance of the tests' own on loopback: certificate authority with its certificate log, transparency log and
 * timestamp authority, of the library's own stand-ins, and the trusted root that names them.
 */
import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  fulcioHandler,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  tsaHandler,
} from '@sigstore/mock';
import { HashAlgorithm, PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs';

export interface Sigstore {
  readonly url: string;
  readonly trustedRoot: Buffer;
  /** What came in, by path. */
  readonly asked: string[];
  close(): Promise<void>;
}

type Handler = (body: string) => Promise<{
  readonly statusCode: number;
  readonly response: string | ArrayBufferView;
}>;

/** Its clock is the process's: a test that needs another time sets that. */
export async function startSigstore(): Promise<Sigstore> {
  const pair = (): { publicKey: KeyObject; privateKey: KeyObject } =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [ctKeys, logKeys] = [pair(), pair()];
  const ctlog = await initializeCTLog(ctKeys);
  const ca = await initializeCA(pair(), ctlog);
  const tlog = await initializeTLog('https://log.sigstore.test', logKeys);
  const tsa = await initializeTSA(pair());
  const handlers = new Map<string, Handler>([
    ['/api/v2/signingCert', fulcioHandler(ca).fn],
    ['/api/v1/timestamp', (body) => stamped(tsaHandler(tsa).fn, body)],
    ['/api/v1/log/entries', async (body) => entered(await tlog.log(asLogged(JSON.parse(body))))],
  ]);
  const asked: string[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const path = request.url ?? '';
      asked.push(path);
      const answer = handlers.get(path)?.(Buffer.concat(parts).toString('utf8'));
      void (answer ?? Promise.resolve({ statusCode: 404, response: '' })).then((made) => {
        const json = typeof made.response === 'string';
        response.writeHead(made.statusCode, {
          'content-type': json ? 'application/json' : 'application/timestamp-reply',
        });
        response.end(json ? made.response : Buffer.from(made.response as Uint8Array));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const start = new Date(Date.now() - 3_600_000);
  const log = (key: KeyObject): object => {
    const rawBytes = key.export({ format: 'der', type: 'spki' });
    return {
      baseUrl: 'https://log.sigstore.test',
      hashAlgorithm: HashAlgorithm.SHA2_256,
      publicKey: {
        rawBytes: rawBytes.toString('base64'),
        keyDetails: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256,
        validFor: { start: start.toISOString() },
      },
      logId: { keyId: createHash('sha256').update(rawBytes).digest('base64') },
    };
  };
  const authority = (...chain: ArrayBufferView[]): object => ({
    subject: { organization: 'sigstore.test', commonName: 'sigstore' },
    uri: 'https://sigstore.test',
    certChain: {
      certificates: chain.map((der) => ({
        rawBytes: new X509Certificate(Buffer.from(der as Uint8Array)).raw.toString('base64'),
      })),
    },
    validFor: { start: start.toISOString() },
  });
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log(logKeys.publicKey)],
    certificateAuthorities: [authority(ca.rootCertificate)],
    ctlogs: [log(ctKeys.publicKey)],
    timestampAuthorities: [authority(tsa.intCertificate, tsa.rootCertificate)],
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trustedRoot: Buffer.from(JSON.stringify(TrustedRoot.toJSON(TrustedRoot.fromJSON(trustedRoot)))),
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The stand-in leaves the last zero of a fraction of a second out, which is no DER: then it is asked again. */
async function stamped(stamp: Handler, body: string): ReturnType<Handler> {
  for (;;) {
    const made = await stamp(body);
    const text = Buffer.from(made.response as Uint8Array).toString('latin1');
    if (!/\d{14}\.\d{1,2}Z/.test(text)) return made;
  }
}

function entered(entry: unknown): { statusCode: number; response: string } {
  return { statusCode: 201, response: JSON.stringify(entry) };
}

interface Proposed {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: { readonly proposedContent: { readonly envelope: string; readonly verifiers: string[] } };
}

/** What the real log keeps of a proposed envelope: digests and signatures, not the payload. */
function asLogged({ apiVersion, kind, spec }: Proposed): object {
  if (kind === 'hashedrekord') return { apiVersion, kind, spec };
  const { envelope, verifiers } = spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope) as {
    payload: string;
    signatures: { sig: string }[];
  };
  const hash = (data: string | Buffer): object => ({
    algorithm: 'sha256',
    value: createHash('sha256').update(data).digest('hex'),
  });
  return {
    apiVersion,
    kind,
    spec: {
      envelopeHash: hash(envelope),
      payloadHash: hash(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }, at) => ({ signature: sig, verifier: verifiers[at] })),
    },
  };
}

/** An identity token as an issuer of CI systems writes it; nobody of the stand-ins verifies its signature. */
export function identityToken(claims: { readonly iss: string; readonly sub: string }): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ aud: 'sigstore', exp: 4_000_000_000, ...claims })}.AAAA`;
}
