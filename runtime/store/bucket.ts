/**
 * A bucket that speaks S3, in as few words as notes need: read, write if nothing was there, write over what was read,
 * list. Requests are signed (SigV4, the body included) for the one address of the setting, and no redirect is followed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AwsV4Signer } from 'aws4fetch';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { readBounded, whyUnanswered } from '../fetched.ts';
import type { BucketSetting } from './bucket-setting.ts';

interface BucketObject {
  readonly text: string;
  /** Names these bytes at this place; empty where the bucket gives none. */
  readonly etag: string;
}

export interface Bucket {
  read(key: string): Promise<BucketObject | null>;
  /** `over`: what was read there, null for nothing. False: something else is there now, and nothing was written. */
  write(key: string, text: string, over: BucketObject | null): Promise<boolean>;
  /** What follows `prefix` in the keys that begin with it. */
  list(prefix: string): Promise<string[]>;
}

/** Milliseconds for one request, its body included; a first failure and a second are tried again. */
const REQUEST_MS = 10_000;
const TRIES = 3;
const BACK_OFF_MS = 200;
/** Bytes of one object, and of a page of keys. */
const MAX_OBJECT = 64 * 1024;
const MAX_PAGE = 2 * 1024 * 1024;
const MAX_KEYS = 1000;
const MAX_PAGES = 1000;
/** Milliseconds for all pages together. */
const LIST_MS = 60_000;

interface Ask {
  readonly method: 'GET' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly maxBytes?: number;
}

interface Answer {
  readonly status: number;
  readonly etag: string;
  readonly text: string;
}

export interface BucketOptions {
  readonly requestMs?: number;
}

/** Each call throws PUBLISHED_UNREACHABLE, PUBLISHED_REFUSED or CONFIG_INVALID for credentials that are not there. */
export function openBucket(setting: BucketSetting, { requestMs = REQUEST_MS }: BucketOptions = {}): Bucket {
  const at = (key: string): URL => new URL(`${setting.address}/${setting.prefix}${key}`);
  const ask = (one: Ask): Promise<Answer> => persistent(setting, () => send(setting, one, requestMs));
  return {
    read: async (key) => {
      const { status, text, etag } = await ask({ method: 'GET', url: at(key) });
      if (status === 200) return { text, etag };
      if (status === 404 && codeOf(text) !== 'NoSuchBucket') return null;
      throw refused(setting, { status, text }, `${setting.place} to give ${quote(key)}`);
    },
    write: async (key, body, over) => {
      const headers = { ...condition(setting, over), 'content-type': 'text/plain; charset=utf-8' };
      const { status, text } = await ask({ method: 'PUT', url: at(key), headers, body });
      if (status === 200 || status === 201 || status === 204) return true;
      const gone = status === 404 && over !== null && codeOf(text) !== 'NoSuchBucket';
      if (status === 412 || status === 409 || gone) return false;
      throw refused(setting, { status, text }, `${setting.place} to take ${quote(key)}`);
    },
    list: (prefix) => listed(setting, prefix, ask),
  };
}

/** Every page or none: a list that breaks off would hide what is newest. */
async function listed(
  setting: BucketSetting,
  prefix: string,
  ask: (one: Ask) => Promise<Answer>,
): Promise<string[]> {
  const begin = `${setting.prefix}${prefix}`;
  const until = Date.now() + LIST_MS;
  const found: string[] = [];
  let token: string | null = null;
  for (let page = 0; page < MAX_PAGES && Date.now() < until; page++) {
    const url = new URL(setting.address);
    url.searchParams.set('list-type', '2');
    url.searchParams.set('prefix', begin);
    if (token !== null) url.searchParams.set('continuation-token', token);
    const answer = await ask({ method: 'GET', url, maxBytes: MAX_PAGE });
    if (answer.status !== 200) throw refused(setting, answer, `${setting.place} to list what is in it`);
    const { keys, next } = pageOf(answer.text);
    if (keys === null || (next !== null && (next === '' || next === token))) throw unlisted(setting);
    for (const key of keys) if (key.startsWith(begin)) found.push(key.slice(begin.length));
    if (next === null) return found;
    token = next;
  }
  throw new LockkeeperError('PUBLISHED_REFUSED', {
    expected: `at most ${MAX_PAGES} pages of keys under ${setting.place}, within ${LIST_MS / 1000} s`,
    found: 'more',
    next: 'Publish under another prefix from now on, and verify against that',
  });
}

/** Keys of one page, null for what is none; `next`: where to go on, null for nowhere, empty where it is not said. */
function pageOf(text: string): { keys: string[] | null; next: string | null } {
  const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => plainOf(key));
  const page = text.includes('<ListBucketResult') && keys.length <= MAX_KEYS;
  const next = /<NextContinuationToken>([^<]+)</.exec(text)?.[1];
  const more = next !== undefined || /<IsTruncated>\s*true\s*</.test(text);
  return { keys: page ? keys : null, next: more ? plainOf(next ?? '') : null };
}

function unlisted({ place }: BucketSetting): LockkeeperError {
  return new LockkeeperError('PUBLISHED_REFUSED', {
    expected: `${place} to list what is in it, as ListObjectsV2 does: ${MAX_KEYS} keys a page, each page once`,
    found: 'another answer',
    next: 'Check AWS_ENDPOINT_URL, and that what serves it speaks ListObjectsV2',
  });
}

/** Nothing there: only if it is still so. Something there: only over those bytes. */
function condition({ place }: BucketSetting, over: BucketObject | null): Record<string, string> {
  if (over === null) return { 'if-none-match': '*' };
  if (over.etag !== '') return { 'if-match': over.etag };
  throw new LockkeeperError('PUBLISHED_REFUSED', {
    expected: `${place} to give an ETag with what is read, so that nothing else is written over`,
    found: 'none',
    next: 'Publish in a bucket that has conditional writes',
  });
}

/** Tries again what may be over soon: no answer, 429 and 5xx. A write that was carried out unheard is then refused as 412. */
async function persistent(setting: BucketSetting, once: () => Promise<Answer>): Promise<Answer> {
  for (let left = TRIES - 1; ; left--) {
    const answer = await once().catch((error: unknown) => {
      if (error instanceof LockkeeperError || left > 0) return error;
      throw unreachable(setting, error);
    });
    if (answer instanceof LockkeeperError) throw answer;
    const { status = 503, text = '' } = (answer ?? {}) as Partial<Answer>;
    if (status !== 429 && status < 500) return answer as Answer;
    if (left === 0) throw unreachable(setting, new Error(`status ${status} ${codeOf(text)}`.trim()));
    await sleep(BACK_OFF_MS * 2 ** (TRIES - 1 - left) * (0.5 + Math.random()));
  }
}

async function send(setting: BucketSetting, ask: Ask, requestMs: number): Promise<Answer> {
  const { method, url, headers: given = {}, body, maxBytes = MAX_OBJECT } = ask;
  const headers = await signed(setting, { method, url, headers: given, body: body ?? '' });
  const signal = AbortSignal.timeout(requestMs);
  const init: RequestInit = { method, headers, signal, redirect: 'manual' };
  const response = await fetch(url, body === undefined ? init : { ...init, body });
  const bytes = await readBounded(response.body, maxBytes);
  if (bytes === null)
    throw new LockkeeperError('PUBLISHED_REFUSED', {
      expected: `at most ${maxBytes} bytes at ${quote(url.pathname, 200)}`,
      found: 'more',
      next: 'Look at what lies there: nothing that Lockkeeper writes is as long',
    });
  return { status: response.status, etag: response.headers.get('etag') ?? '', text: bytes.toString('utf8') };
}

/** The headers with a signature over all of them, method, address and body; as they are for nobody. */
async function signed(
  { region, credentials }: BucketSetting,
  { method, url, headers, body }: Required<Pick<Ask, 'method' | 'url' | 'headers' | 'body'>>,
): Promise<Headers> {
  if (credentials === null) return new Headers(headers);
  const { accessKeyId, secretAccessKey, sessionToken } = await credentials();
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: { ...headers, 'x-amz-content-sha256': sha256(body).slice('sha256:'.length) },
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === null ? {} : { sessionToken }),
    service: 's3',
    region,
  });
  return (await signer.sign()).headers;
}

/** The code of an S3 error document: letters and digits alone, so that nothing else is shown of it. */
function codeOf(text: string): string {
  return /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1] ?? '';
}

function plainOf(text: string): string {
  const names: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => names[name] ?? '');
}

function refused(
  { region }: BucketSetting,
  { status, text }: Pick<Answer, 'status' | 'text'>,
  expected: string,
): LockkeeperError {
  const moved = status >= 300 && status < 400;
  return new LockkeeperError('PUBLISHED_REFUSED', {
    expected,
    found: `status ${status} ${codeOf(text)}`.trim(),
    next: moved
      ? `Set AWS_REGION to where the bucket is; it is not ${region}`
      : 'Check the bucket, its policy, the AWS_ variables and this machine’s clock',
  });
}

function unreachable({ place, address }: BucketSetting, cause: unknown): LockkeeperError {
  return new LockkeeperError('PUBLISHED_UNREACHABLE', {
    expected: `${place} to answer at ${new URL(address).host}`,
    found: quote(whyUnanswered(cause), 200),
    next: 'Check the network and AWS_ENDPOINT_URL; it is tried again',
    cause,
  });
}
