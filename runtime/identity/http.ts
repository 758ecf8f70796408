/**
 * One question to an issuer or a token endpoint: bounded in time and size, no redirect followed, nothing unpacked, TLS
 * verified against the public authorities or against `ca` alone.
 */
import { http, https } from '../lazy.ts';

export interface Question {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** With a body it is a POST of a form. */
  readonly form?: URLSearchParams;
  /** Authorities in PEM. */
  readonly ca?: string | undefined;
  readonly maxBytes?: number;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 512 * 1024;

/** Rejects with a plain Error whose message may be shown: it holds nothing that was sent. */
export function ask(question: Question): Promise<Answer> {
  const { url, form, ca } = question;
  const body = form?.toString();
  const headers = {
    accept: 'application/json',
    'accept-encoding': 'identity',
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
    ...question.headers,
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options = { method: body === undefined ? 'GET' : 'POST', headers, signal };
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const what = signal.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : (cause.code ?? cause.message);
      reject(new Error(what, { cause }));
    };
    const sent =
      new URL(url).protocol === 'https:'
        ? https().request(url, { ...options, ...(ca === undefined ? {} : { ca }) })
        : http().request(url, options);
    sent.on('error', fail);
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
