/** One key file of the registry: read only where nobody else may, and what a reference in one stands for. */
import { randomBytes } from 'node:crypto';
import { link, rename, rm, stat, writeFile } from 'node:fs/promises';
import { commandSigner } from '../runtime/signers/command.ts';
import { textIfThere } from '../runtime/store/there.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { CommandReference } from '../schemas/key-reference.ts';
import type { Signer } from '../schemas/signer.ts';
import { assertValid } from '../schemas/validate.ts';

/** A lock waits for its signature inside a transaction: a service, not a person, answers. */
const COMMAND_MS = 10_000;

export interface KeySetting {
  /** Path of a key reference: the lock key is behind its program. */
  readonly lockSigner?: string | null;
  /** What such a program sees. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export function behindProgram(
  reference: CommandReference,
  environment: Readonly<Record<string, string | undefined>>,
): Signer {
  return commandSigner(reference, { environment, timeoutMs: COMMAND_MS });
}

/** Throws CONFIG_INVALID for anything but a key behind a program. */
export function readReference(text: string, path: string): CommandReference {
  return assertValid(CommandReference, parseStrict(text), path, 'CONFIG_INVALID');
}

/** Whole or not at all; false where a new file is there already. */
export async function writeReference(
  path: string,
  reference: CommandReference,
  { replace }: { replace: boolean },
): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(reference, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    if (replace) await rename(temporary, path);
    else await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The text of a file that nobody else may read; null when there is none. Throws CONFIG_INVALID. */
export async function readSecret(path: string): Promise<string | null> {
  const text = await textIfThere(path);
  if (text === null) return null;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return text;
  const found = `mode 0${(mode & 0o777).toString(8)}`;
  throw invalid(
    `${path} readable by its owner alone`,
    found,
    `Find out who read it, then run: chmod 600 ${path}`,
  );
}

export function invalid(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', { expected, found, next });
}
