/**
 * Requests to a bucket that speaks S3. Each is signed (SigV4, the body included) for the one address of the setting, is
 * bounded in time and size, and is tried again where that may help; no redirect is followed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import { type Code, LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { whyUnanswered } from '../fetched.ts';
import type { BucketSetting } from './bucket-setting.ts';

export interface Content {
  /** A Blob of a file is read while it is sent. */
  readonly data: string | Uint8Array<ArrayBuffer> | Blob;
  readonly size: number;
  /** sha256:<hex> of it. */
  readonly digest: string;
}

export interface Ask {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly content?: Content;
  /** Bytes of the answer. */
  readonly maxBytes?: number;
  readonly tries?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** What the bucket is there for: the codes of its failures, and what to look at. */
export interface Purpose {
  readonly unreachable: Code;
  readonly refused: Code;
  /** Milliseconds without progress. Each MiB that goes over adds a second to the time for all. */
  readonly requestMs: number;
}

export interface Wire {
  at(key: string): URL;
  /** Throws `unreachable`, `refused` for an answer without end, and CONFIG_INVALID for credentials that are not there. */
  ask(one: Ask): Promise<Answer>;
  refused(answer: Answer, expected: string): LockkeeperError;
}

/** A first failure and a second are tried again. */
const TRIES = 3;
const BACK_OFF_MS = 200;
const BYTES_PER_MS = 1024 ** 2 / 1000;
/** Bytes of an answer where nothing else is said: notes, and error documents. */
const MAX_ANSWER = 64 * 1024;

export function openWire(setting: BucketSetting, purpose: Purpose): Wire {
  return {
    at: (key) => new URL(`${setting.address}/${setting.prefix}${key}`),
    ask: (one) => persistent(setting, one, purpose),
    refused: (answer, expected) => refused(setting, answer, { expected, code: purpose.refused }),
  };
}

export function contentOf(data: string | Uint8Array): Content {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  return { data: bytes as Uint8Array<ArrayBuffer>, size: bytes.length, digest: sha256(bytes) };
}

/** The code of an S3 error document: letters and digits alone, so that nothing else is shown of it. */
export function codeOf({ bytes }: Pick<Answer, 'bytes'>): string {
  return /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(bytes.toString('utf8', 0, MAX_ANSWER))?.[1] ?? '';
}

/** Tries again what may be over soon: no answer, 429 and 5xx. A write that was carried out unheard is then refused as 412. */
async function persistent(setting: BucketSetting, ask: Ask, purpose: Purpose): Promise<Answer> {
  const tries = ask.tries ?? TRIES;
  for (let made = 1; ; made++) {
    const answer = await send(setting, ask, purpose).catch((error: unknown) => {
      if (error instanceof LockkeeperError) throw error;
      if (made < tries) return null;
      throw unreachable(setting, error, purpose);
    });
    const passing = answer === null || answer.status === 429 || answer.status >= 500;
    // 501: it does not know how, and will not.
    if (answer !== null && (!passing || answer.status === 501)) return answer;
    if (answer !== null && made >= tries)
      throw unreachable(setting, new Error(`status ${answer.status} ${codeOf(answer)}`.trim()), purpose);
    await sleep(BACK_OFF_MS * 2 ** (made - 1) * (0.5 + Math.random()));
  }
}

async function send(
  setting: BucketSetting,
  ask: Ask,
  { requestMs, refused: code }: Purpose,
): Promise<Answer> {
  const { method, url, content, maxBytes = MAX_ANSWER } = ask;
  const headers = await signed(setting, ask);
  const patience = patienceOf(requestMs, content?.size ?? 0);
  try {
    const init: RequestInit = { method, headers, signal: patience.signal, redirect: 'manual' };
    const response = await fetch(url, content === undefined ? init : { ...init, body: content.data });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > maxBytes)
        throw new LockkeeperError(code, {
          expected: `at most ${maxBytes} bytes at ${quote(url.pathname, 200)}`,
          found: 'more',
          next: 'Look at what lies there: nothing that Lockkeeper writes is as long',
        });
      chunks.push(chunk);
      patience.progress(chunk.length);
    }
    return { status: response.status, headers: response.headers, bytes: Buffer.concat(chunks) };
  } finally {
    patience.over();
  }
}

/** Ends what stands still, and what goes on for longer than its bytes are worth. */
function patienceOf(
  requestMs: number,
  sent: number,
): { signal: AbortSignal; progress: (bytes: number) => void; over: () => void } {
  const controller = new AbortController();
  const end = (): void => controller.abort(new Error(`no whole answer within ${requestMs} ms`));
  let until = performance.now() + requestMs + sent / BYTES_PER_MS;
  let timer = setTimeout(end, until - performance.now());
  return {
    signal: controller.signal,
    progress: (bytes) => {
      until += bytes / BYTES_PER_MS;
      clearTimeout(timer);
      timer = setTimeout(end, Math.max(0, Math.min(requestMs, until - performance.now())));
    },
    over: () => clearTimeout(timer),
  };
}

/** The headers with a signature over all of them, method, address and body; as they are for nobody. */
async function signed(
  { region, credentials }: BucketSetting,
  { method, url, headers = {}, content }: Ask,
): Promise<Headers> {
  if (credentials === null) return new Headers(headers);
  const { accessKeyId, secretAccessKey, sessionToken } = await credentials();
  const digest = content?.digest ?? sha256('');
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: { ...headers, 'x-amz-content-sha256': digest.slice('sha256:'.length) },
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === null ? {} : { sessionToken }),
    service: 's3',
    region,
  });
  return (await signer.sign()).headers;
}

function refused(
  { region }: BucketSetting,
  answer: Answer,
  { expected, code }: { readonly expected: string; readonly code: Code },
): LockkeeperError {
  const moved = answer.status >= 300 && answer.status < 400;
  return new LockkeeperError(code, {
    expected,
    found: `status ${answer.status} ${codeOf(answer)}`.trim(),
    next: moved
      ? `Set AWS_REGION to where the bucket is; it is not ${region}`
      : 'Check the bucket, its policy, the AWS_ variables and this machine’s clock',
  });
}

function unreachable(
  { place, address }: BucketSetting,
  cause: unknown,
  { unreachable: code }: Purpose,
): LockkeeperError {
  return new LockkeeperError(code, {
    expected: `${place} to answer at ${new URL(address).host}`,
    found: quote(whyUnanswered(cause), 200),
    next: 'Check the network and AWS_ENDPOINT_URL; it is tried again',
    cause,
  });
}
