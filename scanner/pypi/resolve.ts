/** The wheels that pip would install for one exact version, as pip itself resolves them. No code of a package is run. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MachinePython } from '../../runtime/python/machine.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type PypiRef, pypiName } from '../../schemas/pypi.ts';
import { incomplete } from '../tree.ts';
import type { PypiOptions } from './options.ts';

const RESOLVE_MS = 180_000;
/** Of any one file that pip writes while it resolves, and of its memory. */
const FILE_MIB = 256;
const MEMORY_MIB = 4096;
const MAX_REPORT_BYTES = 256 * 1024 * 1024;
const SAID_BYTES = 8192;

/** One package of the closure as pip chose it. */
export interface Chosen {
  /** As it is compared. */
  readonly name: string;
  readonly version: string;
  readonly file: string;
}

/** pip could not resolve: what it wants to have a wheel of and finds none, when it says so. */
export interface Unresolved {
  readonly missing: string | null;
  readonly refusal: LockkeeperError;
}

interface Resolving {
  readonly python: MachinePython;
  readonly options: PypiOptions;
  readonly workDir: string;
  readonly ms?: number;
}

/** Runs pip under the Python that servers run on, so that markers and tags are that one's. Throws CLOSURE_INCOMPLETE. */
export async function choose(ref: PypiRef, resolving: Resolving): Promise<readonly Chosen[] | Unresolved> {
  const dir = await mkdtemp(join(resolving.workDir, 'resolve-'));
  try {
    const report = join(dir, 'report.json');
    const { code, said } = await pip(
      [...wordsOf(resolving), '--report', report, `${ref.name}==${ref.version}`],
      {
        ...resolving,
        dir,
      },
    );
    if (code === 0) return chosenIn(await readFile(report), ref);
    return unresolved(
      ref,
      said,
      code === null ? `no end within ${(resolving.ms ?? RESOLVE_MS) / 1000} s` : lastWords(said),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function unresolved({ name, version }: PypiRef, said: string, found: string): Unresolved {
  const [, missing = null] = /No matching distribution found for ([A-Za-z0-9._-]+)/.exec(said) ?? [];
  const expected = `the dependencies of ${name}@${version} to be resolved by pip from wheels`;
  const refusal = /DO NOT MATCH THE HASHES/i.test(said)
    ? new LockkeeperError('ARTIFACT_MISMATCH', {
        expected: 'wheels with the digests that the package index promises',
        found,
        next: 'The package index or a proxy changed the bytes: do not use this release, and tell your security team',
      })
    : incomplete(expected, found);
  return { missing: missing === null ? null : pypiName(missing), refusal };
}

/** Everything is said here: pip reads no other configuration and no variables. */
function wordsOf({ options }: Resolving): string[] {
  const [index = '', ...extra] = options.indexes;
  return [
    ...['install', '--isolated', '--no-input', '--no-color', '--disable-pip-version-check', '--quiet'],
    ...['--dry-run', '--ignore-installed', '--only-binary', ':all:', '--retries', '2', '--timeout', '60'],
    ...['--index-url', index, ...extra.flatMap((url) => ['--extra-index-url', url])],
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
): Promise<{ code: number | null; said: string }> {
  const env = { ...options.environment, PIP_CONFIG_FILE: '/dev/null', TMPDIR: dir };
  const command = ['-c', LIMITED, 'sh', python.path, '-I', ALONE, options.pip, ...words];
  const child = spawn('/bin/sh', command, {
    cwd: dir,
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
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
  return { code: late ? null : code, said };
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

function chosenIn(bytes: Buffer, ref: PypiRef): Chosen[] {
  const { install = [] } = parseStrict(bytes, { maxBytes: MAX_REPORT_BYTES }) as Report;
  const seen = new Set<string>();
  const chosen = install.map(({ metadata, download_info: download, is_direct: direct }) => {
    const [name, version] = [pypiName(String(metadata?.name)), String(metadata?.version)];
    const url = String(download?.url);
    if (direct === true || !URL.canParse(url))
      throw incomplete(`${name} from the package index`, `a direct address, ${quote(withoutUser(url), 200)}`);
    if (seen.has(name)) throw incomplete('each package once', `${name} twice`);
    seen.add(name);
    return { name, version, file: decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '') };
  });
  const root = chosen.find(({ name }) => name === ref.name);
  if (root?.version === ref.version) return chosen;
  throw incomplete(`${ref.name} in version ${ref.version}`, `version ${quote(root?.version ?? 'none', 60)}`);
}

function withoutUser(url: string): string {
  return url.replace(/\/\/[^/@]+@/, '//');
}
