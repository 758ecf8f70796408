/** Checkpoints in a bucket and in git: what lies there is never contradicted, and what is cut back gives itself away. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apart } from '../../cli/drill/company.ts';
import { type Publish, publisherOf } from '../../registry/checkpoints/publish.ts';
import { loadConfig } from '../../registry/config.ts';
import { appendEntries } from '../../registry/db/log.ts';
import { withTransaction } from '../../registry/db/pool.ts';
import { bucketAt } from '../../runtime/store/bucket-setting.ts';
import { parseNote, readCheckpoint, readNoteKey, signersOf } from '../../schemas/note.ts';
import { BARE } from '../helpers/bare.ts';
import { here } from '../helpers/here.ts';
import { numberedLog } from '../helpers/log.ts';
import { refusal } from '../helpers/machine.ts';
import { portToKeep } from '../helpers/ports.ts';
import { certificateFor } from '../helpers/receivers.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { type S3, startS3 } from '../helpers/s3.ts';
import { tempDir } from '../helpers/session.ts';
import { until } from '../helpers/wait.ts';
import { makeSigner } from '../helpers/witness.ts';

const PLACE = 's3://acme-log/lk';
const sizeOf = (note: string): number => readCheckpoint(parseNote(note).text).size;

describe('publication in a bucket', () => {
  const signer = makeSigner('log.test/one');
  const log = numberedLog(signer);
  const forked = numberedLog(signer, (index) => (index === 2 ? ' forged' : ''));
  let s3: S3;
  let publish: Publish;
  beforeEach(async () => {
    s3 = await startS3();
    publish = publisherOf({ bucket: bucketAt(PLACE, s3.environment) });
  });
  afterEach(() => s3.close());
  const at = (size: number, from = log): Promise<void> =>
    publish(from.noteAt(size), { proof: async (old, now) => from.proof(old, now), keys: [log.key] });
  const there = (name: string): string | undefined => s3.objects.get(`lk/${name}`)?.text;

  it('keeps each checkpoint and moves the newest forward, with nothing written twice', async () => {
    for (const size of [3, 7, 7]) await at(size);
    expect(there('checkpoint')).toBe(log.noteAt(7));
    expect(there('checkpoints/3')).toBe(log.noteAt(3));
    expect(there('checkpoints/7')).toBe(log.noteAt(7));
    expect(s3.requests.filter(({ method }) => method === 'PUT')).toHaveLength(4);
  });

  it.each<[string, () => Promise<void>, string]>([
    ['a smaller log', () => at(5), 'LOG_ROLLBACK'],
    ['another log of that size', () => at(7, forked), 'LOG_FORK'],
    ['another, larger log', () => at(9, forked), 'LOG_FORK'],
  ])('writes nothing for %s', async (_, attack, code) => {
    await at(7);
    const before = [...s3.objects];
    expect(await refusal(attack())).toMatchObject({ code });
    expect([...s3.objects]).toEqual(before);
  });

  it('writes nothing over what came between its look and its write', async () => {
    await at(3);
    s3.before = ({ method }) => {
      if (method === 'PUT') s3.put('lk/checkpoints/7', forked.noteAt(7));
      return null;
    };
    expect(await refusal(at(7))).toMatchObject({ code: 'LOG_FORK' });
    expect(there('checkpoints/7')).toBe(forked.noteAt(7));
    expect(there('checkpoint')).toBe(log.noteAt(3));
  });

  it('moves the newest only from what it read, so that replicas never set it back', async () => {
    const seen: number[] = [];
    s3.before = () => {
      const now = there('checkpoint');
      if (now !== undefined) seen.push(sizeOf(now));
      return null;
    };
    const twins = Array.from({ length: 4 }, () => publisherOf({ bucket: bucketAt(PLACE, s3.environment) }));
    const one = (size: number): Promise<unknown> =>
      (twins[size % 4] ?? publish)(log.noteAt(size), {
        proof: async (old, now) => log.proof(old, now),
        keys: [log.key],
      }).catch((error: { code: string }) => expect(error.code).toBe('LOG_ROLLBACK'));
    await Promise.all([4, 9, 2, 7, 12, 5, 11, 3].map(one));
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(there('checkpoint')).toBe(log.noteAt(12));
  });

  it('is set by the environment, and refuses to start half set', () => {
    const load = (change: Record<string, string | undefined>): unknown =>
      loadConfig({ ...s3.environment, LOCKKEEPER_PUBLISH: PLACE, ...change }).publish;
    expect(load({})).toMatchObject({ bucket: { place: PLACE, prefix: 'lk/' } });
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
    expect(() => load(none)).toThrow(/AWS_SHARED_CREDENTIALS_FILE/);
    expect(() => load({ LOCKKEEPER_PUBLISH: 's3://' })).toThrow(/expected/);
    expect(() => load({ LOCKKEEPER_PUBLISH: 'gs://acme' })).toThrow(/expected/);
  });
});

describe.each(servers().slice(0, 1))('a log published in a bucket on $name', (server) => {
  let s3: S3;
  let registry: TestRegistry;
  let token: string;
  let url: string;
  let home: string;
  let version = 0;
  beforeEach(async () => {
    s3 = await startS3({ open: true, port: await portToKeep() });
    registry = await startTestRegistry(server, { publish: { bucket: bucketAt(PLACE, s3.environment) } });
    await registry.person('dave', 'publisher');
    token = await registry.person('eve', 'developer');
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    home = tempDir();
  });
  afterEach(async () => {
    await registry.close();
    await s3.close();
  });

  const there = (name: string): string | undefined => s3.objects.get(`lk/${name}`)?.text;
  const grow = async (): Promise<number> => {
    await registry.submit('dave', submissionOf(`2.0.${version++}`));
    const { size } = await registry.deps.checkpoints.newest();
    return size;
  };
  const grown = async (): Promise<number> => {
    const size = await grow();
    await until(() => there('checkpoint') !== undefined && sizeOf(there('checkpoint') ?? '') === size);
    return size;
  };
  const verify = (
    against: string,
    more: Record<string, string> = s3.environment,
  ): Promise<{ exit: number; data: Record<string, unknown> }> =>
    // Node reads its authorities as it starts.
    ('NODE_EXTRA_CA_CERTS' in more ? apart : here)(['log', 'verify', '--json', '--against', against], {
      cwd: process.cwd(),
      env: {
        ...BARE,
        LOCKKEEPER_HOME: home,
        LOCKKEEPER_TOKEN: token,
        LOCKKEEPER_REGISTRY: url,
        LOCKKEEPER_ROOT_KEYS: registry.keys.pin.rootKeys.join(','),
        ...more,
      },
    });
  const rewrite = async (change: (entries: Buffer[]) => Buffer[]): Promise<void> => {
    const { rows } = await registry.pool.query<{ entry: Buffer }>(
      'select entry from log_entries order by index',
    );
    for (const table of ['log_entries', 'log_nodes', 'log_checkpoints', 'log_cosignatures']) {
      await registry.pool.query(`alter table ${table} disable trigger all`);
      await registry.pool.query(`delete from ${table}`);
    }
    await withTransaction(registry.pool, (client) =>
      appendEntries(client, change(rows.map(({ entry }) => entry))),
    );
  };
  const events = async (): Promise<string[]> =>
    (
      await registry.pool.query<{ action: string }>(
        `select action from events where subject = 'log' order by id`,
      )
    ).rows.map(({ action }) => action);

  it('is continued by what the registry shows, whether it is read as the bucket or at its address', async () => {
    await grown();
    await grown();
    expect(await verify(PLACE)).toMatchObject({ exit: 0, data: { conclusion: 'ok', continues: 3 } });
    const { AWS_ENDPOINT_URL_S3 = '' } = s3.environment;
    expect(await verify(PLACE, { AWS_ENDPOINT_URL_S3 })).toMatchObject({ exit: 0 });
    expect(await verify(`${s3.url}/acme-log/lk`, {})).toMatchObject({ exit: 0, data: { continues: 2 } });
    expect(await verify(`${s3.url}/acme-log/none`, {})).toMatchObject({ exit: 2 });
  });

  it('gives away a log that was cut back or rewritten, and is left as it is', async () => {
    await grown();
    await grown();
    const before = [...s3.objects];
    await rewrite((entries) => entries.slice(0, -1));
    await registry.deps.checkpoints.refresh();
    await until(async () => (await events()).includes('log.unpublished'));
    expect(await verify(PLACE)).toMatchObject({
      exit: 3,
      data: { conclusion: 'misbehaviour', code: 'LOG_ROLLBACK' },
    });
    await rewrite((entries) => [...entries, Buffer.from('{"forged":1}'), Buffer.from('{"forged":2}')]);
    await registry.deps.checkpoints.refresh();
    expect(await verify(PLACE)).toMatchObject({
      exit: 3,
      data: { conclusion: 'misbehaviour', code: 'LOG_FORK' },
    });
    expect(await verify(`${s3.url}/acme-log/lk`, {})).toMatchObject({ exit: 3, data: { code: 'LOG_FORK' } });
    expect([...s3.objects]).toEqual(before);
  });

  it('is continued under another log key as well, and a key of nobody accuses nobody', async () => {
    await registry.person('root', 'admin');
    await grown();
    for (let n = 0; n < 2; n++) {
      const { status } = await registry.call('root', 'POST', '/v1/keys/rotate', { role: 'log' });
      expect(status).toBe(200);
    }
    const { root } = (await registry.deps.trust.current()).trusted;
    const [first = ''] = [...s3.objects.values()].map(({ text }) => text);
    expect(root.log.keys.some((key) => signersOf(parseNote(first), [readNoteKey(key)])?.size)).toBe(false);
    await grown();
    expect(await verify(PLACE)).toMatchObject({ exit: 0, data: { conclusion: 'ok' } });
    // Somebody's own key over another history in the log's name: refused, and the log is not said to be rewritten.
    const forger = makeSigner(root.log.origin);
    s3.put('lk/checkpoints/1', numberedLog(forger).noteAt(1));
    expect(await verify(PLACE)).toMatchObject({ exit: 3, data: { error: { code: 'LOG_SIGNATURE' } } });
  });

  it('is missed where somebody takes checkpoints away', async () => {
    const size = await grown();
    expect(await verify(PLACE)).toMatchObject({ exit: 0 });
    const newest = there(`checkpoints/${size}`) ?? '';
    await grown();
    const last = (await registry.deps.checkpoints.newest()).size;
    expect(await verify(PLACE)).toMatchObject({ exit: 0 });
    // Only the kept one: `checkpoint` still names it.
    s3.objects.delete(`lk/checkpoints/${last}`);
    expect(await verify(PLACE)).toMatchObject({ exit: 3, data: { error: { code: 'PUBLISHED_SHRANK' } } });
    // All traces of it: this machine remembers.
    s3.put('lk/checkpoint', newest);
    expect(await verify(PLACE)).toMatchObject({ exit: 3, data: { error: { code: 'PUBLISHED_SHRANK' } } });
  });

  it('holds no lock up while the bucket is silent or away, says so once, and is made good', async () => {
    await grown();
    s3.before = () => 'silent';
    const began = Date.now();
    for (let n = 0; n < 5; n++) {
      const size = await grow();
      expect((await registry.deps.checkpoints.witnessed(size)).size).toBe(size);
    }
    expect(Date.now() - began).toBeLessThan(15_000);
    const port = Number(new URL(s3.url).port);
    const { objects } = s3;
    await s3.close();
    await until(async () => (await events()).includes('log.unpublished'));
    for (let n = 0; n < 3; n++) await registry.deps.checkpoints.refresh();
    s3 = await startS3({ open: true, port });
    for (const [key, { text }] of objects) s3.put(key, text);
    await sleep(1_500);
    await registry.deps.checkpoints.refresh();
    const { size } = await registry.deps.checkpoints.newest();
    await until(() => there(`checkpoints/${size}`) !== undefined);
    await until(async () => (await events()).at(-1) === 'log.published');
    expect(await events()).toEqual(['log.unpublished', 'log.published']);
  });

  it('is not believed over TLS of a stranger, nor in other words than a checkpoint’s', async () => {
    const { caFile, cert, key } = certificateFor('127.0.0.1');
    const tls = await startS3({ tls: { cert, key } });
    await grown();
    for (const [name, { text }] of s3.objects) tls.put(name, text);
    try {
      expect(await verify(PLACE, tls.environment)).toMatchObject({
        exit: 4,
        data: { error: { code: 'PUBLISHED_UNREACHABLE' } },
      });
      expect(tls.requests).toEqual([]);
      const known = { ...tls.environment, NODE_EXTRA_CA_CERTS: caFile };
      expect(await verify(PLACE, known)).toMatchObject({ exit: 0 });
      tls.put('lk/checkpoint', 'no note');
      expect(await verify(PLACE, known)).toMatchObject({
        exit: 3,
        data: { error: { code: 'DOCUMENT_INVALID' } },
      });
    } finally {
      await tls.close();
    }
  });
});

describe('publication in git', () => {
  const log = numberedLog(makeSigner('log.test/one'));
  let top: string;
  let folder: string;
  beforeEach(() => {
    top = tempDir();
    folder = join(top, 'published');
    mkdirSync(folder);
    git('init', '--quiet');
  });
  const git = (...words: string[]): string =>
    execFileSync('git', ['-C', top, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const at = (size: number): Promise<void> =>
    publisherOf({ folder, git: true })(log.noteAt(size), {
      proof: async (old, now) => log.proof(old, now),
      keys: [log.key],
    });

  it('commits each checkpoint under the folder’s own path, and leaves a clean work tree', async () => {
    for (const size of [3, 7, 7]) await at(size);
    expect(git('log', '--format=%an %s')).toBe(
      'Lockkeeper Checkpoint of 7 entries\nLockkeeper Checkpoint of 3 entries\n',
    );
    expect(git('show', 'HEAD:published/checkpoints/3')).toBe(log.noteAt(3));
    expect(git('show', 'HEAD:published/checkpoint')).toBe(log.noteAt(7));
    expect(git('status', '--porcelain')).toBe('');
  });

  it('runs nothing that the repository’s settings name', async () => {
    await at(3);
    const marker = join(top, '.git', 'ran');
    const program = join(top, '.git', 'program');
    writeFileSync(program, `#!/bin/sh\necho "$0 $*" >> ${marker}\ncat\n`);
    chmodSync(program, 0o755);
    const hooks = join(top, '.git', 'hooks');
    mkdirSync(hooks, { recursive: true });
    for (const name of 'pre-commit prepare-commit-msg commit-msg post-commit reference-transaction post-index-change pre-auto-gc'.split(
      ' ',
    )) {
      writeFileSync(join(hooks, name), `#!/bin/sh\necho ${name} >> ${marker}\n`);
      chmodSync(join(hooks, name), 0o755);
    }
    for (const [name, value] of [
      ['core.hooksPath', hooks],
      ['core.fsmonitor', program],
      ['core.editor', program],
      ['core.pager', program],
      ['filter.own.clean', program],
      ['filter.own.required', 'true'],
      ['commit.gpgSign', 'true'],
      ['gpg.program', program],
      ['diff.external', program],
    ])
      git('config', name ?? '', value ?? '');
    mkdirSync(join(top, '.git', 'info'), { recursive: true });
    writeFileSync(join(top, '.git', 'info', 'attributes'), '* filter=own\n');
    await at(7);
    expect(existsSync(marker)).toBe(false);
    expect(git('show', 'HEAD:published/checkpoints/7')).toBe(log.noteAt(7));
    // The same settings do run for whoever commits there in the ordinary way.
    writeFileSync(join(folder, 'other'), 'x');
    git('add', 'published/other');
    expect(readFileSync(marker, 'utf8')).toContain('program');
  });

  it('fetches nothing that the repository says lies elsewhere', async () => {
    await at(3);
    const marker = join(top, '.git', 'ran');
    const tree = git('rev-parse', 'HEAD^{tree}').trim();
    execFileSync('rm', ['-f', join(top, '.git/objects', tree.slice(0, 2), tree.slice(2))]);
    for (const [name, value] of [
      ['core.repositoryformatversion', '1'],
      ['extensions.partialClone', 'origin'],
      ['remote.origin.url', `ext::sh -c touch% ${marker}`],
      ['remote.origin.promisor', 'true'],
      ['protocol.allow', 'always'],
      ['protocol.ext.allow', 'always'],
    ])
      git('config', name ?? '', value ?? '');
    await expect(at(7)).rejects.toThrow();
    expect(existsSync(marker)).toBe(false);
    expect(git('rev-list', '--count', 'HEAD')).toBe('1\n');
    expect(() => git('ls-tree', 'HEAD')).toThrow();
    expect(existsSync(marker)).toBe(true);
  });

  it('is refused where hooks stand in the settings', async () => {
    git('config', 'hook.own.command', 'touch /tmp/ran');
    expect(await refusal(at(3))).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(() => git('rev-parse', '--verify', 'HEAD')).toThrow();
  });
});
