/** One POST to a fixed address: no redirect is followed, no answer grows, none is waited for without end. */
import type { IncomingMessage } from 'node:http';
import { http, https } from '../../lazy.ts';
import type { Rendering } from '../formats/render.ts';
import { Undelivered } from './port.ts';

const TIMEOUT_MS = 10_000;
const ANSWER_BYTES = 64 * 1024;
const LONGEST_RETRY_S = 3600;
/** What a receiver says of what it was sent; any other word is about itself, its address or whoever sends. */
const UNFIT: ReadonlySet<number> = new Set([400, 413, 422]);

export interface PostOptions {
  readonly name: string;
  readonly url: string;
  /** Certificates in PEM; null for the system's. */
  readonly ca: Buffer | null;
  readonly timeoutMs?: number;
}

export interface Poster {
  /** Resolves the text of an answer that says yes. */
  post(body: string, headers: Readonly<Record<string, string>>): Promise<string>;
  close(): void;
}

export function poster({ name, url, ca, timeoutMs = TIMEOUT_MS }: PostOptions): Poster {
  const secure = url.startsWith('https:');
  const agent = secure
    ? new (https().Agent)({ keepAlive: true, maxSockets: 4, minVersion: 'TLSv1.2', ...(ca ? { ca } : {}) })
    : new (http().Agent)({ keepAlive: true, maxSockets: 4 });
  const start = (secure ? https() : http()).request;
  return {
    post: (body, headers) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.from(body);
        const signal = AbortSignal.timeout(timeoutMs);
        const all = { ...headers, 'content-length': String(bytes.length) };
        const request = start(url, { method: 'POST', agent, signal, headers: all });
        const fail = (cause: Error): void =>
          reject(
            cause instanceof Undelivered
              ? cause
              : new Undelivered(name, signal.aborted ? `no answer in ${timeoutMs} ms` : cause.message, {
                  cause,
                }),
          );
        request.on('error', fail);
        request.on('response', (answer) => void read(name, answer).then(resolve, fail));
        request.end(bytes);
      }),
    close: () => agent.destroy(),
  };
}

/** Bytes below which a record is not made smaller. */
const LEAST_BYTES = 4096;

/** A record that is too large for its receiver by itself is offered with less of its texts, so that those behind it pass. */
export async function fitting<T>(
  rendering: Rendering,
  count: number,
  send: (rendering: Rendering) => Promise<T>,
): Promise<T> {
  for (let { maxBytes } = rendering; ; maxBytes = Math.floor(maxBytes / 8)) {
    try {
      return await send({ ...rendering, maxBytes });
    } catch (error) {
      const tooLarge = error instanceof Undelivered && error.tooLarge;
      if (!tooLarge || count > 1 || maxBytes <= LEAST_BYTES) throw error;
    }
  }
}

async function read(name: string, answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > ANSWER_BYTES) throw new Undelivered(name, `an answer of more than ${ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const { statusCode = 0, headers } = answer;
  if (statusCode >= 200 && statusCode < 300) return Buffer.concat(chunks).toString('utf8');
  const asked = /^\d{1,9}$/.test(headers['retry-after'] ?? '') ? Number(headers['retry-after']) : 0;
  const found =
    statusCode >= 300 && statusCode < 400 ? `${statusCode}, a redirect` : `an answer ${statusCode}`;
  throw new Undelivered(name, found, {
    tooLarge: statusCode === 413,
    unfit: UNFIT.has(statusCode),
    retryMs: Math.min(asked, LONGEST_RETRY_S) * 1000,
  });
}
