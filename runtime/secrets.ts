/** Secrets that a project gives a locked server. They leave this process as files of its sandbox, and not otherwise. */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { readSecret } from './identity/secret.ts';
import { checkMount } from './isolation/mounts.ts';
import { SECRETS_DIR } from './isolation/secrets.ts';
import type { PlannedSecret } from './ports.ts';

export interface SecretContext {
  /** Folder of lockkeeper.json; files are relative to it. */
  readonly projectDir: string;
  readonly homes: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Where container platforms put what a process is to know; a cluster's own credentials among them are not for servers. */
const HANDED_OVER = /^\/run\/secrets\/(?!kubernetes\.io(?:\/|$))/;

/**
 * Reads what the project names. A project's file may not pick any file of this machine: the rules of mounts hold.
 * Throws SECRET_MISSING, SECRET_UNUSABLE or MOUNT_REFUSED; nothing was started.
 */
export async function secretsOf(
  { request, server, version }: Pick<LockEntry, 'request' | 'server' | 'version'>,
  context: SecretContext,
): Promise<PlannedSecret[]> {
  const secrets: PlannedSecret[] = [];
  for (const [name, source] of Object.entries(request.secrets ?? {})) {
    const what = `the secret ${name} for ${server} ${version}`;
    const from = source === 'env' ? `env:${name}` : `file:${await fileOf(source, what, context)}`;
    const { environment, projectDir: dir } = context;
    secrets.push({ name, value: await readSecret(from, { dir, environment, what }) });
  }
  return secrets;
}

/** Programs written for container platforms look for the path of a secret there. */
export function secretFileNames(secrets: readonly PlannedSecret[]): Record<string, string> {
  return Object.fromEntries(secrets.map(({ name }) => [`${name}_FILE`, `${SECRETS_DIR}/${name}`]));
}

async function fileOf(source: string, what: string, { projectDir, homes }: SecretContext): Promise<string> {
  const path = resolve(projectDir, source.slice('file:'.length));
  const real = await realpath(path).catch((cause: NodeJS.ErrnoException) => {
    throw new LockkeeperError('SECRET_MISSING', {
      expected: `${what} in ${quote(path, 300)}`,
      found: cause.code === 'ENOENT' ? 'no such file' : String(cause.code),
      next: 'Put it there with mode 0600, or change lockkeeper.json and run: lk lock',
      cause,
    });
  });
  return HANDED_OVER.test(real) ? real : checkMount(path, { projectDir, homes, mode: 'ro' });
}
