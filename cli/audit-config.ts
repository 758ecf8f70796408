/** The audit configuration of this machine: one file, for whoever runs servers on it. */
import { constants, open } from 'node:fs/promises';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { AuditConfig, NO_AUDIT_CONFIG } from '../schemas/sinks.ts';
import { assertValid } from '../schemas/validate.ts';
import type { CliConfig } from './config.ts';

const MAX_BYTES = 1024 * 1024;

/** Throws CONFIG_INVALID: what was meant to be told to somebody is not quietly kept to oneself. */
export async function readAuditConfig({ path, wanted }: CliConfig['audit']): Promise<AuditConfig> {
  const bytes = await readWhole(path);
  if (bytes === null && !wanted) return NO_AUDIT_CONFIG;
  if (bytes === null) throw invalid(path, 'no such file');
  let value: unknown;
  try {
    value = parseStrict(bytes);
  } catch (cause) {
    throw invalid(path, cause instanceof LockkeeperError ? cause.found : String(cause), cause);
  }
  return assertValid(AuditConfig, value, path, 'CONFIG_INVALID');
}

async function readWhole(path: string): Promise<Buffer | null> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw invalid(path, error.code ?? error.message, error);
    },
  );
  if (file === null) return null;
  try {
    const stat = await file.stat();
    if (stat.isFile() && stat.size <= MAX_BYTES) return await file.readFile();
    throw invalid(path, stat.isFile() ? `${stat.size} bytes` : 'something that is no file');
  } finally {
    await file.close();
  }
}

function invalid(path: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `the audit configuration in ${quote(path)}`,
    found,
    next: 'Correct it (docs/audit.md), or name another file in LOCKKEEPER_AUDIT',
    cause,
  });
}
