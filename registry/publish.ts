/** Checkpoints in a folder of their own, where a log that was cut back or rewritten contradicts what lies there. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeAtomic } from '../runtime/store/atomic.ts';
import { assertGrew } from '../runtime/trust/checkpoint.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';

export interface PublishSetting {
  readonly folder: string;
  /** The folder is in a work tree of git, and what is written is committed. */
  readonly git: boolean;
}

const run = promisify(execFile);
const GIT_MS = 30_000;

/** Puts a note where others can see it; is given the way to prove that it continues what lies there. */
export type Publish = (note: string, proof: (from: number, to: number) => Promise<Buffer[]>) => Promise<void>;

/**
 * Writes `checkpoint` and `checkpoints/<size>`. What was published is never contradicted: throws LOG_FORK for a log that
 * does not continue it, LOG_ROLLBACK for a smaller one, and leaves the folder as it is.
 */
export function publisherOf({ folder, git }: PublishSetting): Publish {
  return async (note, proof) => {
    const now = readCheckpoint(parseNote(note).text);
    const kept = `checkpoints/${now.size}`;
    const [same, newest] = [await textOf(join(folder, kept)), await textOf(join(folder, 'checkpoint'))];
    for (const published of [newest, same]) {
      if (published === null) continue;
      const earlier = readCheckpoint(parseNote(published).text);
      const grown = earlier.size > 0 && earlier.size < now.size;
      assertGrew(earlier, now, grown ? await proof(earlier.size, now.size) : null);
    }
    // The one that is kept for good first: `checkpoint` never names a size that is not there.
    if (same !== note) await writeAtomic(join(folder, kept), note);
    if (newest !== note) await writeAtomic(join(folder, 'checkpoint'), note);
    if (git) await commit(folder, ['checkpoint', kept], now.size);
  };
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
