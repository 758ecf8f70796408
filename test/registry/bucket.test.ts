/** Registries that share a database and a bucket, and no disk. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { loadConfig } from '../../registry/config.ts';
import { findRelease } from '../../registry/db/releases.ts';
import { sweepBundles } from '../../registry/mcp-bundles.ts';
import { type Registry, startRegistry } from '../../registry/start.ts';
import { scanJob } from '../../registry/worker.ts';
import { type BucketBlobs, openBucketBlobs } from '../../runtime/store/bucket-blobs.ts';
import { bucketAt } from '../../runtime/store/bucket-setting.ts';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import { seal } from '../../schemas/dsse.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import { refusal } from '../helpers/machine.ts';
import { type Body, servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { type S3, startS3 } from '../helpers/s3.ts';
import { tempDir } from '../helpers/session.ts';
import type { Key } from '../helpers/trust.ts';

const PLACE = 's3://acme-blobs/lk';
const keyOf = (digest: string): string => `lk/${digest.slice(7, 9)}/${digest.slice(9)}`;
const zip = (): Buffer => Buffer.concat([Buffer.from('PK\x03\x04'), randomBytes(3 * 1024 * 1024)]);

describe.each(servers().slice(0, 1))('registries with their blobs in a bucket', (server) => {
  let s3: S3;
  let one: TestRegistry;
  let url: string;
  let reviewers: Key[];
  let incoming: string;
  let tokens: Record<string, string>;
  beforeAll(async () => {
    s3 = await startS3({ bucket: 'acme-blobs' });
    incoming = join(tempDir(), 'incoming');
    const { registry, alice, bob } = await startStaffed(server, { blobs: open() });
    one = registry;
    reviewers = [alice, bob];
    url = await one.app.listen({ host: '127.0.0.1', port: 0 });
    tokens = {
      dave: await one.person('dave', 'publisher'),
      alice: await one.person('alice', 'reviewer'),
      bob: await one.person('bob', 'reviewer'),
      erin: await one.person('erin', 'developer'),
    };
  });
  afterAll(async () => {
    await one.close();
    await s3.close();
  });
  beforeEach(() => void (s3.before = () => null));

  const open = (): BucketBlobs =>
    openBucketBlobs(bucketAt(PLACE, s3.environment), { incoming, requestMs: 2_000 });
  /** Another one, with a disk of its own that has the keys alone. */
  const another = async (data: string): Promise<Registry> => {
    cpSync(join(one.dir, 'keys'), join(data, 'keys'), { recursive: true });
    const { host, user, database } = one.pool.options;
    const config = loadConfig({
      ...s3.environment,
      LOCKKEEPER_BLOBS: PLACE,
      LOCKKEEPER_DATA: data,
      LOCKKEEPER_PORT: '0',
      LOCKKEEPER_ROLE: 'registry',
      LOCKKEEPER_LOG_LEVEL: 'silent',
      DATABASE_URL: `postgres://${user}@/${database}?host=${encodeURIComponent(host ?? '')}`,
    });
    return startRegistry(config, { log: () => undefined });
  };
  const ask = (base: string, as: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`${base}${path}`, {
      headers: { authorization: `Bearer ${tokens[as]}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  const stateOf = async (id: number): Promise<string | undefined> =>
    (await findRelease(one.pool, String(id)))?.state;
  const uploads = async (): Promise<number> =>
    (await one.pool.query('select 1 from bundle_uploads')).rows.length;

  it('publish at one, review and pull at the other', async () => {
    const bundle = zip();
    await openApi(url, tokens.dave ?? '').upload('bundle', bundle);
    expect(s3.objects.get(keyOf(sha256(bundle)))?.bytes.equals(bundle)).toBe(true);
    const id = await one.scanned('dave');
    const data = tempDir();
    const two = await another(data);
    try {
      const report = await ask(two.url, 'alice', `/v1/releases/${id}/report`);
      expect(await report.json()).toMatchObject({ lockkeeper: 'report/v1' });
      for (const { person, key } of reviewers) {
        const shown = await ask(two.url, person, `/v1/releases/${id}/statement`);
        const { statement } = (await shown.json()) as Body;
        statement.predicate.environments = ['development'];
        const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(statement)), [key]);
        expect((await ask(two.url, person, `/v1/releases/${id}/approvals`, { envelope })).status).toBe(200);
      }
      expect(await stateOf(id)).toBe('approved');
      const { closure } = (await (await ask(two.url, 'erin', `/v1/releases/${id}`)).json()) as Body;
      const [digest = ''] = closure.artifacts.map((artifact) => artifact.sha256);
      const pulled = await ask(two.url, 'erin', `/v1/blobs/${digest}`);
      expect(sha256(Buffer.from(await pulled.arrayBuffer()))).toBe(digest);
      expect(readdirSync(data).sort()).toEqual(['keys']);

      const good = s3.objects.get(keyOf(digest))?.bytes ?? Buffer.alloc(0);
      s3.put(keyOf(digest), 'other bytes');
      const bent = await ask(two.url, 'erin', `/v1/blobs/${digest}`);
      expect([bent.status, await bent.json()]).toMatchObject([422, { code: 'ARTIFACT_MISMATCH' }]);
      s3.put(keyOf(digest), good);
      s3.before = () => ({ status: 503 });
      const away = await ask(two.url, 'erin', `/v1/blobs/${digest}`);
      expect([away.status, await away.json()]).toMatchObject([503, { code: 'BLOBS_UNREACHABLE' }]);
      expect((await ask(two.url, 'erin', '/v1/health')).status).toBe(200);
    } finally {
      await two.close();
    }
  });

  it('do not start over a bucket that they may not remove from, nor without credentials', async () => {
    s3.before = ({ method }) => (method === 'DELETE' ? { status: 403 } : null);
    expect(await refusal(another(tempDir()))).toMatchObject({ code: 'BLOBS_REFUSED' });
    const { AWS_ENDPOINT_URL_S3 } = s3.environment;
    expect(() => loadConfig({ AWS_ENDPOINT_URL_S3, LOCKKEEPER_BLOBS: PLACE })).toThrow(/AWS_ACCESS_KEY_ID/);
    expect(() => loadConfig({ ...s3.environment, LOCKKEEPER_BLOBS: '/srv/blobs' })).toThrow(/s3:/);
  });

  it('refuse a bundle while the bucket is away, and keep nothing of it', async () => {
    const bundle = zip();
    s3.before = () => ({ status: 503 });
    expect(await refusal(openApi(url, tokens.dave ?? '').upload('bundle', bundle))).toMatchObject({
      code: 'BLOBS_UNREACHABLE',
    });
    expect([existsSync(incoming) ? readdirSync(incoming) : [], await uploads()]).toEqual([[], 0]);
    s3.before = () => null;
    await openApi(url, tokens.dave ?? '').upload('bundle', bundle);
    expect(s3.objects.has(keyOf(sha256(bundle)))).toBe(true);
  });

  it('scan again what was not stored, and reject nothing for it', async () => {
    const { body } = await one.submit('dave', submissionOf('2.0.0'));
    s3.before = ({ method }) => (method === 'PUT' ? { status: 403 } : null);
    const error = await refusal(scanJob(String(body.id), { attempts: 1, max_attempts: 3 }, one.deps));
    expect(error.code).toBe('BLOBS_REFUSED');
    expect(await stateOf(body.id)).toBe('submitted');
    s3.before = () => null;
    await scanJob(String(body.id), { attempts: 2, max_attempts: 3 }, one.deps);
    expect(await stateOf(body.id)).toBe('in_review');
  });

  it('sweep bundles that nothing names out of it, once for all of them', async () => {
    await one.pool.query('delete from bundles');
    const [old, fresh] = [zip(), zip()].map((bytes) => ({ bytes, digest: sha256(bytes) }));
    if (!old || !fresh) throw new Error('none');
    for (const { bytes } of [old, fresh]) await openApi(url, tokens.dave ?? '').upload('bundle', bytes);
    const before = s3.objects.size;
    const object = s3.objects.get(keyOf(old.digest));
    const modified = Date.now() - 25 * 3_600_000;
    if (object) s3.objects.set(keyOf(old.digest), { ...object, modified });
    await one.pool.query('update bundles set touched_at = $2 where digest = $1', [
      old.digest,
      new Date(modified),
    ]);
    s3.before = ({ method }) => (method === 'DELETE' ? { status: 403 } : null);
    expect(await refusal(sweepBundles(one.deps))).toMatchObject({ code: 'BLOBS_REFUSED' });
    s3.before = () => null;
    const swept = await Promise.all([sweepBundles(one.deps), sweepBundles(one.deps)]);
    expect(swept.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect([s3.objects.has(keyOf(old.digest)), s3.objects.has(keyOf(fresh.digest))]).toEqual([false, true]);
    expect(s3.objects.size).toBe(before - 1);
  });
});
