/**
 * Notes in a work tree of git, each checkpoint a commit. Whoever can write into that repository's settings must not run
 * programs as the registry: no hook, filter, monitor, signer or transport of it is called. The commit is put together
 * from its parts, in an index of its own, so that what somebody else was about to commit there stays theirs; its notes are
 * the ones that were judged, not what their names lead to by then.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../../schemas/errors.ts';
import { folderShelf } from './folder.ts';
import type { Shelf } from './shelf.ts';

const run = promisify(execFile);
/** Milliseconds for one word to git, and bytes of its answer. */
const GIT_MS = 30_000;
const MAX_ANSWER = 16 * 2 ** 20;

/** What the repository says of these is not asked. */
const OWN = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'gc.auto=0',
  'user.name=Lockkeeper',
  'user.email=lockkeeper@localhost',
];
/** Missing objects are not fetched: a transport is a program. No object stands in for another. */
const CLOSED = [
  'GIT_ALLOW_PROTOCOL=none',
  'GIT_NO_LAZY_FETCH=1',
  'GIT_NO_REPLACE_OBJECTS=1',
  'GIT_TERMINAL_PROMPT=0',
];

interface Asking {
  /** What the program is given to read. */
  readonly input?: string;
  /** No answer is one: exit code 1 without a word. */
  readonly orNone?: boolean;
}

type Git = (words: readonly string[], asking?: Asking) => Promise<string>;

export function gitShelf(folder: string): Shelf {
  return {
    ...folderShelf(folder),
    unfinished: () => uncommitted(folder),
    finish: (notes, size) => commit(folder, notes, size),
  };
}

/** By way of `env`, which adds variables to this process's own. Throws PUBLISHED_REFUSED with git's own last line. */
function gitIn(folder: string, index?: string): Git {
  const settings = OWN.flatMap((setting) => ['-c', setting]);
  const variables = index === undefined ? CLOSED : [...CLOSED, `GIT_INDEX_FILE=${index}`];
  return async (words, { input = '', orNone = false } = {}) => {
    const all = [...variables, 'git', '-C', folder, ...settings, ...words];
    const asked = run('env', all, { timeout: GIT_MS, maxBuffer: MAX_ANSWER });
    asked.child.stdin?.on('error', () => undefined).end(input);
    try {
      return (await asked).stdout.trimEnd();
    } catch (cause) {
      const { code, stdout = '', stderr = '', killed } = cause as Failure;
      if (orNone && code === 1 && stdout === '' && stderr === '') return '';
      const said = /^(?:fatal|error): .*$/m.exec(stderr)?.[0] ?? (killed ? 'no answer' : `exit code ${code}`);
      throw new LockkeeperError('PUBLISHED_REFUSED', {
        expected: `git ${words[0]} to work in ${quote(folder, 200)}`,
        found: quote(said, 200),
        next: 'Try it there by hand, as the user that the registry runs as; it is tried again',
        cause,
      });
    }
  };
}

interface Failure {
  readonly code?: number | string;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly killed?: boolean;
}

function headOf(git: Git): Promise<string> {
  return git(['rev-parse', '--quiet', '--verify', 'HEAD^{commit}'], { orNone: true });
}

/** Kept notes in the folder that the newest commit does not hold. */
async function uncommitted(folder: string): Promise<string[]> {
  const git = gitIn(folder);
  if ((await headOf(git)) === '') return [];
  const there = await git(['ls-tree', '--name-only', 'HEAD', 'checkpoints/']);
  const known = new Set(there.split('\n'));
  const names = (await readdir(join(folder, 'checkpoints'))).filter((name) =>
    /^[1-9][0-9]{0,15}$/.test(name),
  );
  return names.map((name) => `checkpoints/${name}`).filter((name) => !known.has(name));
}

/** A commit of these notes alone. Nothing when the newest commit holds them as they are. */
async function commit(folder: string, notes: ReadonlyMap<string, string>, size: number): Promise<void> {
  const git = gitIn(folder);
  await assertNoHooks(folder, git);
  const prefix = await git(['rev-parse', '--show-prefix']);
  const entries: string[] = [];
  for (const [name, input] of notes) {
    const blob = await git(['hash-object', '-w', '--stdin'], { input });
    entries.push('--cacheinfo', `100644,${blob},${prefix}${name}`);
  }
  const head = await headOf(git);
  const own = await mkdtemp(join(tmpdir(), 'lockkeeper-git-'));
  try {
    const aside = gitIn(folder, join(own, 'index'));
    if (head !== '') await aside(['read-tree', head]);
    await aside(['update-index', '--add', ...entries]);
    const tree = await aside(['write-tree']);
    if (head === '' || tree !== (await git(['rev-parse', `${head}^{tree}`]))) {
      const parent = head === '' ? [] : ['-p', head];
      const made = await git(['commit-tree', tree, ...parent, '-m', `Checkpoint of ${size} entries`]);
      // Only from the commit it was made on: of two that commit at once, one is told.
      await git(['update-ref', '-m', 'checkpoint', 'HEAD', made, head || '0'.repeat(made.length)]);
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
  await git(['update-index', '--add', ...entries]);
}

/** Newer versions of git read hooks from settings too, and no option turns those off. Throws CONFIG_INVALID. */
async function assertNoHooks(folder: string, git: Git): Promise<void> {
  const found = await git(['config', '--get-regexp', '--name-only', '^hook\\.'], { orNone: true });
  if (found === '') return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `${quote(folder, 200)} to be in a repository without hooks in its settings`,
    found: quote(found.split('\n')[0] ?? '', 200),
    next: 'Take them out with: git config --unset',
  });
}
