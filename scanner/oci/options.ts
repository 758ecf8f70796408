/** Who asks a container registry, as Docker's own configuration on this machine has it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../runtime/program.ts';
import { isObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface OciOptions {
  /** What is shown to this registry; null for nobody in particular. */
  readonly loginFor: (host: string) => Promise<Login | null>;
  /** Of proxies, as undici's own agent reads them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Environment = OciOptions['environment'];
const HELPER_MS = 30_000;
const MAX_HELPER = 1024 * 1024;
/** What Docker calls its own registry in its configuration. */
const HUB = 'https://index.docker.io/v1/';
/** User name of a token that stands in the place of a password. */
const TOKEN = '<token>';

/**
 * Logins of `docker login`: `config.json` in DOCKER_CONFIG or ~/.docker, and the credential helpers that it names. Without
 * the file nobody is signed in. Throws CONFIG_INVALID for a file that cannot be read, and for a helper that fails.
 */
export async function ociOptionsOf(environment: Environment): Promise<OciOptions> {
  const folder = environment.DOCKER_CONFIG ?? join(environment.HOME ?? '/root', '.docker');
  const path = join(folder, 'config.json');
  const config = configIn(await read(path), path);
  return { environment, loginFor: (host) => loginIn(config, host, environment) };
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, unknown>>;
  readonly credHelpers?: Readonly<Record<string, unknown>>;
  readonly credsStore?: unknown;
}

async function read(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return null;
    throw invalid(`${path} to be readable`, cause.message);
  });
}

function configIn(text: string | null, path: string): DockerConfig {
  if (text === null) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // What is in it is not told: it may hold a password.
  }
  throw invalid(`${path} as docker login writes it`, 'something that is no JSON object');
}

function invalid(expected: string, found: string): LockkeeperError {
  const next = 'Correct it, or sign in again: docker login HOST';
  return new LockkeeperError('CONFIG_INVALID', { expected, found, next });
}

async function loginIn(config: DockerConfig, host: string, environment: Environment): Promise<Login | null> {
  const key = host === 'docker.io' ? HUB : host;
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  if (typeof helper === 'string' && helper !== '') {
    const found = await askHelper(helper, key, environment);
    if (found) return found;
  }
  const entry = (config.auths?.[key] ?? config.auths?.[`https://${key}`]) as
    | { auth?: unknown; identitytoken?: unknown }
    | undefined;
  if (typeof entry?.identitytoken === 'string') return { username: TOKEN, password: entry.identitytoken };
  if (typeof entry?.auth !== 'string' || entry.auth === '') return null;
  const [, username, password] =
    /^([^:]+):(.*)$/s.exec(Buffer.from(entry.auth, 'base64').toString('utf8')) ?? [];
  if (username !== undefined && password !== undefined)
    return { username, password: password.replace(/\0+$/, '') };
  throw invalid(`the login for ${host} as docker login writes it`, 'another form');
}

/** `docker-credential-NAME get`: the host in, a JSON object out. Exit code 1 without a word on stderr is how it says that it has none. */
async function askHelper(name: string, key: string, environment: Environment): Promise<Login | null> {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) throw invalid('the name of a credential helper', quote(name));
  const program = `docker-credential-${name}`;
  try {
    const bytes = await runProgram([program, 'get'], {
      input: Buffer.from(key),
      environment,
      timeoutMs: HELPER_MS,
      maxAnswer: MAX_HELPER,
      contract: 'It has to print one JSON object',
      refusal: (found) => invalid(`${program} to tell the login for ${key}`, found),
    });
    const { Username, Secret } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    if (typeof Username === 'string' && typeof Secret === 'string')
      return { username: Username, password: Secret };
  } catch (error) {
    if (error instanceof LockkeeperError && error.found === 'exit code 1') return null;
    if (error instanceof LockkeeperError) throw error;
  }
  throw invalid(`${program} to tell the login for ${key}`, 'an answer of another form');
}

export function isToken({ username }: Login): boolean {
  return username === TOKEN;
}
