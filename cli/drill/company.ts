/** A company in a temporary folder: its registry, and people who each have their own machine and use `lk` on it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLines } from '../../runtime/wire/lines.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
);

export interface Said {
  readonly exit: number;
  /** The one JSON object on stdout. */
  readonly data: JsonObject;
  readonly stderr: string;
}

export interface Company {
  readonly dir: string;
  readonly url: string;
  /** Runs `lk … --json` on somebody's machine, in the project's folder. */
  lk(person: string, ...words: string[]): Promise<Said>;
  /** The same, and a refusal of the drill itself when it does not exit 0. */
  must(person: string, ...words: string[]): Promise<JsonObject>;
  /** A client of `lk run`: sends requests one after the other and returns their answers. */
  call(
    person: string,
    alias: string,
    requests: readonly JsonObject[],
  ): Promise<{ answers: JsonObject[]; exit: number; stderr: string }>;
  close(): Promise<void>;
}

/** What carries out `lk` with these words, on somebody's machine. */
export type Speaks = (words: readonly string[], machine: Machine) => Promise<Said>;
export interface Machine {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface CompanyOptions {
  readonly dir: string;
  /** Address of the package registry that the company's scanner asks; without one, the machine's own with its cache. */
  readonly npmRegistry?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder of this person's store. What was read of packages' code is kept there by their digests; without one, it is read anew. */
  readonly storeDir?: string;
  /** Address of a database for its registry, which brings its own without one. */
  readonly database?: string;
  readonly trial?: boolean;
  /** Whether it looks for new versions every three seconds and asks no GitHub (default); else it looks for none and asks. */
  readonly watches?: boolean;
  /** `apart` without one. */
  readonly speaks?: Speaks;
}

/** Starts the registry as `lk serve` does and signs its administrator in. */
export async function foundCompany(options: CompanyOptions): Promise<Company> {
  const { dir, speaks = apart } = options;
  const {
    LOCKKEEPER_TOKEN: _,
    LOCKKEEPER_REGISTRY: __,
    LOCKKEEPER_ROOT_KEYS: ___,
    DATABASE_URL: ____,
    ...inherited
  } = options.environment;
  const project = join(dir, 'project');
  await mkdir(join(project, 'docs'), { recursive: true });
  if (options.storeDir !== undefined) await keepCode(options.storeDir, join(dir, 'registry'));
  await chmod(join(project, 'docs'), 0o777);
  // One process after the other runs the same modules: what Node compiled of them is kept for the next.
  const envOf = (person: string): NodeJS.ProcessEnv => ({
    NODE_COMPILE_CACHE: join(dir, 'compiled'),
    ...inherited,
    LOCKKEEPER_HOME: join(dir, 'machines', person),
    NO_COLOR: '1',
  });
  const words = [
    'serve',
    '--json',
    '--data',
    join(dir, 'registry'),
    '--port',
    '0',
    ...(options.trial ? ['--trial'] : []),
  ];
  const server = start(words, project, {
    ...envOf('server'),
    ...settingsOf(options),
  });
  const hello = await firstLine(server);
  const { url, code } = JSON.parse(hello) as { url: string; code: string };
  const lk = async (person: string, ...verb: string[]): Promise<Said> =>
    speaks([...verb, '--json'], { cwd: project, env: envOf(person) });
  const must = async (person: string, ...verb: string[]): Promise<JsonObject> => {
    const said = await lk(person, ...verb);
    if (said.exit === 0) return said.data;
    throw new LockkeeperError('INTERNAL', {
      expected: `lk ${verb.join(' ')} to work for ${person}`,
      found: `exit ${said.exit}: ${quote(JSON.stringify(said.data), 600)} ${quote(said.stderr, 300)}`,
      next: 'See the message',
    });
  };
  const close = async (): Promise<void> => {
    server.kill('SIGINT');
    if (server.exitCode === null && server.signalCode === null) await once(server, 'close');
  };
  await must('admin', 'login', url, '--code', code).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    dir,
    url,
    lk,
    must,
    call: (person, alias, requests) => converse(start(['run', alias], project, envOf(person)), requests),
    close,
  };
}

/** Its scanner recalls what `lk scan` of the same person read, and the other way round. */
async function keepCode(storeDir: string, registry: string): Promise<void> {
  const code = join(storeDir, 'code');
  await mkdir(storeDir, { recursive: true });
  await mkdir(code, { recursive: true, mode: 0o700 });
  await mkdir(join(registry, 'scan'), { recursive: true });
  await symlink(code, join(registry, 'scan', 'code'));
}

/** What its registry goes by, beside what the machine's does. */
function settingsOf({ dir, npmRegistry, database, watches = true }: CompanyOptions): NodeJS.ProcessEnv {
  return {
    ...(database === undefined ? {} : { DATABASE_URL: database }),
    ...(npmRegistry === undefined
      ? {}
      : { npm_config_registry: npmRegistry, npm_config_cache: join(dir, 'npm-cache') }),
    ...(watches
      ? { LOCKKEEPER_UPSTREAM_CRON: '*/3 * * * * *', LOCKKEEPER_GITHUB: 'none' }
      : { LOCKKEEPER_UPSTREAM_CRON: '0 0 0 1 1 *' }),
  };
}

function start(
  words: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...words], { cwd, env });
}

/** A process of its own. */
export const apart: Speaks = (words, { cwd, env }) => finished(start(words, cwd, env));

async function firstLine(child: ChildProcessWithoutNullStreams): Promise<string> {
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    readLines(child.stdout, 100_000, {
      line: (bytes) => resolve(bytes.toString('utf8')),
      end: () => reject(new Error(stderr)),
      error: reject,
    });
  });
}

async function finished(child: ChildProcessWithoutNullStreams): Promise<Said> {
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end();
  const [exit] = (await once(child, 'close')) as [number | null];
  return { exit: exit ?? 1, data: stdout.trim() === '' ? {} : (JSON.parse(stdout) as JsonObject), stderr };
}

const HELLO: readonly JsonObject[] = [
  {
    jsonrpc: '2.0',
    id: 'hello',
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'drill', version: '1' } },
  },
  { jsonrpc: '2.0', method: 'notifications/initialized' },
];

async function converse(
  child: ChildProcessWithoutNullStreams,
  requests: readonly JsonObject[],
): Promise<{ answers: JsonObject[]; exit: number; stderr: string }> {
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  const answers: JsonObject[] = [];
  // A client stays until it has its answers; what a server does meanwhile is not cut short.
  readLines(child.stdout, 32 * 1024 * 1024, {
    line: (bytes) => {
      answers.push(JSON.parse(bytes.toString('utf8')) as JsonObject);
      if (
        answers.filter(({ id, method }) => id !== undefined && method === undefined).length > requests.length
      )
        child.stdin.end();
    },
    end: () => undefined,
    error: () => undefined,
  });
  const all: Json[] = [
    ...HELLO,
    ...requests.map((request, index) => ({ jsonrpc: '2.0', id: index + 1, ...request })),
  ];
  child.stdin.write(all.map((message) => `${JSON.stringify(message)}\n`).join(''));
  const [exit] = (await once(child, 'close')) as [number | null];
  return { answers, exit: exit ?? 1, stderr };
}
