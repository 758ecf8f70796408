/** Secrets by where they are: a file, a variable, or what a program prints. */
import { constants, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Code, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { SecretSource } from '../../schemas/upstream.ts';
import { runProgram } from '../program.ts';

export interface SecretSetting {
  /** Folder that paths are relative to. */
  readonly dir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the secret is for, in the sentence of a refusal. */
  readonly what: string;
}

const MAX_SECRET = 64 * 1024;
const PROGRAM_MS = 10_000;

/**
 * The secret as it is now, without one line end. Throws SECRET_MISSING where there is none and SECRET_UNUSABLE for an
 * empty one, one of more than 64 KiB, or a file that others may read. No message holds any of it.
 */
export async function readSecret(source: SecretSource, setting: SecretSetting): Promise<string> {
  const text = await textOf(source, setting);
  const secret = text.replace(/\r?\n$/, '');
  if (secret !== '' && secret.length <= MAX_SECRET && !secret.includes('\0')) return secret;
  throw refused('SECRET_UNUSABLE', setting, {
    found: secret === '' ? 'an empty one' : 'more than a secret',
    source,
  });
}

async function textOf(source: SecretSource, setting: SecretSetting): Promise<string> {
  if (typeof source !== 'string') return fromProgram(source.command, setting);
  const [kind, at] = [source.slice(0, source.indexOf(':')), source.slice(source.indexOf(':') + 1)];
  if (kind === 'file') return fromFile(resolve(setting.dir, at), source, setting);
  const value = setting.environment[at];
  if (value !== undefined) return value;
  throw refused('SECRET_MISSING', setting, { found: 'no such variable', source });
}

/** A group may read it, as container platforms hand secrets out; others may not. */
async function fromFile(path: string, source: SecretSource, setting: SecretSetting): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      throw refused('SECRET_MISSING', setting, { found: cause.code ?? 'no file', source, cause });
    },
  );
  try {
    const { mode, size } = await file.stat();
    const isFile = (mode & constants.S_IFMT) === constants.S_IFREG;
    if (!isFile || (mode & 0o037) !== 0 || size > MAX_SECRET)
      throw refused('SECRET_UNUSABLE', setting, {
        found: isFile ? `mode 0${(mode & 0o777).toString(8)}, ${size} bytes` : 'no file',
        source,
      });
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

async function fromProgram(command: readonly string[], setting: SecretSetting): Promise<string> {
  const answer = await runProgram(command, {
    input: new Uint8Array(),
    environment: setting.environment,
    timeoutMs: PROGRAM_MS,
    maxAnswer: MAX_SECRET,
    contract: 'Have it print the secret and nothing else',
    refusal: (found, next) =>
      new LockkeeperError('SECRET_MISSING', {
        expected: `${quote(command[0] ?? '', 200)} to print ${setting.what} and to end with exit code 0`,
        found,
        next,
      }),
  });
  return answer.toString('utf8');
}

function refused(
  code: Code,
  { what }: SecretSetting,
  { found, source, cause }: { found: string; source: SecretSource; cause?: unknown },
): LockkeeperError {
  const place = typeof source === 'string' ? source : `what ${source.command[0]} prints`;
  return new LockkeeperError(code, {
    expected: `${what} in ${quote(place, 300)}: of at most ${MAX_SECRET} bytes, and not readable by others (0600 or 0640)`,
    found,
    next: 'Put it there, or change the configuration',
    cause,
  });
}
