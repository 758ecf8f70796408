/** A small file of settings that holds for whoever runs servers on this machine. */
import { constants, open } from 'node:fs/promises';
import type { Json } from '../schemas/common.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';

const MAX_BYTES = 1024 * 1024;

export interface MachineFile {
  readonly path: string;
  /** Named by the environment: it has to be there. */
  readonly wanted: boolean;
}

/** What a kind of file is called, and where to read more. */
export interface About {
  readonly what: string;
  readonly page: string;
  readonly variable: string;
}

/** Null where there is none and none is wanted. Throws CONFIG_INVALID, also where it cannot be read. */
export async function readMachineFile({ path, wanted }: MachineFile, about: About): Promise<Json | null> {
  const bytes = await readWhole(path, about);
  if (bytes === null && !wanted) return null;
  if (bytes === null) throw invalid(path, 'no such file', about);
  try {
    return parseStrict(bytes);
  } catch (cause) {
    throw invalid(path, cause instanceof LockkeeperError ? cause.found : String(cause), { ...about, cause });
  }
}

async function readWhole(path: string, about: About): Promise<Buffer | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return null;
      throw invalid(path, cause.code ?? cause.message, { ...about, cause });
    },
  );
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (stat.isFile() && stat.size <= MAX_BYTES) return await file.readFile();
    throw invalid(path, stat.isFile() ? `${stat.size} bytes` : 'something that is no file', about);
  } finally {
    await file.close();
  }
}

function invalid(path: string, found: string, about: About & { cause?: unknown }): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `${about.what} in ${quote(path)}`,
    found,
    next: `Correct it (${about.page}), or name another file in ${about.variable}`,
    cause: about.cause,
  });
}
