/** pip's own configuration, as this machine has it. Lockkeeper names no index of its own. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

const run = promisify(execFile);
const ASK_MS = 60_000;

export interface PypiOptions {
  /** Folder of the pip that resolves. */
  readonly pip: string;
  /** Addresses of the indexes, the first one first, without a slash at the end. */
  readonly indexes: readonly string[];
  /** Certificates to trust, in PEM; null for those that everybody trusts. */
  readonly ca: string | null;
  /** File that they are in, for pip. */
  readonly cert: string | null;
  readonly proxy: string | null;
  readonly trustedHosts: readonly string[];
  /** What pip is run with; its own variables are left out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Environment = PypiOptions['environment'];

/**
 * Indexes, proxy and certificates of `pip config list`. Places that pip is told to look at besides (`find-links`) are not
 * taken over: what comes from a folder has no index that promised it. Throws PYTHON_MISSING where pip cannot be asked:
 * guessing an index would let a release come from another one than the company's.
 */
export async function pypiOptionsOf(environment: Environment): Promise<PypiOptions> {
  const pip = (await ask(['-c', 'import pip; print(pip.__path__[0])'], environment)).trim();
  const set = settingsIn(await ask(['-m', 'pip', 'config', 'list'], environment));
  const index = set.get('index-url') ?? (await defaultIndex(environment));
  const cert = set.get('cert') ?? null;
  return {
    pip,
    indexes: [index, ...wordsIn(set.get('extra-index-url'))].map((url) => url.replace(/\/+$/, '')),
    cert,
    ca: cert === null ? null : await readFile(cert, 'utf8'),
    proxy: set.get('proxy') ?? null,
    trustedHosts: wordsIn(set.get('trusted-host')),
    environment: Object.fromEntries(
      Object.entries(environment).filter(
        ([name]) => !/^(?:PIP_|PYTHON|LOCKKEEPER_|DATABASE_URL$)/.test(name),
      ),
    ),
  };
}

async function ask(words: readonly string[], environment: Environment): Promise<string> {
  const options = { cwd: '/', env: { ...environment }, timeout: ASK_MS };
  const { stdout } = await run('python3', ['-I', ...words], options).catch((cause: Error) => {
    throw new LockkeeperError('PYTHON_MISSING', {
      expected: 'pip to tell its index (python3 -m pip config list)',
      found: quote(cause.message, 300),
      next: 'Install pip, such as: apt-get install python3-pip',
      cause,
    });
  });
  return stdout;
}

/** What pip itself says that it asks when nothing is configured. */
async function defaultIndex(environment: Environment): Promise<string> {
  const help = await ask(['-m', 'pip', 'install', '--help'], environment);
  const [, index] = /--index-url[\s\S]*?\(default\s+(\S+?)\)/.exec(help) ?? [];
  if (index !== undefined && URL.canParse(index)) return index;
  throw new LockkeeperError('PYTHON_MISSING', {
    expected: 'pip to tell its default index',
    found: 'a help text without it',
    next: 'Say it: python3 -m pip config set global.index-url URL',
  });
}

/** pip's order: what is set for all commands, then for `install`, then by variables. */
export function settingsIn(list: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const section of ['global', 'install', ':env:']) {
    for (const line of list.split('\n')) {
      const [, own, key = '', quoted = ''] = /^([^.]+)\.([a-z-]+)=(.*)$/.exec(line.trim()) ?? [];
      if (own === section) found.set(key, unquoted(quoted));
    }
  }
  return found;
}

/** A string as Python writes it. */
function unquoted(text: string): string {
  return text.slice(1, -1).replace(/\\(n|r|t|.)/g, (_, c: string) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c);
}

function wordsIn(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
