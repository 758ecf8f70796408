/** The wheels that pip would install for one exact version, as pip itself resolves them. No code of a package is run. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MachinePython } from '../../runtime/python/machine.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { pypiName } from '../../schemas/pypi.ts';
import { incomplete } from '../tree.ts';
import type { PypiOptions } from './options.ts';

const RESOLVE_MS = 180_000;
/** Of any one file that pip writes while it resolves, and of its memory. */
const FILE_MIB = 256;
const MEMORY_MIB = 4096;
const MAX_REPORT_BYTES = 256 * 1024 * 1024;
const SAID_BYTES = 8192;
/** Of what it tells of its way, where the end names every version that it tried. */
const TOLD_BYTES = 256 * 1024;

/** One package of the closure as pip chose it. */
export interface Chosen {
  /** As it is compared. */
  readonly name: string;
  readonly version: string;
  readonly file: string;
  /** Is it out of the folder of wheels that were built here? */
  readonly local: boolean;
}

/** pip could not resolve: what it may have found no wheel of, as it says. */
export interface Unresolved {
  readonly missing: readonly Wish[];
  readonly refusal: LockkeeperError;
}

export interface Wish {
  readonly name: string;
  /** Such as `<2,>=1`; empty for any version. */
  readonly specifier: string;
}

export interface Resolving {
  /** Whose needs these are, for sentences. */
  readonly label: string;
  /** As requirements are written. */
  readonly wishes: readonly string[];
  /** A folder of wheels beside those of the indexes; absent for none. */
  readonly wheels?: string;
  readonly python: MachinePython;
  readonly options: PypiOptions;
  readonly workDir: string;
  readonly ms?: number;
}

/** Runs pip under the Python that servers run on, so that markers and tags are that one's. Throws CLOSURE_INCOMPLETE. */
export async function choose(resolving: Resolving): Promise<readonly Chosen[] | Unresolved> {
  const dir = await mkdtemp(join(resolving.workDir, 'resolve-'));
  try {
    const report = join(dir, 'report.json');
    const words = [...wordsOf(resolving), '--report', report, '--', ...resolving.wishes];
    const { code, said, told } = await pip(words, { ...resolving, dir });
    if (code === 0) return chosenIn(await readFile(report));
    const late = `no end within ${(resolving.ms ?? RESOLVE_MS) / 1000} s`;
    return unresolved(resolving, { said, told }, code === null ? late : lastWords(said));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Of several causes pip tells each, that of the newest version first. */
const MISSING =
  /(?:No matching distribution found for|depends on) ([A-Za-z0-9._-]+)(?:\[[^\]]*\])? ?\(?([<>=!~][^;()\s]*(?:, ?[<>=!~][^;()\s]*)*)?/g;

function unresolved(
  { label }: Resolving,
  { said, told }: { said: string; told: string },
  found: string,
): Unresolved {
  const [, causes = ''] = told.split('The conflict is caused by:');
  const missing = [...`${said}\n${causes}`.matchAll(MISSING)].map(([, name = '', specifier = '']) => {
    return { name: pypiName(name), specifier };
  });
  const refusal = /DO NOT MATCH THE HASHES/i.test(said)
    ? new LockkeeperError('ARTIFACT_MISMATCH', {
        expected: 'wheels with the digests that the package index promises',
        found,
        next: 'The package index or a proxy changed the bytes: do not use this release, and tell your security team',
      })
    : incomplete(`${label} to be resolved by pip from wheels`, found);
  return { missing, refusal };
}

/** Everything is said here: pip reads no other configuration and no variables. */
function wordsOf({ options, wheels }: Resolving): string[] {
  const [index = '', ...extra] = options.indexes;
  return [
    ...['install', '--isolated', '--no-input', '--no-color', '--disable-pip-version-check'],
    ...['--dry-run', '--ignore-installed', '--only-binary', ':all:', '--retries', '2', '--timeout', '60'],
    ...['--progress-bar', 'off'],
    ...['--index-url', index, ...extra.flatMap((url) => ['--extra-index-url', url])],
    ...(wheels === undefined ? [] : ['--find-links', wheels]),
    ...(options.cert === null ? [] : ['--cert', options.cert]),
    ...(options.proxy === null ? [] : ['--proxy', options.proxy]),
    ...options.trustedHosts.flatMap((host) => ['--trusted-host', host]),
  ];
}

/** Lets pip start no program. */
const ALONE = fileURLToPath(new URL('./python/pip.py', import.meta.url));
const LIMITED = `ulimit -f ${FILE_MIB * 2048} && ulimit -v ${MEMORY_MIB * 1024} && exec "$@"`;

/** `code` is null when its time was over. Nothing of it is left. */
async function pip(
  words: readonly string[],
  { python, options, dir, ms = RESOLVE_MS }: Resolving & { dir: string },
): Promise<{ code: number | null; said: string; told: string }> {
  const env = { ...options.environment, PIP_CONFIG_FILE: '/dev/null', TMPDIR: dir };
  const command = ['-c', LIMITED, 'sh', python.path, '-I', ALONE, options.pip, ...words];
  const child = spawn('/bin/sh', command, {
    cwd: dir,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, told] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => {
    told = (told + chunk.toString()).slice(-TOLD_BYTES);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_BYTES);
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, ms);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit ?? 1));
  }).finally(() => clearTimeout(timer));
  return { code: late ? null : code, said, told };
}

function lastWords(said: string): string {
  const lines = said.split('\n').filter((line) => /^(?:ERROR|\s+\S)/.test(line));
  // An address of an index may hold a password.
  return quote((lines.join(' ') || said).replace(/\/\/[^/\s@]+@/g, '//').trim(), 400);
}

interface Report {
  readonly install?: readonly {
    readonly metadata?: { readonly name?: unknown; readonly version?: unknown };
    readonly download_info?: { readonly url?: unknown };
    readonly is_direct?: unknown;
  }[];
}

function chosenIn(bytes: Buffer): Chosen[] {
  const { install = [] } = parseStrict(bytes, { maxBytes: MAX_REPORT_BYTES }) as Report;
  const seen = new Set<string>();
  return install.map(({ metadata, download_info: download, is_direct: direct }) => {
    const [name, version] = [pypiName(String(metadata?.name)), String(metadata?.version)];
    const url = String(download?.url);
    if (direct === true || !URL.canParse(url))
      throw incomplete(`${name} from the package index`, `a direct address, ${quote(withoutUser(url), 200)}`);
    if (seen.has(name)) throw incomplete('each package once', `${name} twice`);
    seen.add(name);
    const { pathname, protocol } = new URL(url);
    const file = decodeURIComponent(pathname.split('/').at(-1) ?? '');
    return { name, version, file, local: protocol === 'file:' };
  });
}

function withoutUser(url: string): string {
  return url.replace(/\/\/[^/@]+@/, '//');
}
