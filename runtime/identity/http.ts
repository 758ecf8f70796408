/**
 * One question to an issuer or a token endpoint: bounded in time and size, no redirect followed, nothing unpacked, TLS
 * verified against the public authorities or against `ca` alone.
 */
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import { http, https } from '../lazy.ts';
import { addressOf, mayReach } from '../remote/address.ts';

export interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With a body it is a POST of a form. */
  readonly form?: URLSearchParams;
  /** The same with a JSON text. */
  readonly json?: unknown;
  /** Authorities in PEM. */
  readonly ca?: string | undefined;
  readonly maxBytes?: number;
  /** Where a stranger named the address: what it may lead to. The name is looked up once, and that address connected to. */
  readonly reach?: RemoteLaunch['reach'] | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 512 * 1024;

/** Rejects with a plain Error whose message may be shown: it holds nothing that was sent. */
export function ask(question: Question): Promise<Answer> {
  const { url, ca, reach } = question;
  const [type, body] = bodyOf(question);
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    ...(body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
    ...question.headers,
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const method = body === undefined ? 'GET' : 'POST';
  const options = { method, headers, signal, ...(reach === undefined ? {} : { lookup: within(reach) }) };
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const what = signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : (cause.code ?? cause.message);
      reject(new Error(what, { cause }));
    };
    const { hostname, protocol } = new URL(url);
    const literal = hostname.replace(/^\[|\]$/g, '');
    // An address is not looked up, and still has to be a place to go to.
    if (reach !== undefined && isIP(literal) !== 0 && !mayReach(literal, reach))
      return reject(new Error(`an address that is no place to go to, ${literal}`));
    const sent =
      protocol === 'https:'
        ? https().request(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : http().request(url, options);
    sent.on('error', fail);
    // Where nobody looks, the connection ends without a word.
    sent.on('upgrade', (_, socket) => {
      socket.destroy();
      fail(new Error('a change to another protocol'));
    });
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', fail);
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        const most = question.maxBytes ?? MAX_BYTES;
        if (size > most) sent.destroy(new Error(`an answer of more than ${most} bytes`));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    sent.end(body);
  });
}

function bodyOf({ form, json }: Question): [string, string | undefined] {
  if (json !== undefined) return ['application/json', JSON.stringify(json)];
  return ['application/x-www-form-urlencoded', form?.toString()];
}

function within(reach: RemoteLaunch['reach']): LookupFunction {
  return (host, { all }, done) => {
    addressOf(host, reach).then(
      (address) =>
        all ? done(null, [{ address, family: isIP(address) }]) : done(null, address, isIP(address)),
      (error: Error) => done(error, ''),
    );
  };
}
