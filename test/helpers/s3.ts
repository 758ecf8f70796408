/**
 * A small S3 on loopback: objects of one bucket, conditional writes, checksums, listing in pages. It verifies signatures by its own
 * reading of Signature Version 4, from the request as it came, and refuses what it is not sure of.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface StoredObject {
  readonly text: string;
  readonly bytes: Buffer;
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** SHA-256 in base64, where whoever wrote it sent one. */
  readonly checksum: string | null;
}

export interface S3Request {
  readonly method: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface S3Answer {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** Whatever somebody writes on the wire in the place of an answer. */
export type ByHand = (response: ServerResponse) => void;

export interface S3 {
  readonly url: string;
  readonly objects: Map<string, StoredObject>;
  readonly requests: S3Request[];
  /** Variables of whoever may write. */
  readonly environment: Record<string, string>;
  /** Looks at a request first; null lets it pass, `silent` never answers. */
  before: (request: S3Request) => S3Answer | ByHand | 'silent' | null;
  put(key: string, content: string | Buffer): void;
  close(): Promise<void>;
}

export interface S3Options {
  readonly bucket?: string;
  readonly sessionToken?: string;
  /** Anybody may read and list. */
  readonly open?: boolean;
  readonly pageSize?: number;
  /** Knows neither checksums nor conditions. */
  readonly old?: boolean;
  readonly tls?: ServerOptions;
  readonly port?: number;
}

const KEY_ID = 'AKIATESTTESTTEST';
const SECRET = 'c2VjcmV0IG9mIHRoZSB0ZXN0/+x';
const REGION = 'eu-test-1';
const SKEW_MS = 15 * 60_000;

const sha = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const checksumOf = (data: Buffer): string => createHash('sha256').update(data).digest('base64');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const objectOf = (bytes: Buffer, checksum: string | null): StoredObject => ({
  text: bytes.toString('utf8'),
  bytes,
  etag: `"${createHash('md5').update(bytes).digest('hex')}"`,
  modified: Date.now(),
  checksum,
});
const failed = (status: number, code: string): S3Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});

export async function startS3(options: S3Options = {}): Promise<S3> {
  const { bucket = 'acme-log', tls, sessionToken } = options;
  const objects = new Map<string, StoredObject>();
  const requests: S3Request[] = [];
  const listener = (message: IncomingMessage, response: ServerResponse): void => {
    void readAll(message).then((body) => {
      const url = new URL(message.url ?? '/', 'http://bucket');
      const [, name, ...rest] = url.pathname.split('/');
      const { method = '', headers } = message;
      const request = { method, key: rest.join('/'), query: url.searchParams, headers, body };
      requests.push(request);
      const early = s3.before(request);
      if (early === 'silent') return;
      if (typeof early === 'function') return early(response);
      const refused =
        early ?? (name === bucket ? forbidden(message, request, options) : failed(404, 'NoSuchBucket'));
      const { status, body: text = '', headers: more = {} } = refused ?? carryOut(request, objects, options);
      response.writeHead(status, { 'content-type': 'application/xml', ...more }).end(text);
    });
  };
  const server = tls ? createHttps(tls, listener) : createHttp(listener);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s3: S3 = {
    url,
    objects,
    requests,
    environment: {
      AWS_ENDPOINT_URL_S3: url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: KEY_ID,
      AWS_SECRET_ACCESS_KEY: SECRET,
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
    },
    before: () => null,
    put: (key, content) => void objects.set(key, objectOf(Buffer.from(content), null)),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return s3;
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Null for whoever may: the owner of the key, and anybody who reads where that is open. */
function forbidden(
  message: IncomingMessage,
  { method, query, headers, body }: S3Request,
  { sessionToken, open = false }: S3Options,
): S3Answer | null {
  const { authorization } = headers;
  if (authorization === undefined) return open && method === 'GET' ? null : failed(403, 'AccessDenied');
  const form =
    /^AWS4-HMAC-SHA256 Credential=([A-Z]+)\/(\d{8})\/([a-z0-9-]+)\/s3\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
  const [, keyId, day = '', region, names = '', signature] = form.exec(authorization) ?? [];
  const header = (name: string): string => String(headers[name] ?? '');
  const at = header('x-amz-date');
  const time = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (keyId !== KEY_ID) return failed(403, 'InvalidAccessKeyId');
  if (region !== REGION || !at.startsWith(day)) return failed(400, 'AuthorizationHeaderMalformed');
  if (!(Math.abs(Date.now() - time) < SKEW_MS)) return failed(403, 'RequestTimeTooSkewed');
  if (header('x-amz-security-token') !== (sessionToken ?? '')) return failed(403, 'InvalidToken');
  if (header('x-amz-content-sha256') !== sha(body)) return failed(400, 'XAmzContentSHA256Mismatch');
  const signed = names.split(';');
  const mustSign = ['host', ...Object.keys(headers).filter((name) => /^(x-amz-|if-)/.test(name))];
  if (mustSign.some((name) => !signed.includes(name))) return failed(403, 'AccessDenied');
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const asked = [...query].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort();
  const canonical = [
    method,
    (message.url ?? '').split('?')[0],
    asked.join('&'),
    ...signed.map((name) => `${name}:${header(name).trim()}`),
    '',
    names,
    sha(body),
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [region, 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${SECRET}`, day));
  const expected = hmac(key, ['AWS4-HMAC-SHA256', at, scope, sha(canonical)].join('\n')).toString('hex');
  return signature === expected ? null : failed(403, 'SignatureDoesNotMatch');
}

function carryOut(request: S3Request, objects: Map<string, StoredObject>, options: S3Options): S3Answer {
  const { method, key, headers, body } = request;
  const there = objects.get(key);
  if (method === 'GET' && key === '') return listing(request, objects, options.pageSize ?? 1000);
  if (method === 'GET') return there ? shown(there, request) : failed(404, 'NoSuchKey');
  if (method === 'HEAD') return there ? { ...shown(there, request), body: '' } : { status: 404 };
  if (method === 'DELETE') objects.delete(key);
  if (method === 'DELETE') return { status: 204 };
  if (method !== 'PUT') return failed(405, 'MethodNotAllowed');
  if (headers['content-length'] === undefined) return failed(411, 'MissingContentLength');
  if (options.old && headers['if-none-match'] !== undefined) return failed(501, 'NotImplemented');
  if (headers['if-none-match'] === '*' && there) return failed(412, 'PreconditionFailed');
  const match = headers['if-match'];
  if (match !== undefined && !there) return failed(404, 'NoSuchKey');
  if (match !== undefined && match !== there?.etag) return failed(412, 'PreconditionFailed');
  const checksum = options.old ? undefined : headers['x-amz-checksum-sha256'];
  if (checksum !== undefined && checksum !== checksumOf(body)) return failed(400, 'BadDigest');
  const object = objectOf(body, checksum === undefined ? null : String(checksum));
  objects.set(key, object);
  return { status: 200, headers: { etag: object.etag } };
}

function shown({ bytes, etag, modified, checksum }: StoredObject, { headers }: S3Request): S3Answer {
  const asked = checksum !== null && headers['x-amz-checksum-mode'] === 'ENABLED';
  return {
    status: 200,
    body: bytes,
    headers: {
      etag,
      'content-length': String(bytes.length),
      'last-modified': new Date(modified).toUTCString(),
      ...(asked ? { 'x-amz-checksum-sha256': checksum } : {}),
    },
  };
}

/** Keys in the order of their bytes; where to go on is told in a text that has to be escaped twice over. */
function listing({ query }: S3Request, objects: Map<string, StoredObject>, pageSize: number): S3Answer {
  if (query.get('list-type') !== '2') return failed(400, 'InvalidArgument');
  const prefix = query.get('prefix') ?? '';
  const after = (query.get('continuation-token') ?? '').replace(/^from&\+/, '').replace(/==$/, '');
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, pageSize);
  const more = keys.length > page.length;
  const items = page.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('');
  const next = more ? `<NextContinuationToken>from&amp;+${page.at(-1)}==</NextContinuationToken>` : '';
  return {
    status: 200,
    body: `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>${more}</IsTruncated>${next}${items}</ListBucketResult>`,
  };
}
