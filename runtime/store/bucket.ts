/** Notes in a bucket, in few words: read, write if nothing was there, write over what was read, list. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { BucketSetting } from './bucket-setting.ts';
import { type Answer, type Ask, codeOf, contentOf, openWire, type Wire } from './bucket-wire.ts';

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

/** Milliseconds for one request. */
const REQUEST_MS = 10_000;
/** Bytes of a page of keys. */
const MAX_PAGE = 2 * 1024 * 1024;
const MAX_KEYS = 1000;
const MAX_PAGES = 1000;
/** Milliseconds for all pages together. */
const LIST_MS = 60_000;

export interface BucketOptions {
  readonly requestMs?: number;
}

/** Each call throws PUBLISHED_UNREACHABLE, PUBLISHED_REFUSED or CONFIG_INVALID for credentials that are not there. */
export function openBucket(setting: BucketSetting, { requestMs = REQUEST_MS }: BucketOptions = {}): Bucket {
  const codes = { unreachable: 'PUBLISHED_UNREACHABLE', refused: 'PUBLISHED_REFUSED' } as const;
  const wire = openWire(setting, { ...codes, requestMs });
  return {
    read: async (key) => {
      const answer: Answer = await wire.ask({ method: 'GET', url: wire.at(key) });
      if (answer.status === 200) return { text: textOf(answer), etag: answer.headers.get('etag') ?? '' };
      if (answer.status === 404 && codeOf(answer) !== 'NoSuchBucket') return null;
      throw wire.refused(answer, `${setting.place} to give ${quote(key)}`);
    },
    write: async (key, text, over) => {
      const headers = { ...condition(setting, over), 'content-type': 'text/plain; charset=utf-8' };
      const ask: Ask = { method: 'PUT', url: wire.at(key), headers, content: contentOf(text) };
      const answer: Answer = await wire.ask(ask);
      const { status } = answer;
      if (status === 200 || status === 201 || status === 204) return true;
      const gone = status === 404 && over !== null && codeOf(answer) !== 'NoSuchBucket';
      if (status === 412 || status === 409 || gone) return false;
      throw wire.refused(answer, `${setting.place} to take ${quote(key)}`);
    },
    list: (prefix) => listed(setting, prefix, wire),
  };
}

/** Every page or none: a list that breaks off would hide what is newest. */
async function listed(setting: BucketSetting, prefix: string, wire: Wire): Promise<string[]> {
  const begin = `${setting.prefix}${prefix}`;
  const until = Date.now() + LIST_MS;
  const found: string[] = [];
  let token: string | null = null;
  for (let page = 0; page < MAX_PAGES && Date.now() < until; page++) {
    const url = new URL(setting.address);
    url.searchParams.set('list-type', '2');
    url.searchParams.set('prefix', begin);
    if (token !== null) url.searchParams.set('continuation-token', token);
    const answer: Answer = await wire.ask({ method: 'GET', url, maxBytes: MAX_PAGE });
    if (answer.status !== 200) throw wire.refused(answer, `${setting.place} to list what is in it`);
    const { keys, next } = pageOf(textOf(answer));
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

function textOf({ bytes }: Answer): string {
  return bytes.toString('utf8');
}

function plainOf(text: string): string {
  const names: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => names[name] ?? '');
}
