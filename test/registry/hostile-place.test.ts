/** Places to publish in that somebody else may write to: what lies there decides nothing but whether the registry goes on. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PublishSetting, publisherOf } from '../../registry/checkpoints/publish.ts';
import { bucketAt } from '../../runtime/store/bucket-setting.ts';
import { type MemoryLog, numberedLog } from '../helpers/log.ts';
import { refusal } from '../helpers/machine.ts';
import { type S3, startS3 } from '../helpers/s3.ts';
import { tempDir } from '../helpers/session.ts';
import { makeSigner } from '../helpers/witness.ts';

const PLACE = 's3://acme-log/lk';
const log = numberedLog(makeSigner('log.test/one'));
const neighbour = numberedLog(makeSigner('log.test/other'));
/** The same name, a key that no root names. */
const stranger = numberedLog(makeSigner('log.test/one'), (index) => (index === 2 ? ' forged' : ''));

const publish = (setting: PublishSetting, size: number, of: MemoryLog = log): Promise<void> =>
  publisherOf(setting)(of.noteAt(size), { proof: async (from, to) => of.proof(from, to), keys: [of.key] });

describe('a bucket that somebody else writes to', () => {
  let s3: S3;
  let setting: PublishSetting;
  beforeEach(async () => {
    s3 = await startS3();
    setting = { bucket: bucketAt(PLACE, s3.environment) };
  });
  afterEach(() => s3.close());
  const refused = async (size: number, of = log): ReturnType<typeof refusal> => {
    const before = [...s3.objects];
    const error = await refusal(publish(setting, size, of));
    expect([...s3.objects]).toEqual(before);
    return error;
  };

  it('is one log’s alone: another registry is told whose it is, and neither accuses the other', async () => {
    await publish(setting, 3);
    for (const size of [2, 3, 7]) {
      const error = await refused(size, neighbour);
      expect(error).toMatchObject({ code: 'PUBLISHED_FOREIGN' });
      expect(error.message).toContain('log.test/one');
    }
    await publish(setting, 7);
    s3.put('lk/checkpoints/9', neighbour.noteAt(9));
    expect(await refused(9)).toMatchObject({ code: 'PUBLISHED_FOREIGN' });
  });

  it.each<[string, string, string]>([
    ['a larger log under a key of nobody', 'checkpoint', stranger.noteAt(40)],
    ['another history under a key of nobody', 'checkpoint', stranger.noteAt(3)],
    ['another history of that size under a key of nobody', 'checkpoints/7', stranger.noteAt(7)],
    ['a size that the name does not say', 'checkpoints/7', log.noteAt(5)],
    ['no note', 'checkpoint', '<html>captive portal</html>'],
  ])('accuses nobody with %s', async (_, name, note) => {
    await publish(setting, 3);
    s3.put(`lk/${name}`, note);
    const error = await refused(7);
    expect(error).toMatchObject({ code: 'PUBLISHED_FOREIGN' });
    expect(error.message).not.toContain('was rewritten');
  });

  it.each<[string, (s: S3) => void, string]>([
    ['a larger one', (at) => at.put('lk/checkpoint', log.noteAt(9)), 'LOG_ROLLBACK'],
    ['an empty one', (at) => at.put('lk/checkpoint', log.noteAt(0)), ''],
  ])('is believed where the log itself signed it: %s', async (_, make, code) => {
    await publish(setting, 3);
    make(s3);
    if (code === '') await publish(setting, 7);
    else expect(await refused(7)).toMatchObject({ code });
  });

  it('is looked at again when what was read is gone before the write', async () => {
    await publish(setting, 3);
    let once = true;
    s3.before = ({ method, key }) => {
      if (method === 'PUT' && key === 'lk/checkpoint' && once) {
        once = false;
        s3.objects.delete('lk/checkpoint');
      }
      return null;
    };
    await publish(setting, 7);
    expect(s3.objects.get('lk/checkpoint')?.text).toBe(log.noteAt(7));
  });

  it('is written over nowhere without a name for what was read', async () => {
    await publish(setting, 3);
    s3.before = ({ method, key }) =>
      method === 'GET' && key === 'lk/checkpoint' ? { status: 200, body: log.noteAt(3) } : null;
    const newest = s3.objects.get('lk/checkpoint');
    const error = await refusal(publish(setting, 7));
    expect(error).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(error.message).toContain('ETag');
    expect(s3.objects.get('lk/checkpoint')).toEqual(newest);
  });
});

describe('a folder that somebody else writes to', () => {
  let folder: string;
  let secret: string;
  beforeEach(() => {
    folder = tempDir();
    secret = join(tempDir(), 'lock.pem');
    writeFileSync(
      secret,
      '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHIDDEN\n-----END PRIVATE KEY-----\n',
    );
  });
  const setting = (): PublishSetting => ({ folder, git: false });
  const refused = async (size: number): ReturnType<typeof refusal> => {
    const error = await refusal(publish(setting(), size));
    expect(error).toMatchObject({ code: 'PUBLISHED_FOREIGN' });
    expect(error.message).not.toContain('HIDDEN');
    return error;
  };

  it.each<[string, (path: string) => void]>([
    ['leads to a file of the registry', (path) => symlinkSync(secret, path)],
    ['leads to a file without an end', (path) => symlinkSync('/dev/zero', path)],
    ['is a pipe that nobody writes to', (path) => execFileSync('mkfifo', [path])],
    ['is a folder', (path) => mkdirSync(path)],
    ['is longer than a note', (path) => writeFileSync(path, 'x'.repeat(70_000))],
  ])('is refused where a note %s, and what it leads to is not told', async (_, make) => {
    await publish(setting(), 3);
    rmSync(join(folder, 'checkpoint'));
    make(join(folder, 'checkpoint'));
    await refused(7);
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['3']);
    expect(readFileSync(secret, 'utf8')).toContain('HIDDEN');
  });

  it('writes into no other folder than its own', async () => {
    const other = tempDir();
    symlinkSync(other, join(folder, 'checkpoints'));
    await refused(3);
    expect(readdirSync(other)).toEqual([]);
    expect(existsSync(join(folder, 'checkpoint'))).toBe(false);
  });

  it('never writes over a kept checkpoint, and never sets the newest back, however many publish at once', async () => {
    const forked = numberedLog(makeSigner('log.test/one'), (index) => (index === 2 ? ' forged' : ''));
    const both = await Promise.allSettled([publish(setting(), 7), publish(setting(), 7, forked)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [kept, newest] = ['checkpoints/7', 'checkpoint'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    expect(kept).toBe(newest);
    const of = kept === log.noteAt(7) ? log : forked;
    await Promise.allSettled([12, 9, 20, 11, 15].map((size) => publish(setting(), size, of)));
    expect(readFileSync(join(folder, 'checkpoint'), 'utf8')).toBe(of.noteAt(20));
    expect(readdirSync(folder).sort()).toEqual(['checkpoint', 'checkpoints']);
  });
});

describe('a repository that somebody else writes to', () => {
  let top: string;
  let folder: string;
  const git = (...words: string[]): string =>
    execFileSync('git', ['-C', top, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  beforeEach(() => {
    top = tempDir();
    folder = join(top, 'published');
    mkdirSync(folder);
    git('init', '--quiet');
  });
  const setting = (): PublishSetting => ({ folder, git: true });

  it('is refused where more hooks stand in its settings than can be listed', async () => {
    const hooks = Array.from(
      { length: 30_000 },
      (_, n) => `[hook "${'x'.repeat(40)}${n}"]\n\tcommand = true\n`,
    );
    writeFileSync(join(top, '.git', 'more'), hooks.join(''));
    git('config', 'include.path', 'more');
    const error = await refusal(publish(setting(), 3));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(() => git('rev-parse', '--verify', 'HEAD')).toThrow();
  });

  it('gets in a commit what was judged, whatever its names lead to elsewhere', async () => {
    const elsewhere = tempDir();
    mkdirSync(join(elsewhere, 'published'));
    writeFileSync(join(elsewhere, 'published', 'checkpoint'), 'HIDDEN');
    git('config', 'core.worktree', elsewhere);
    await publish(setting(), 3).catch(() => undefined);
    expect(git('rev-list', '--all', '--objects')).not.toContain('HIDDEN');
    for (const line of git('cat-file', '--batch-check', '--batch-all-objects').split('\n'))
      if (line.includes(' blob '))
        expect(git('cat-file', 'blob', line.split(' ')[0] ?? '')).toBe(log.noteAt(3));
  });

  it('has no tree put under a commit by a replacement', async () => {
    await publish(setting(), 3);
    writeFileSync(join(top, 'planted'), 'x');
    git('add', 'planted');
    const other = git('commit-tree', git('write-tree').trim(), '-m', 'other').trim();
    git('rm', '--quiet', '--cached', 'planted');
    git('replace', 'HEAD', other);
    await publish(setting(), 7);
    git('replace', '-d', 'HEAD~1');
    expect(git('ls-tree', '-r', '--name-only', 'HEAD')).not.toContain('planted');
  });

  it('gets what a publication before left out, when that was killed between its files and its commit', async () => {
    await publish(setting(), 3);
    await publish({ folder, git: false }, 7);
    writeFileSync(join(folder, 'checkpoints', '5'), stranger.noteAt(5));
    writeFileSync(join(folder, 'checkpoints', 'other'), 'x');
    await publish(setting(), 9);
    const there = git('ls-tree', '-r', '--name-only', 'HEAD').trim().split('\n');
    expect(there).toContain('published/checkpoints/7');
    expect(there).not.toContain('published/checkpoints/5');
    expect(there).not.toContain('published/checkpoints/other');
  });

  it('is told in a sentence what git does not do, and goes on once it does', async () => {
    await publish(setting(), 3);
    writeFileSync(join(top, '.git', 'index.lock'), '');
    const error = await refusal(publish(setting(), 7));
    expect(error).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(error.message).toContain('index.lock');
    rmSync(join(top, '.git', 'index.lock'));
    await publish(setting(), 7);
    expect(git('show', 'HEAD:published/checkpoint')).toBe(log.noteAt(7));
    expect(git('status', '--porcelain')).toBe('');
  });

  it('is told where the folder is in none', async () => {
    rmSync(join(top, '.git'), { recursive: true });
    const error = await refusal(publish(setting(), 3));
    expect(error).toMatchObject({ code: 'PUBLISHED_REFUSED' });
    expect(error.message).toContain('not a git repository');
    expect(lstatSync(join(folder, 'checkpoint')).isFile()).toBe(true);
  });
});
