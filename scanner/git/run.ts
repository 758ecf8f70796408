/** git, as a program of somebody else: no configuration but ours, no hooks, no questions, three protocols, bounded. */
import { spawn } from 'node:child_process';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface GitRun {
  /** An empty folder, or a repository that we made. */
  readonly cwd: string;
  /** Where its packages come from: proxies, the way to programs, and an SSH agent. */
  readonly environment: Environment;
  /** Protocol of the address, where one is spoken to. */
  readonly protocol?: string;
  readonly ms?: number;
  readonly maxBytes?: number;
  readonly input?: Uint8Array;
  /** `-c NAME=VALUE` besides ours. */
  readonly config?: readonly string[];
}

export interface GitSaid {
  /** Null when its time or its bytes were over. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const MS = 30_000;
const MAX_BYTES = 16 * 1024 * 1024;
const SAID_BYTES = 8192;
/** Of any one file that git writes. */
const FILE_MIB = 1024;
/** Of its memory, with what it maps. */
const MEMORY_MIB = 8192;
const LIMITED = `ulimit -f ${FILE_MIB * 2048} && ulimit -v ${MEMORY_MIB * 1024} && exec "$@"`;
const TAKEN = /^(?:PATH|SSH_AUTH_SOCK|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY)$/;

/** Whatever a repository, a server or this machine has set, these stand above it. */
const CONFIG: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.askPass=',
  'credential.helper=',
  'protocol.allow=never',
  'http.followRedirects=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=30',
  'submodule.recurse=false',
  'transfer.fsckObjects=true',
  'transfer.credentialsInUrl=die',
  'gc.auto=0',
  'maintenance.auto=false',
  'filter.lfs.smudge=',
  'filter.lfs.required=false',
];

/** Runs it to its end; nothing of it is left. Throws CONFIG_INVALID where there is no git. */
export async function git(words: readonly string[], run: GitRun): Promise<GitSaid> {
  const protocols = run.protocol === undefined ? [] : [`protocol.${run.protocol}.allow=always`];
  const config = [...CONFIG, ...protocols, ...(run.config ?? [])].flatMap((one) => ['-c', one]);
  const command = ['-c', LIMITED, 'sh', 'git', '--no-replace-objects', ...config, ...words];
  const child = spawn('/bin/sh', command, {
    cwd: run.cwd,
    detached: true,
    env: environmentOf(run),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  let [size, stderr, over] = [0, '', false];
  const kill = (): void => {
    over = true;
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  };
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > (run.maxBytes ?? MAX_BYTES)) kill();
    else chunks.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-SAID_BYTES);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(run.input ?? '');
  const timer = setTimeout(kill, run.ms ?? MS);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit ?? 1));
  }).finally(() => clearTimeout(timer));
  if (code === 127) throw missing();
  return { code: over ? null : code, stdout: Buffer.concat(chunks), stderr };
}

function environmentOf({ environment, cwd }: GitRun): Record<string, string> {
  const taken = Object.entries(environment).filter(([name]) => TAKEN.test(name));
  return {
    ...(Object.fromEntries(taken) as Record<string, string>),
    HOME: cwd,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oForwardAgent=no',
  };
}

function missing(): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: 'git on the PATH of this process',
    found: 'none',
    next: 'Install it, such as: apt-get install git',
  });
}

/** Its last words, without what may be a password in an address. */
export function lastWords({ stderr, code }: GitSaid): string {
  if (code === null) return 'no end within its time and size';
  const lines = stderr.trim().split('\n').slice(-3).join(' ');
  return quote(lines.replace(/\/\/[^/\s@]+@/g, '//') || `exit code ${code}`, 300);
}
