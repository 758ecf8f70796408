/** Blobs in a bucket, over the wire of S3, where whoever answers may be anybody. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobs, whereThere } from '../../../runtime/store/blobs.ts';
import {
  type BucketBlobs,
  type BucketBlobsOptions,
  openBucketBlobs,
} from '../../../runtime/store/bucket-blobs.ts';
import { bucketAt } from '../../../runtime/store/bucket-setting.ts';
import { sha256 } from '../../../schemas/json.ts';
import { refusal } from '../../helpers/machine.ts';
import {
  type ByHand,
  type S3,
  type S3Answer,
  type S3Options,
  type S3Request,
  startS3,
} from '../../helpers/s3.ts';
import { tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const HELLO = Buffer.from('hello');
const DIGEST = sha256(HELLO);
const KEY = `lk/${DIGEST.slice(7, 9)}/${DIGEST.slice(9)}`;
const HOUR = 3_600_000;

describe('blobs in a bucket', () => {
  let s3: S3;
  beforeEach(async () => {
    s3 = await startS3({ bucket: 'acme-blobs' });
  });
  afterEach(() => s3.close());

  const open = (options: Partial<BucketBlobsOptions> = {}): BucketBlobs =>
    openBucketBlobs(bucketAt('s3://acme-blobs/lk', s3.environment), { incoming: tempDir(), ...options });
  const restart = async (options: S3Options): Promise<void> => {
    await s3.close();
    s3 = await startS3({ bucket: 'acme-blobs', ...options });
  };
  const asked = (method: string): S3Request[] => s3.requests.filter((request) => request.method === method);
  const age = (key: string, hours: number): void => {
    const there = s3.objects.get(key);
    if (there) s3.objects.set(key, { ...there, modified: Date.now() - hours * HOUR });
  };

  it('have the names that they have in a folder, and are given back as they were', async () => {
    const [blobs, folder] = [open(), await openBlobs(tempDir())];
    expect(await blobs.has(DIGEST)).toBe(false);
    expect(await blobs.put(HELLO)).toEqual(await folder.put(HELLO));
    expect([...s3.objects.keys()]).toEqual([folder.path(DIGEST).replace(folder.dir, 'lk')]);
    expect(await blobs.has(DIGEST)).toBe(true);
    expect(await blobs.get(DIGEST)).toEqual(HELLO);
    const random = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7919) % 251));
    await blobs.put(random);
    expect(await blobs.get(sha256(random))).toEqual(random);
    expect(await refusal(blobs.get(sha256('other')))).toMatchObject({ code: 'ARTIFACT_MISSING' });
    const before = s3.requests.length;
    expect(await refusal(blobs.get('sha256:../../etc'))).toMatchObject({ code: 'ARTIFACT_MISSING' });
    expect(s3.requests).toHaveLength(before);
  });

  it('come out of a file as one body of a known length', async () => {
    const path = join(tempDir(), 'whole');
    const bytes = Buffer.alloc(9 * 1024 * 1024, 'lock');
    writeFileSync(path, bytes);
    const stored = { digest: sha256(bytes), size: bytes.length };
    await open().place(path, stored);
    const [put] = asked('PUT');
    expect(put?.headers).toMatchObject({ 'content-length': String(bytes.length), 'if-none-match': '*' });
    expect(put?.headers['transfer-encoding']).toBeUndefined();
    expect(bytes.equals(await open().get(stored.digest))).toBe(true);
  });

  it('of a file that is not what it was said to be are refused by the bucket', async () => {
    const path = join(tempDir(), 'whole');
    writeFileSync(path, 'other');
    const error = await refusal(open().place(path, { digest: DIGEST, size: HELLO.length }));
    expect(error).toMatchObject({ code: 'BLOBS_REFUSED', exit: 4 });
    expect(s3.objects.size).toBe(0);
  });

  it('are written once, by however many at once, and anew where they are damaged', async () => {
    await Promise.all(Array.from({ length: 8 }, () => open().put(HELLO)));
    expect(s3.objects.size).toBe(1);
    const written = asked('PUT').length;
    await open().put(HELLO);
    expect(asked('PUT')).toHaveLength(written);
    s3.put(KEY, 'hellO');
    expect(await refusal(open().get(DIGEST))).toMatchObject({
      code: 'ARTIFACT_MISMATCH',
      message: expect.stringContaining(sha256('hellO')),
    });
    await open().put(HELLO);
    expect(await open().get(DIGEST)).toEqual(HELLO);
  });

  it('are kept by a server that knows neither conditions nor checksums', async () => {
    await restart({ old: true });
    await open().assertUsable();
    await open().put(HELLO);
    await open().put(HELLO);
    expect(await open().get(DIGEST)).toEqual(HELLO);
    expect([...s3.objects.keys()]).toEqual([KEY]);
  });

  it('are removed when nobody wrote them for long, and not when somebody did just now', async () => {
    const blobs = open();
    await blobs.put(HELLO);
    expect(await blobs.removeOld(DIGEST, 0)).toBe(false);
    age(KEY, 25);
    expect(await blobs.removeOld(DIGEST, 26 * HOUR)).toBe(false);
    await blobs.put(HELLO);
    expect(await blobs.removeOld(DIGEST, 24 * HOUR)).toBe(false);
    expect([...s3.objects.keys()]).toEqual([KEY]);
    age(KEY, 25);
    expect(await blobs.removeOld(DIGEST, 24 * HOUR)).toBe(true);
    expect(await blobs.removeOld(DIGEST, 24 * HOUR)).toBe(false);
    expect(s3.objects.size).toBe(0);
  });

  it('that are written while they are removed are there once both are done', async () => {
    const blobs = open();
    await blobs.put(HELLO);
    age(KEY, 25);
    let writer: Promise<unknown> | null = null;
    let held: (() => void) | null = null;
    // The removal has seen that it is old; the writer comes before it is carried out.
    s3.before = ({ method, key }) => {
      if (method !== 'DELETE' || key !== KEY || writer !== null) return null;
      return (response) => {
        writer = blobs.put(HELLO);
        held = () => {
          s3.objects.delete(KEY);
          response.writeHead(204).end();
        };
      };
    };
    const removed = blobs.removeOld(DIGEST, 24 * HOUR);
    const looked = (): number => asked('HEAD').filter(({ key }) => key.startsWith('lk/removing/')).length;
    await until(() => looked() > 0);
    (held as (() => void) | null)?.();
    expect(await removed).toBe(true);
    await writer;
    expect(await blobs.get(DIGEST)).toEqual(HELLO);
    expect([...s3.objects.keys()]).toEqual([KEY]);
  });

  it('do not wait for a removal whose process died', async () => {
    await open().put(HELLO);
    age(KEY, 25);
    s3.put(`lk/removing/${DIGEST.slice(7)}`, 'x');
    age(`lk/removing/${DIGEST.slice(7)}`, 1);
    await open().put(HELLO);
    expect(await open().removeOld(DIGEST, 24 * HOUR)).toBe(false);
    expect([...s3.objects.keys()]).toEqual([KEY]);
  });

  type Answering = S3Answer | ByHand | 'silent';
  const document = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
  const dripping: ByHand = (response) => {
    response.writeHead(200, { 'content-length': '100000' });
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  };
  const endless: ByHand = (response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  };
  const cut: ByHand = (response) => {
    response.writeHead(200, { 'content-length': '5' });
    response.write('hel');
    setImmediate(() => response.destroy());
  };

  it.each<[string, Answering, string, RegExp]>([
    ['other bytes', { status: 200, body: 'hellO' }, 'ARTIFACT_MISMATCH', /5 bytes with digest/],
    ['nothing', { status: 200, body: '' }, 'ARTIFACT_MISMATCH', /0 bytes/],
    ['fewer', { status: 200, body: 'hell' }, 'ARTIFACT_MISMATCH', /4 bytes/],
    ['more', { status: 200, body: 'hello ' }, 'ARTIFACT_MISMATCH', /6 bytes/],
    ['an error as a success', { status: 200, body: document('Slow') }, 'ARTIFACT_MISMATCH', /Someone/],
    ['part of them', { status: 206, body: 'hello' }, 'BLOBS_REFUSED', /206/],
    ['no end', endless, 'BLOBS_REFUSED', /at most 1000 bytes/],
    ['an end that comes too early', cut, 'BLOBS_UNREACHABLE', /answer at/],
    ['one byte at a time', dripping, 'BLOBS_UNREACHABLE', /no whole answer within 150 ms/],
    ['silence', 'silent', 'BLOBS_UNREACHABLE', /no whole answer within 150 ms/],
    ['no bucket', { status: 404, body: document('NoSuchBucket') }, 'BLOBS_REFUSED', /NoSuchBucket/],
    ['nothing for strangers', { status: 403, body: document('AccessDenied') }, 'BLOBS_REFUSED', /policy/],
    ['too much to do', { status: 503, body: document('SlowDown') }, 'BLOBS_UNREACHABLE', /503 SlowDown/],
    ['letters of a terminal', { status: 400, body: document('\u001b[2J') }, 'BLOBS_REFUSED', /400/],
  ])('that a bucket answers with %s are not taken', async (_, answer, code, said) => {
    await open().put(HELLO);
    s3.before = ({ method }) => (method === 'GET' ? answer : null);
    const error = await refusal(open({ requestMs: 150, maxBytes: 1000 }).get(DIGEST));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(said);
    expect(error.message).not.toContain('\u001b');
  });

  it.each<[string, Answering, string]>([
    [
      'an error as a success',
      { status: 200, body: document('InternalError'), headers: { etag: '"x"' } },
      'BLOBS_REFUSED',
    ],
    ['a page of somebody else', { status: 200, body: '<html>Sign in</html>' }, 'BLOBS_REFUSED'],
    ['no right to write', { status: 403, body: document('AccessDenied') }, 'BLOBS_REFUSED'],
    ['a full disk', { status: 507, body: document('XMinioStorageFull') }, 'BLOBS_UNREACHABLE'],
    ['silence', 'silent', 'BLOBS_UNREACHABLE'],
  ])('that a bucket takes with %s are not believed to be there', async (_, answer, code) => {
    s3.before = ({ method }) => (method === 'PUT' ? answer : null);
    expect(await refusal(open({ requestMs: 150 }).put(HELLO))).toMatchObject({ code });
    expect(s3.objects.size).toBe(0);
  });

  it('are asked for again while the bucket is busy, and what was written unheard counts', async () => {
    let busy = 2;
    s3.before = ({ method, key, body }) => {
      if (method !== 'PUT' || busy-- <= 0) return null;
      s3.put(key, body);
      return { status: 503, body: document('SlowDown') };
    };
    await open().put(HELLO);
    expect(await open().get(DIGEST)).toEqual(HELLO);
    expect(s3.objects.size).toBe(1);
  });

  it('whose bucket does not answer are not taken for absent', async () => {
    s3.before = () => ({ status: 403 });
    expect(await refusal(open().has(DIGEST))).toMatchObject({ code: 'BLOBS_REFUSED' });
    expect(await refusal(open().removeOld(DIGEST, 0))).toMatchObject({ code: 'BLOBS_REFUSED' });
    expect(await refusal(whereThere(open(), DIGEST))).toMatchObject({ code: 'BLOBS_REFUSED' });
    s3.before = () => null;
    expect(await whereThere(open(), DIGEST)).toBeNull();
    s3.put(KEY, 'hellO');
    expect(await whereThere(open(), DIGEST)).toBeNull();
    s3.put(KEY, HELLO);
    expect(await whereThere(open(), DIGEST)).toEqual(HELLO);
  });

  it('go nowhere that a bucket leads to', async () => {
    let reached = 0;
    const other = createServer((_, response) => void response.end(HELLO, () => reached++));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    s3.before = () => ({ status: 307, headers: { location } });
    const calls = [() => open().get(DIGEST), () => open().put(HELLO), () => open().has(DIGEST)];
    for (const call of calls) expect((await refusal(call())).message).toMatch(/307.*AWS_REGION/);
    expect(reached).toBe(0);
    other.close();
  });

  it.each<[string, (request: S3Request) => S3Answer | null, RegExp]>([
    ['write', ({ method }) => (method === 'PUT' ? { status: 403 } : null), /to take probe/],
    ['read', ({ method }) => (method === 'GET' ? { status: 403 } : null), /to give what was written/],
    ['remove', ({ method }) => (method === 'DELETE' ? { status: 403 } : null), /to remove probe/],
    [
      'tell what is not there',
      ({ method, key }) => (method === 'GET' && !s3.objects.has(key) ? { status: 403 } : null),
      /s3:ListBucket/,
    ],
    [
      'keep bytes as they are',
      ({ method }) => (method === 'GET' ? { status: 200, body: 'x' } : null),
      /other bytes/,
    ],
  ])('are not begun with in a bucket that may not %s', async (_, answer, said) => {
    await open().assertUsable();
    expect(s3.objects.size).toBe(0);
    s3.before = answer;
    const error = await refusal(open().assertUsable());
    expect(error).toMatchObject({ code: 'BLOBS_REFUSED' });
    expect(error.message).toMatch(said);
  });
});
