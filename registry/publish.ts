/** Checkpoints in a folder of their own, where a log that was cut back or rewritten contradicts what lies there. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';

export interface PublishSetting {
  readonly folder: string;
  /** The folder is in a work tree of git, and what is written is committed. */
  readonly git: boolean;
}

const run = promisify(execFile);
const GIT_MS = 30_000;

/**
 * Writes `checkpoint` and `checkpoints/<size>`. Nothing that was published is contradicted: throws LOG_FORK for another
 * root of a size, LOG_ROLLBACK for a smaller log.
 */
export function publisherOf({ folder, git }: PublishSetting): (note: string) => Promise<void> {
  return async (note) => {
    const { text } = parseNote(note);
    const { size } = readCheckpoint(text);
    const files = ['checkpoint', `checkpoints/${size}`];
    const same = await textOf(join(folder, `checkpoints/${size}`));
    if (same !== null && parseNote(same).text !== text) throw contradicts('LOG_FORK', same, note);
    const newest = await textOf(join(folder, 'checkpoint'));
    if (newest !== null && readCheckpoint(newest).size > size)
      throw contradicts('LOG_ROLLBACK', newest, note);
    if (same === note && newest === note && !git) return;
    for (const file of files.reverse()) await writeAtomic(join(folder, file), note);
    if (git) await commit(folder, files, size);
  };
}

function contradicts(code: 'LOG_FORK' | 'LOG_ROLLBACK', published: string, now: string): LockkeeperError {
  return new LockkeeperError(code, {
    expected: `a log that continues ${quote(parseNote(published).text, 200)}, as published`,
    found: quote(parseNote(now).text, 200),
    next: 'The log was changed outside of Lockkeeper: keep the database and the folder as they are and tell your security team',
  });
}

/** A commit of these files alone, by an author of its own, whatever this machine is configured with. */
async function commit(folder: string, files: readonly string[], size: number): Promise<void> {
  const author = ['-c', 'user.name=Lockkeeper', '-c', 'user.email=lockkeeper@localhost'];
  const quiet = ['-c', 'commit.gpgsign=false', '-c', 'core.hooksPath=/dev/null'];
  const git = (...words: string[]): Promise<{ stdout: string }> =>
    run('git', ['-C', folder, ...author, ...quiet, ...words], { timeout: GIT_MS });
  await git('add', '--', ...files);
  const { stdout } = await git('status', '--porcelain', '--', ...files);
  if (stdout !== '') await git('commit', '--quiet', '-m', `Checkpoint of ${size} entries`, '--', ...files);
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** Temp file, fsync, rename: a reader sees the old note or the new one. */
async function writeAtomic(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
