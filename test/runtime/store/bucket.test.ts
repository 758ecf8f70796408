/** A bucket over a real S3 wire that verifies every signature by itself. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBucket } from '../../../runtime/store/bucket.ts';
import { bucketAt } from '../../../runtime/store/bucket-setting.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { refusal } from '../../helpers/machine.ts';
import { type S3, startS3 } from '../../helpers/s3.ts';
import { tempDir } from '../../helpers/session.ts';

const PLACE = 's3://acme-log/lock/keeper';

describe('a bucket', () => {
  let s3: S3;
  beforeEach(async () => {
    s3 = await startS3();
  });
  afterEach(() => s3.close());

  const open = (change: Record<string, string> = {}, requestMs?: number): ReturnType<typeof openBucket> =>
    openBucket(
      bucketAt(PLACE, { ...s3.environment, ...change }),
      requestMs === undefined ? {} : { requestMs },
    );

  it('is written and read under its prefix, with signatures that another reading of the rules accepts', async () => {
    const bucket = open();
    expect(await bucket.read('checkpoint')).toBeNull();
    expect(await bucket.write('checkpoint', 'grüße\n', null)).toBe(true);
    expect(await bucket.read('checkpoint')).toMatchObject({ text: 'grüße\n' });
    expect([...s3.objects.keys()]).toEqual(['lock/keeper/checkpoint']);
  });

  it('takes a session token, and one of a file that is written anew while it runs', async () => {
    await s3.close();
    s3 = await startS3({ sessionToken: 'a+b/c==' });
    expect(await open().write('one', 'x', null)).toBe(true);
    const file = join(tempDir(), 'credentials');
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, ...rest } = s3.environment;
    const text = (token: string): string =>
      `[other]\naws_access_key_id = X\naws_secret_access_key = Y\n\n[log]\naws_access_key_id=${id}\naws_secret_access_key = ${secret}\naws_session_token = ${token}\n`;
    writeFileSync(file, text('old'));
    const bucket = openBucket(
      bucketAt(PLACE, { ...rest, AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'log' }),
    );
    expect((await refusal(bucket.read('one'))).message).toContain('InvalidToken');
    writeFileSync(file, text('a+b/c=='));
    expect(await bucket.read('one')).toMatchObject({ text: 'x' });
  });

  it('writes nothing over what it did not read', async () => {
    const bucket = open();
    expect(await bucket.write('one', 'mine', null)).toBe(true);
    expect(await bucket.write('one', 'other', null)).toBe(false);
    const read = await bucket.read('one');
    s3.put('lock/keeper/one', 'theirs');
    expect(await bucket.write('one', 'mine again', read)).toBe(false);
    expect(s3.objects.get('lock/keeper/one')?.text).toBe('theirs');
    expect(await bucket.write('one', 'mine again', await bucket.read('one'))).toBe(true);
  });

  it('lists all pages, and keys under its prefix alone', async () => {
    await s3.close();
    s3 = await startS3({ pageSize: 3 });
    for (let n = 1; n <= 11; n++) s3.put(`lock/keeper/checkpoints/${n}`, 'x');
    s3.put('lock/keeper/checkpoint', 'x');
    s3.put('checkpoints/99', 'x');
    expect((await open().list('checkpoints/')).map(Number).sort((a, b) => a - b)).toEqual(
      [...Array(11).keys()].map((n) => n + 1),
    );
    expect(s3.requests).toHaveLength(4);
  });

  it('is read as nobody where there are no credentials, and not written', async () => {
    await s3.close();
    s3 = await startS3({ open: true });
    s3.put('lock/keeper/one', 'x');
    const { AWS_ENDPOINT_URL_S3 } = s3.environment;
    const bucket = openBucket(bucketAt(PLACE, { AWS_ENDPOINT_URL_S3 }));
    expect(await bucket.read('one')).toMatchObject({ text: 'x' });
    expect(await refusal(bucket.write('two', 'y', null))).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(s3.objects.size).toBe(1);
  });

  it.each<[string, Record<string, string>, string]>([
    ['another secret', { AWS_SECRET_ACCESS_KEY: 'another-secret-of-a-person' }, 'SignatureDoesNotMatch'],
    ['a key nobody knows', { AWS_ACCESS_KEY_ID: 'AKIAOTHER' }, 'InvalidAccessKeyId'],
    ['another region', { AWS_REGION: 'us-east-1' }, 'AuthorizationHeaderMalformed'],
  ])('is refused with %s, and says so without a secret', async (_, change, said) => {
    const error = await refusal(open(change).write('one', 'x', null));
    expect(error).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(error.message).toContain(said);
    for (const secret of [...Object.values(change), s3.environment.AWS_SECRET_ACCESS_KEY ?? '-'])
      if (secret.length > 12) expect(JSON.stringify(error) + error.message).not.toContain(secret);
    expect(s3.objects.size).toBe(0);
  });

  it('is asked again while it is busy, twice, and what was written unheard is not written over', async () => {
    let left = 2;
    s3.before = () => (left-- > 0 ? { status: 503, body: '<Error><Code>SlowDown</Code></Error>' } : null);
    expect(await open().write('one', 'x', null)).toBe(true);
    left = 9;
    const error = await refusal(open().read('one'));
    expect(error).toMatchObject({ code: 'PUBLISHED_UNREACHABLE' });
    expect(error.message).toContain('503 SlowDown');
    expect(left).toBe(6);
  });

  it.each<[string, (s3: S3) => void, string]>([
    ['never answers', (at) => void (at.before = () => 'silent'), 'PUBLISHED_UNREACHABLE'],
    ['has no end', (at) => at.put('lock/keeper/one', 'x'.repeat(70_000)), 'PUBLISHED_REFUSED'],
    [
      'is not there',
      (at) => void (at.before = () => ({ status: 404, body: '<Code>NoSuchBucket</Code>' })),
      'PUBLISHED_REFUSED',
    ],
    [
      'answers with other text',
      (at) => void (at.before = () => ({ status: 403, body: '<Code>\u001b[2J</Code>' })),
      'PUBLISHED_REFUSED',
    ],
  ])('that %s is told and not waited for', async (_, make, code) => {
    make(s3);
    const began = Date.now();
    const error = await refusal(open({}, 150).read('one'));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain('\u001b');
    expect(Date.now() - began).toBeLessThan(5_000);
  });

  it('leads nowhere else', async () => {
    let asked = 0;
    const other = createServer((_, response) => {
      asked++;
      response.end('x');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address() as { port: number };
    s3.before = () => ({ status: 301, headers: { location: `http://127.0.0.1:${address.port}/` } });
    const error = await refusal(open().read('one'));
    expect(error).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(error.message).toContain('AWS_REGION');
    expect(asked).toBe(0);
    other.close();
  });
});

describe('the place of a bucket', () => {
  const fine = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' };

  it('is an address in path style, over TLS', () => {
    expect(bucketAt('s3://acme-log', fine)).toMatchObject({
      address: 'https://s3.eu-central-1.amazonaws.com/acme-log',
      prefix: '',
    });
    const own = { ...fine, AWS_ENDPOINT_URL: 'https://minio.example:9000/' };
    expect(bucketAt('s3://acme-log/a/b/', own)).toMatchObject({
      address: 'https://minio.example:9000/acme-log',
      prefix: 'a/b/',
    });
  });

  it.each<[string, string, Record<string, string>]>([
    ['no bucket', 's3://', fine],
    ['a step upwards', 's3://acme-log/../other', fine],
    ['a step of three', 's3://acme-log/a/.../b', fine],
    ['a question', 's3://acme-log/a?b', fine],
    ['capitals', 's3://ACME', fine],
    ['no region', 's3://acme-log', { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'B' }],
    ['a region that leads elsewhere', 's3://acme-log', { ...fine, AWS_REGION: 'x.evil.example/' }],
    ['an address in the clear', 's3://acme-log', { ...fine, AWS_ENDPOINT_URL: 'http://minio.example:9000' }],
    [
      'an address with a secret',
      's3://acme-log',
      { ...fine, AWS_ENDPOINT_URL: 'https://me:pw-hidden@minio.example' },
    ],
    ['half of the credentials', 's3://acme-log', { AWS_REGION: 'eu', AWS_ACCESS_KEY_ID: 'A' }],
  ])('is refused with %s', (_, place, environment) => {
    let error: unknown = null;
    try {
      bucketAt(place, environment);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(LockkeeperError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((error as Error).message).not.toContain('pw-hidden');
  });

  it('says what a file of credentials lacks, and nothing of what is in it', async () => {
    const file = join(tempDir(), 'credentials');
    writeFileSync(file, '[default]\naws_access_key_id = AKIAHIDDEN\n');
    const { credentials } = bucketAt('s3://acme-log', {
      AWS_REGION: 'eu',
      AWS_SHARED_CREDENTIALS_FILE: file,
    });
    const error = await refusal(credentials?.() ?? Promise.resolve());
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error.message).not.toContain('AKIAHIDDEN');
  });
});
